"""Checkpoints (检查点): results by the digest of everything they depend on, shared by runs; never of a signature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.records.canonical import encode
from engine.records.database import Connection
from engine.records.statements import statements

_SQL = statements("checkpoints")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a stage left behind: digests of its files and the facts it added."""

    outputs: list[str]
    facts: dict[str, Any]


async def find(connection: Connection, key: str) -> Checkpoint | None:
    """The kept result of a key, None when there is none."""
    row = await (await connection.execute(_SQL["find"], {"key": key})).fetchone()
    return None if row is None else Checkpoint(**row)


async def keep(connection: Connection, key: str, outputs: Sequence[str], facts: dict[str, Any]) -> None:
    """Keep a result; the first one under a key stays."""
    row = {"key": key, "outputs": encode(list(outputs)), "facts": encode(facts)}
    await connection.execute(_SQL["keep"], row)
