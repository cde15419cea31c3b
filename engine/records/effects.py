"""Effect ledger (效果台账): an irrevocable act has one published intent and one published result, whoever dies when.

The act itself may happen twice when its process dies between acting and recording, or when two processes act at the
same moment; only acts that harm nobody when repeated may say ``repeatable``. Both ledgers satisfy the ``Ledger`` of
the stage contract.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from engine.errors import Conflict, Defect, InDoubt, Misuse, Rejected, Unavailable
from engine.records.canonical import encode
from engine.records.database import Connection, Database
from engine.records.statements import statements

_SQL = statements("effects")
_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")

Act = Callable[[bytes], Awaitable[bytes]]
"""What is done with the recorded intent; gives the result."""
Recall = Callable[[bytes], Awaitable[bytes | None]]
"""Asks what became of an act on the recorded intent; None: nobody can say."""
SURELY_NOT = (Misuse, Rejected, Unavailable, Conflict)
"""Errors by which an act says that it did not happen."""


class PostgresLedger:
    """The ledger of an installation; every call commits on its own, whatever its caller's transaction does.

    Contents that an intent or a result names (their digests as 64 lower-case hex digits, anywhere in the bytes) are
    kept by the orphan collector for ever.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def once(
        self, key: str, kind: str, intent: bytes, act: Act, *, repeatable: bool, recall: Recall | None = None
    ) -> tuple[bytes, bytes]:
        """See ``Ledger.once`` of the stage contract.

        Raises InDoubt ``effect.in_doubt``, Defect ``effect.kind_differs``, Unavailable ``database.unavailable``.
        """
        arguments = {
            "key": key,
            "kind": kind,
            "intent": intent,
            "keeps": named_contents(intent),
            "repeatable": repeatable,
        }
        async with self._database.autocommit() as connection:
            begun = await (await connection.execute(_SQL["intend"], arguments)).fetchone()
            known = begun or await _find(connection, key)
        recorded: bytes = known["intent"]
        if begun is None:
            _refuse_other_kind(key, kind, known["kind"])
            result: bytes | None = known["result"]
            if result is not None:
                return recorded, result
            return recorded, await self._record(key, kind, await _remember(key, kind, recorded, recall))
        try:
            result = await act(recorded)
        except SURELY_NOT:
            if not repeatable:
                async with self._database.autocommit() as connection:
                    await connection.execute(_SQL["withdraw"], {"key": key})
            raise
        return recorded, await self._record(key, kind, result)

    async def attempts(self, key: str) -> int:
        """How often the act was begun; 0 for a key nobody used."""
        async with self._database.autocommit() as connection:
            row = await (await connection.execute(_SQL["find"], {"key": key})).fetchone()
        return 0 if row is None else int(row["attempts"])

    async def _record(self, key: str, kind: str, result: bytes) -> bytes:
        """The published result: ours, or that of whoever was faster."""
        detail = encode({"key": key, "kind": kind, "result": hashlib.sha256(result).hexdigest()})
        arguments = {
            "key": key,
            "run": run_of(key),
            "result": result,
            "keeps": named_contents(result),
            "detail": detail,
        }
        async with self._database.autocommit() as connection:
            if (await (await connection.execute(_SQL["record"], arguments)).fetchone()) is not None:
                return result
            published: bytes = (await _find(connection, key))["result"]
            return published


def run_of(key: str) -> UUID | None:
    """The run an effect belongs to: a stage's keys start with it."""
    try:
        return UUID(key.partition("/")[0])
    except ValueError:
        return None


async def _find(connection: Connection, key: str) -> dict[str, Any]:
    row = await (await connection.execute(_SQL["find"], {"key": key})).fetchone()
    if row is None:  # only a hand in the database removes effects
        raise Defect(
            "effect.lost",
            zh=f"操作 {key} 的记录从数据库中消失。请停止处理并检查数据库。",
            en=f"The record of the act {key} vanished from the database. Stop the work and check the database.",
            key=key,
        )
    return row


@dataclass(slots=True)
class _Effect:
    kind: str
    intent: bytes
    result: bytes | None = None
    attempts: int = 0


class MemoryLedger:
    """The same promises for the life of one process: for work without records, and for tests."""

    def __init__(self) -> None:
        self._effects: dict[str, _Effect] = {}

    async def once(
        self, key: str, kind: str, intent: bytes, act: Act, *, repeatable: bool, recall: Recall | None = None
    ) -> tuple[bytes, bytes]:
        """See ``PostgresLedger.once``."""
        effect = self._effects.setdefault(key, _Effect(kind, intent))
        _refuse_other_kind(key, kind, effect.kind)
        if effect.result is None:
            if effect.attempts and not repeatable:
                result = await _remember(key, kind, effect.intent, recall)
            else:
                effect.attempts += 1
                try:
                    result = await act(effect.intent)
                except SURELY_NOT:
                    if not repeatable:
                        effect.attempts -= 1
                    raise
            if effect.result is None:  # another task may have been faster
                effect.result = result
        return effect.intent, effect.result

    async def attempts(self, key: str) -> int:
        return self._effects[key].attempts if key in self._effects else 0


def named_contents(record: bytes) -> list[str]:
    """Digests of contents that an intent or a result names."""
    return sorted({match.decode() for match in _DIGEST.findall(record)})


async def _remember(key: str, kind: str, intent: bytes, recall: Recall | None) -> bytes:
    """The result that whoever did the act still knows; raises InDoubt ``effect.in_doubt``."""
    result = None if recall is None else await recall(intent)
    if result is None:
        raise _in_doubt(key, kind)
    return result


def _refuse_other_kind(key: str, asked: str, recorded: str) -> None:
    if asked != recorded:
        raise Defect(
            "effect.kind_differs",
            zh=f"操作 {key} 已记录为“{recorded}”，现在却要求“{asked}”。这是程序错误，请报告。",
            en=f"The act {key} is recorded as '{recorded}' but '{asked}' is asked for now. This is a fault; report it.",
            key=key,
            recorded=recorded,
            asked=asked,
        )


def _in_doubt(key: str, kind: str) -> InDoubt:
    return InDoubt(
        "effect.in_doubt",
        zh=f"操作 {key}（{kind}）曾经开始但没有结果，可能已经发生。请向服务方核实后再决定，系统不会自动重做。",
        en=f"The act {key} ({kind}) was begun before and has no result: it may have happened. Ask the service, then "
        "decide; it is not repeated by itself.",
        key=key,
        kind=kind,
    )
