"""Collects contents that no record names (孤儿文件), such as outputs of a process that died before its commit.

Contents and records do not commit together: a writer stores first and names the content in a record afterwards. So
only contents stored before ``age`` ago are looked at, and the age must be longer than any stage takes from its first
``put`` to its commit; a day is a good age. One collection runs at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.errors import Conflict
from engine.records.database import Connection, Database
from engine.records.statements import statements
from engine.vendors.protocols import Storage

_SQL = statements("orphans")
_LOCK = 0x0A9  # any number that nobody else uses as an advisory lock


@dataclass(frozen=True, slots=True)
class Collection:
    """What a collection found: contents looked at, and those nothing names (removed unless it was a rehearsal)."""

    examined: int
    orphans: int


async def collect_orphans(
    database: Database, storage: Storage, age: timedelta, *, rehearse: bool = False
) -> Collection:
    """Remove contents stored before ``age`` ago that no run, stage, checkpoint, pipeline or effect names.

    ``rehearse``: count, remove nothing. Takes two connections of the pool. Raises Conflict ``orphans.busy`` when
    another collection is running, and what the storage raises.
    """
    async with database.transaction() as connection:
        before = await _take_turn(connection, age)
        await _note_kept(database)
        examined = orphans = 0
        async for digest in storage.digests(before):  # one by one: what is stored anew after its listing would be lost
            examined += 1
            if not await _is_kept(connection, digest):
                orphans += 1
                if not rehearse:
                    await storage.delete(digest)
        return Collection(examined, orphans)


async def _take_turn(connection: Connection, age: timedelta) -> datetime:
    """Be the only collector until the transaction ends; gives the instant before which a content must be stored."""
    row = await (await connection.execute(_SQL["take turn"], {"lock": _LOCK, "age": age})).fetchone()
    if row is None or not row["ours"]:
        raise Conflict(
            "orphans.busy",
            zh="另一个清理任务正在进行。请等它结束后再试。",
            en="Another collection is running. Try again when it has ended.",
        )
    before: datetime = row["before"]
    return before


async def _note_kept(database: Database) -> None:
    """List what the records name; in a transaction of its own, because the collection itself may take hours."""
    async with database.transaction() as connection:
        for name in ("forget kept", "note kept", "refresh statistics"):
            await connection.execute(_SQL[name])


async def _is_kept(connection: Connection, digest: str) -> bool:
    return await (await connection.execute(_SQL["is kept"], {"digest": digest})).fetchone() is not None
