"""Which finished documents run out and when (续期台账); one row for each file of a finished run.

The row holds what the file rests on, not when it is due: margin and table of sunsets may change without reading a
million files again. A file is read once, by whoever looks first after its run has finished.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from engine.records import journal
from engine.records.canonical import encode
from engine.records.database import Connection, Database
from engine.records.statements import statements

_SQL = statements("renewals")
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Listed:
    """One file and what it rests on; see the table ``renewal``."""

    run_id: UUID
    place: int
    digest: str
    generation: int
    ends_at: datetime | None
    ends: str
    suites: list[str]


async def list_file(connection: Connection, file: Listed, error: dict[str, Any] | None = None) -> None:
    """Enter a file that nobody has looked at; ``error``: why it cannot be renewed."""
    await connection.execute(_SQL["list"], _row(file) | {"error": None if error is None else encode(error)})


async def find_unlisted(database: Database) -> AsyncIterator[tuple[UUID, list[str]]]:
    """Finished runs whose files are not in the list, with their files' digests."""
    after: UUID | None = None
    while True:
        async with database.transaction() as connection:
            cursor = await connection.execute(_SQL["unlisted"], {"after": after, "limit": _PAGE})
            rows = await cursor.fetchall()
        for row in rows:
            yield row["id"], row["head"]
        if len(rows) < _PAGE:
            return
        after = rows[-1]["id"]


async def known_suites(database: Database) -> list[str]:
    """Every combination of algorithms that some file rests on."""
    async with database.transaction() as connection:
        return [row["suite"] for row in await (await connection.execute(_SQL["suites"])).fetchall()]


async def count_due(database: Database, before: datetime, suites: Sequence[str]) -> int:
    """How many ``find_due`` finds."""
    async with database.transaction() as connection:
        row = await (await connection.execute(_SQL["count due"], {"before": before, "suites": list(suites)})).fetchone()
    return 0 if row is None else int(row["due"])


async def find_due(database: Database, before: datetime, suites: Sequence[str]) -> AsyncIterator[Listed]:
    """Files whose first certificate ends before a time or that rest on one of some suites."""
    last: Listed | None = None
    while True:
        page = {
            "before": before,
            "suites": list(suites),
            "after": last.run_id if last else None,
            "place": last.place if last else 0,
            "limit": _PAGE,
        }
        async with database.transaction() as connection:
            rows = await (await connection.execute(_SQL["due"], page)).fetchall()
        for row in rows:
            last = Listed(**row)
            yield last
        if len(rows) < _PAGE:
            return


async def swap(connection: Connection, old: Listed, new: Listed, facts: dict[str, Any]) -> bool:
    """Put a renewed file into its run's head; False when the head is no longer the file it was made from."""
    row = _row(new) | {"parent": old.digest, "facts": encode(facts)}
    if await (await connection.execute(_SQL["swap"], row)).fetchone() is None:
        return False
    detail = {"place": new.place, "from": old.digest, "to": new.digest, "generation": new.generation}
    await journal.append(connection, "renewed", new.run_id, detail)
    return True


async def refuse(connection: Connection, file: Listed, error: dict[str, Any]) -> None:
    """Note why a file could not be renewed; it stays due."""
    await connection.execute(_SQL["refuse"], {"run_id": file.run_id, "place": file.place, "error": encode(error)})


def _row(file: Listed) -> dict[str, Any]:
    return {
        "run_id": file.run_id,
        "place": file.place,
        "digest": file.digest,
        "generation": file.generation,
        "ends_at": file.ends_at,
        "ends": file.ends,
        "suites": file.suites,
    }
