"""An open database, and runs in the states the tests start from."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from engine.records import claims, runs
from engine.records.database import Database
from engine.records.runs import Run, StageRecord

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture(scope="session")
def records_server(database_server: str, database_template: str) -> Iterator[str]:
    """URL of one database for all tests here; making one for each would take longer than the tests."""
    name = f"records_{uuid4().hex}"
    with psycopg.connect(database_server, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{database_template}"')
        yield make_conninfo(database_server, dbname=name)
        connection.execute(f'drop database "{name}" with (force)')


@pytest.fixture
def records_url(records_server: str) -> str:
    """URL of a migrated, empty database; it is emptied, not made, for each test."""
    with psycopg.connect(records_server, autocommit=True) as connection:
        empty(connection)
    return records_server


@pytest.fixture
async def database(records_url: str) -> AsyncIterator[Database]:
    database = Database(records_url)
    await database.open()
    yield database
    await database.close()


def empty(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    connection.execute(
        "truncate run, stage_record, early_event, pipeline, checkpoint, outbox, effect, intent, key_standing, journal,"
        " journal_head restart identity cascade"
    )
    connection.execute("insert into journal_head (seq, digest) values (0, decode(repeat('00', 32), 'hex'))")


Submit = Callable[..., Awaitable[UUID]]


@pytest.fixture
def submit(database: Database) -> Submit:
    """Submits a run of a pinned pipeline and gives its id."""

    async def submit(run_id: UUID | None = None, label: str = "lease", **facts: object) -> UUID:
        identity = run_id or uuid4()
        async with database.transaction() as connection:
            await runs.pin_pipeline(connection, "pinned", "sample", 1, {"stages": []})
            await runs.submit(connection, identity, "pinned", label, [{"name": "a.pdf", "digest": A}], [A], facts)
        return identity

    return submit


@pytest.fixture
def claimed(database: Database, submit: Submit) -> Callable[..., Awaitable[Run]]:
    """Submits and claims a run."""

    async def claimed(lease: float = 60.0) -> Run:
        run_id = await submit()
        async with database.transaction() as connection:
            run = await claims.claim(connection, run_id, lease, attempts=5)
        assert run is not None
        return run

    return claimed


@pytest.fixture
def finished_stage() -> Callable[..., StageRecord]:
    """The record of a stage that turned A into B."""

    def finished_stage(ordinal: int = 0, outputs: tuple[str, ...] = (B,), **facts: object) -> StageRecord:
        return StageRecord(
            ordinal=ordinal,
            stage="normalize",
            version=1,
            checkpoint=C,
            inputs=[A],
            outputs=list(outputs),
            facts=facts,
            reused=False,
            started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        )

    return finished_stage
