"""The journal (审计日志): append-only history of what happened, sealed into one hash chain.

A chain shows tampering only to who kept an older head; whoever may write to the database may also recompute the whole
chain, so heads belong outside (a timestamp, a printout). Entries are sealed shortly after their commit, in batches,
so that commits never wait for one another; an entry that is not sealed yet is not protected.

The digest of entry n is sha256(digest of entry n-1 ‖ canonical JSON of [n, id, microseconds since 1970, run or null,
event] ‖ the detail's text); entry 0 is 32 zero bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from engine.language import Text
from engine.records.canonical import encode
from engine.records.database import Connection
from engine.records.statements import statements

_SQL = statements("journal")
_START = bytes(32)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Report:
    """Outcome of ``verify``: sealed entries that were checked, entries not sealed yet, and the head's digest.

    ``broken``: number of the first entry that is wrong, None when all is well; ``reason``: ``removed``, ``changed``,
    ``reordered``, ``cut`` (the end is missing) or ``overlong`` (entries after the head).
    """

    entries: int
    unsealed: int
    head: str
    broken: int | None = None
    reason: str | None = None

    @property
    def unbroken(self) -> bool:
        return self.broken is None

    @property
    def problem(self) -> Text | None:
        """What is wrong, for people."""
        return None if self.broken is None or self.reason is None else _say(self.broken, self.reason)


@dataclass(frozen=True, slots=True)
class Entry:
    """One sealed entry with all that its digest is made of: ``detail`` as the text that was hashed, digests in hex."""

    seq: int
    id: int
    microseconds: int
    run: str | None
    event: str
    detail: str
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The entries of one run, in order, and the head of the whole chain when they were read."""

    entries: tuple[Entry, ...]
    head: int
    digest: str


async def append(connection: Connection, event: str, run_id: UUID | None, detail: dict[str, Any]) -> None:
    """Write an entry in the caller's transaction; it takes no lock that another transaction could wait for."""
    await connection.execute(_SQL["append"], {"event": event, "run": run_id, "detail": encode(detail)})


async def seal(connection: Connection, limit: int = 50_000) -> int:
    """Chain committed entries that are not sealed yet; how many. 0 also while somebody else is at it.

    To be called every few seconds, in a transaction that does nothing else.
    """
    head = await (await connection.execute(_SQL["lock head"])).fetchone()
    if head is None:
        return 0
    entries = await (await connection.execute(_SQL["unsealed"], {"limit": limit})).fetchall()
    if not entries:
        return 0
    chain = [bytes(head["digest"])]
    for seq, entry in enumerate(entries, head["seq"] + 1):
        chain.append(_digest(chain[-1], seq, entry))
    last = head["seq"] + len(entries)
    arguments = {
        "ids": [entry["id"] for entry in entries],
        "seqs": list(range(head["seq"] + 1, last + 1)),
        "previous": chain[:-1],
        "digests": chain[1:],
    }
    await connection.execute(_SQL["seal"], arguments)
    await connection.execute(_SQL["move head"], {"seq": last, "digest": chain[-1]})
    return len(entries)


async def verify(connection: Connection) -> Report:
    """Seal what is pending, then check every entry against its predecessor and the last one against the head.

    Keeps others from sealing until the transaction ends, so that the chain stands still; commits are not kept.
    """
    await connection.execute(_SQL["hold head"])
    while await seal(connection):
        pass
    head = await (await connection.execute(_SQL["head"])).fetchone()
    if head is None:
        return Report(0, 0, "", 1, "cut")
    digest, seq = _START, 0
    end = Report(0, head["unsealed"], bytes(head["digest"]).hex())
    async with connection.cursor("journal") as cursor:  # on the server: the journal may be larger than memory
        await cursor.execute(_SQL["sealed"])
        async for entry in cursor:
            if reason := _fault(entry, seq + 1, digest, head["seq"]):
                return Report(seq, end.unsealed, end.head, seq + 1, reason)
            seq, digest = seq + 1, bytes(entry["digest"])
    if seq < head["seq"]:
        return Report(seq, end.unsealed, end.head, seq + 1, "cut")
    if digest != bytes(head["digest"]):
        return Report(seq, end.unsealed, end.head, seq, "changed")
    return Report(seq, end.unsealed, end.head)


async def excerpt(connection: Connection, run_id: UUID) -> Excerpt:
    """Seal what is pending and read the entries of a run; the chain stands still until the transaction ends."""
    await connection.execute(_SQL["hold head"])
    while await seal(connection):
        pass
    head = await (await connection.execute(_SQL["head"])).fetchone()
    rows = await (await connection.execute(_SQL["of run"], {"run": run_id})).fetchall()
    entries = tuple(
        Entry(
            seq=row["seq"],
            id=row["id"],
            microseconds=_microseconds(row["at"]),
            run=str(run_id),
            event=row["event"],
            detail=row["detail"],
            previous=bytes(row["previous"]).hex(),
            digest=bytes(row["digest"]).hex(),
        )
        for row in rows
    )
    return Excerpt(entries, head["seq"] if head else 0, bytes(head["digest"]).hex() if head else "")


def _fault(entry: Mapping[str, Any], seq: int, previous: bytes, last: int) -> str | None:
    """What is wrong with the entry that should be number ``seq`` and follow ``previous``."""
    if seq > last:
        return "overlong"
    if entry["seq"] != seq:
        return "removed"
    digest = _digest(previous, seq, entry)
    if entry["previous"] == previous and entry["digest"] == digest:
        return None
    if entry["previous"] != previous and entry["digest"] != digest:
        return "reordered"
    return "changed"


def _digest(previous: bytes, seq: int, entry: Mapping[str, Any]) -> bytes:
    run = None if entry["run_id"] is None else str(entry["run_id"])
    facts = encode([seq, entry["id"], _microseconds(entry["at"]), run, entry["event"]])
    return hashlib.sha256(previous + facts.encode() + entry["detail"].encode()).digest()


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _say(seq: int, reason: str) -> Text:
    zh, en = {
        "removed": ("缺失", "is missing"),
        "changed": ("被改动", "was changed"),
        "reordered": ("与前一条不衔接", "does not follow its predecessor"),
        "cut": ("起的结尾缺失", "and all after it are missing"),
        "overlong": ("超出链头", "lies beyond the head"),
    }[reason]
    return Text(
        zh=f"审计日志第 {seq} 条{zh}。请保全数据库现状，与备份及此前留存的链头比对。",
        en=f"Entry {seq} of the journal {en}. Preserve the database as it is and compare it with backups and with the "
        "heads kept earlier.",
    )
