import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.errors import Misuse, Unavailable
from engine.records.database import Database, migrate


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """In a database of its own: these tests end sessions and drop tables."""
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


async def answer(database: Database) -> int:
    async with database.transaction() as connection:
        row = await (await connection.execute("select 1 as one")).fetchone()
    return int(row["one"]) if row else 0


def end_all_sessions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity where pid <> pg_backend_pid()"
            " and datname = current_database()"
        )


async def test_a_transaction_commits_at_its_end_and_rolls_back_on_an_exception(database: Database):
    async with database.transaction() as connection:
        await connection.execute("create table kept (n integer)")
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await connection.execute("insert into kept values (1)")
            _ = 1 / 0
    async with database.autocommit() as connection:
        assert await (await connection.execute("select * from kept")).fetchall() == []


async def test_times_come_back_in_utc(database: Database):
    async with database.transaction() as connection:
        row = await (await connection.execute("select now() as moment")).fetchone()
    assert row and row["moment"].utcoffset().total_seconds() == 0 and str(row["moment"].tzinfo) == "UTC"


async def test_options_in_the_address_are_kept(database_url: str):
    database = Database(make_conninfo(database_url, options="-c search_path=elsewhere"))
    await database.open()
    async with database.autocommit() as connection:
        row = await (await connection.execute("show search_path")).fetchone()
    assert row == {"search_path": "elsewhere"}
    await database.close()


async def test_a_connection_killed_in_mid_transaction_is_unavailable_and_the_next_call_works(database: Database):
    with pytest.raises(Unavailable) as caught:
        async with database.transaction() as connection:
            await connection.execute("select pg_terminate_backend(pg_backend_pid())")
    assert caught.value.code == "database.unavailable"
    assert await answer(database) == 1


async def test_a_session_that_dies_before_the_commit_is_unavailable(database: Database, database_url: str):
    with pytest.raises(Unavailable):
        async with database.transaction() as connection:
            await connection.execute("create table gone (n integer)")
            end_all_sessions(database_url)
    assert await answer(database) == 1


async def test_after_all_idle_connections_died_the_next_calls_work(database: Database, database_url: str):
    await asyncio.gather(*(answer(database) for _ in range(8)))
    end_all_sessions(database_url)
    assert await asyncio.gather(*(answer(database) for _ in range(8))) == [1] * 8


async def test_a_server_that_goes_away_and_comes_back_needs_nobodys_help(database_url: str, tmp_path: Path):
    place = conninfo_to_dict(database_url)["host"]
    assert isinstance(place, str)
    door = tmp_path / "s"  # while the link is missing the server cannot be found, as after a crash
    door.symlink_to(place)
    database = Database(make_conninfo(database_url, host=str(door)), patience=1.0)
    await database.open()
    assert await answer(database) == 1
    door.unlink()
    end_all_sessions(database_url)
    with pytest.raises(Unavailable) as caught:
        await answer(database)
    assert caught.value.code == "database.unavailable"
    door.symlink_to(place)
    assert await answer(database) == 1
    await database.close()


async def test_callers_beyond_the_pools_size_wait_their_turn_and_then_give_up(database_url: str):
    database = Database(database_url, size=1, patience=0.3)
    await database.open()
    async with database.transaction():
        with pytest.raises(Unavailable):
            await answer(database)
    assert await asyncio.gather(*(answer(database) for _ in range(20))) == [1] * 20
    await database.close()


async def test_a_cancelled_caller_leaves_no_transaction_behind(database_url: str):
    database = Database(database_url, size=1)
    await database.open()

    async def hold() -> None:
        async with database.transaction() as connection:
            await connection.execute("create table half (n integer)")
            await connection.execute("select pg_sleep(60)")

    task = asyncio.create_task(hold())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.transaction() as connection:
        row = await (await connection.execute("select to_regclass('half') as half")).fetchone()
    assert row == {"half": None}
    await database.close()


async def test_two_transactions_in_each_others_way_become_unavailable_for_one(database: Database):
    async with database.transaction() as connection:
        await connection.execute("create table pair (n integer primary key, hits integer default 0)")
        await connection.execute("insert into pair values (1), (2)")
    both_hold = asyncio.Barrier(2)

    async def cross(first: int, second: int) -> str:
        try:
            async with database.transaction() as connection:
                await connection.execute("set local deadlock_timeout = '50ms'")
                await connection.execute("update pair set hits = hits + 1 where n = %s", (first,))
                await both_hold.wait()
                await connection.execute("update pair set hits = hits + 1 where n = %s", (second,))
        except Unavailable:
            return "again"
        return "done"

    assert sorted(await asyncio.gather(cross(1, 2), cross(2, 1))) == ["again", "done"]


@pytest.fixture
def empty_url(database_server: str, database_url: str):
    """A database without our schema."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("drop schema public cascade")
        connection.execute("create schema public")
    return database_url


async def test_migrations_are_applied_once_even_by_many_at_the_same_time(empty_url: str):
    outcomes = await asyncio.gather(*(migrate(empty_url) for _ in range(4)))
    assert sorted(map(len, outcomes))[:3] == [0, 0, 0]
    assert "0001_engine.sql" in max(outcomes, key=len)
    assert await migrate(empty_url) == ()


async def test_a_migration_that_was_edited_after_it_ran_is_refused(database_url: str):
    with psycopg.connect(database_url) as connection:
        connection.execute("update migration set digest = repeat('0', 64)")
    with pytest.raises(Misuse) as caught:
        await migrate(database_url)
    assert caught.value.code == "database.migration_changed"
    assert caught.value.facts["migration"] == "0001_engine.sql"


async def test_a_database_of_a_newer_version_is_refused(database_url: str):
    with psycopg.connect(database_url) as connection:
        connection.execute("insert into migration (name, digest) values ('9999_future.sql', 'f')")
    with pytest.raises(Misuse) as caught:
        await migrate(database_url)
    assert caught.value.code == "database.newer"


async def test_migrating_without_a_server_is_unavailable(tmp_path: Path):
    with pytest.raises(Unavailable):
        await migrate(f"postgresql:///none?host={tmp_path}")


async def test_an_address_that_is_none_is_misuse_not_an_outage():
    with pytest.raises(Misuse) as caught:
        await migrate("not an address")
    assert caught.value.code == "database.not_migrated"


async def test_a_user_who_may_not_make_tables_is_told_so(empty_url: str):
    with psycopg.connect(empty_url, autocommit=True) as connection:
        role = f"reader_{connection.info.dbname}"
        connection.execute(f'create role "{role}" login')  # type: ignore[call-overload]  # our own words
        try:
            with pytest.raises(Misuse) as caught:
                await migrate(make_conninfo(empty_url, user=role))
        finally:
            connection.execute(f'drop role "{role}"')  # type: ignore[call-overload]  # as above
    assert caught.value.code == "database.not_migrated"
