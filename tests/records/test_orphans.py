import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from engine.errors import Conflict
from engine.records import attention, checkpoints, progress, runs
from engine.records.database import Database
from engine.records.effects import PostgresLedger
from engine.records.orphans import Collection, collect_orphans
from engine.vendors.protocols import Storage

DAY = timedelta(days=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Shelf:
    """A storage in memory whose contents have the age a test gives them."""

    def __init__(self) -> None:
        self.stored: dict[str, datetime] = {}

    def add(self, content: str, at: datetime = LONG_AGO) -> str:
        digest = hashlib.sha256(content.encode()).hexdigest()
        self.stored[digest] = at
        return digest

    async def put(self, source: Path) -> str:
        return self.add(source.read_text(), datetime.now(UTC))

    async def get(self, digest: str, workspace: Path) -> Path:
        raise NotImplementedError(digest, workspace)

    async def digests(self, stored_before: datetime) -> AsyncIterator[str]:
        for digest, at in sorted(self.stored.items()):
            if at < stored_before:
                yield digest

    async def delete(self, digest: str) -> None:
        self.stored.pop(digest, None)


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf()
    assert isinstance(shelf, Storage)
    return shelf


async def answer(intent: bytes) -> bytes:
    return b"result:" + hashlib.sha256(b"named by a result").hexdigest().encode() + intent[:0]


async def test_what_any_record_names_is_kept(database: Database, shelf: Shelf, claimed, finished_stage):
    source = shelf.add("source")
    run = await claimed()
    async with database.transaction() as connection:
        await runs.pin_pipeline(connection, "p", "n", 1, {"resources": {"seal.png": shelf.add("a pipeline's file")}})
        await runs.submit(connection, uuid4(), "p", "", [{"name": "a", "digest": source}], [shelf.add("head")], {})
        await attention.resume(connection, run.id, "face", {"evidence": shelf.add("named by an early event")})
        await progress.advance(
            connection, run, finished_stage(outputs=(shelf.add("output"),), picture={"digest": shelf.add("in a fact")})
        )
        await checkpoints.keep(connection, "k", [shelf.add("checkpoint")], {})
    named = shelf.add("named by an intent")
    shelf.add("named by a result")
    await PostgresLedger(database).once("key", "signature", f'{{"tail":"{named}"}}'.encode(), answer, repeatable=True)
    kept = len(shelf.stored)
    orphan = shelf.add("orphan")
    assert await collect_orphans(database, shelf, DAY) == Collection(examined=kept + 1, orphans=1)
    assert len(shelf.stored) == kept == 9
    assert orphan not in shelf.stored


async def test_an_intermediate_file_of_a_run_that_moved_on_is_kept(
    database: Database, shelf: Shelf, claimed, finished_stage
):
    run = await claimed()
    async with database.transaction() as connection:
        run = await progress.advance(connection, run, finished_stage(outputs=(shelf.add("first"),)))
        await progress.advance(connection, run, finished_stage(1, outputs=(shelf.add("second"),)))
    assert (await collect_orphans(database, shelf, DAY)).orphans == 0


async def test_what_was_stored_a_moment_ago_is_not_looked_at(database: Database, shelf: Shelf):
    fresh = shelf.add("stored, and its run commits a moment later", datetime.now(UTC))
    assert await collect_orphans(database, shelf, DAY) == Collection(0, 0)
    assert fresh in shelf.stored


async def test_a_rehearsal_counts_and_removes_nothing(database: Database, shelf: Shelf):
    for number in range(3):
        shelf.add(f"orphan {number}")
    assert await collect_orphans(database, shelf, DAY, rehearse=True) == Collection(3, 3)
    assert len(shelf.stored) == 3


async def test_every_content_is_examined_and_only_orphans_go(database: Database, shelf: Shelf, submit):
    kept = [shelf.add(f"kept {number}") for number in range(9)]
    await submit(files=kept)
    for number in range(9):
        shelf.add(f"orphan {number}")
    assert await collect_orphans(database, shelf, DAY) == Collection(18, 9)
    assert sorted(shelf.stored) == sorted(kept)


async def test_collecting_again_finds_what_became_an_orphan_since(database: Database, shelf: Shelf, submit):
    kept = shelf.add("kept")
    run_id = await submit(file=kept)
    assert (await collect_orphans(database, shelf, DAY)).orphans == 0
    async with database.transaction() as connection:
        await connection.execute("delete from run where id = %s", (run_id,))
    assert (await collect_orphans(database, shelf, DAY)).orphans == 1


async def test_one_collection_runs_at_a_time(database: Database, shelf: Shelf):
    class Nested(Shelf):
        async def digests(self, stored_before: datetime) -> AsyncIterator[str]:
            with pytest.raises(Conflict) as caught:
                await collect_orphans(database, shelf, DAY)
            assert caught.value.code == "orphans.busy"
            yield self.add("orphan")

    assert (await collect_orphans(database, Nested(), DAY)).orphans == 1
    assert (await collect_orphans(database, shelf, DAY)).orphans == 0  # the turn is given back
