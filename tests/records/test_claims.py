import asyncio
import multiprocessing
import os
from uuid import UUID, uuid4

import psycopg
import pytest

from engine.errors import StaleClaim
from engine.records import claims, progress, runs
from engine.records.database import Database
from engine.records.runs import Run


async def claim(database: Database, run_id: UUID, lease: float = 60.0, attempts: int = 5) -> Run | None:
    async with database.transaction() as connection:
        return await claims.claim(connection, run_id, lease, attempts)


async def sweep(database: Database) -> int:
    async with database.transaction() as connection:
        return await claims.enqueue_due(connection)


async def execute(database: Database, statement: str) -> None:
    async with database.autocommit() as connection:
        await connection.execute(statement)


async def count_messages(database: Database) -> int:
    async with database.autocommit() as connection:
        row = await (await connection.execute("select count(*) as pending from outbox")).fetchone()
    return int(row["pending"]) if row else -1


async def test_a_claim_bumps_the_epoch_and_holds_until_its_lease_runs_out(database: Database, submit):
    run_id = await submit()
    first = await claim(database, run_id)
    assert first and (first.state, first.epoch, first.attempts) == ("running", 1, 1)
    assert await claim(database, run_id) is None
    await execute(database, "update run set lease_until = clock_timestamp()")
    second = await claim(database, run_id)
    assert second and (second.epoch, second.attempts) == (2, 2)


async def test_an_unknown_run_cannot_be_claimed(database: Database):
    assert await claim(database, uuid4()) is None


async def test_of_eight_claimers_at_once_one_wins(database: Database, submit):
    for _ in range(10):
        run_id = await submit()
        won = [run for run in await asyncio.gather(*(claim(database, run_id) for _ in range(8))) if run]
        assert [run.epoch for run in won] == [1]


async def test_of_eight_claimers_of_an_expired_run_one_wins_even_if_all_waited_for_its_row(
    records_url: str, database: Database, submit
):
    run_id = await submit()
    assert await claim(database, run_id, lease=0)
    with psycopg.connect(records_url) as blocker:
        blocker.execute("select from run for update")
        racing = [asyncio.create_task(claim(database, run_id)) for _ in range(7)]
        await asyncio.sleep(0.2)
        blocker.rollback()
    assert sorted(run.epoch for run in await asyncio.gather(*racing) if run) == [2]


def claim_all(url: str, ids: list[UUID], start: object, won: object) -> None:
    async def work() -> list[UUID]:
        database = Database(url)
        await database.open()
        start.wait()  # type: ignore[attr-defined]
        taken = [run_id for run_id in ids if await claim(database, run_id)]
        await database.close()
        return taken

    won.put(asyncio.run(work()))  # type: ignore[attr-defined]


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="Python's locks between processes need /dev/shm")
async def test_two_processes_share_the_runs_without_taking_one_twice(database: Database, records_url: str, submit):
    ids = [await submit() for _ in range(40)]
    context = multiprocessing.get_context("spawn")
    start, won = context.Barrier(2), context.Queue()
    workers = [context.Process(target=claim_all, args=(records_url, ids, start, won)) for _ in range(2)]
    for worker in workers:
        worker.start()
    taken = [run_id for _ in workers for run_id in await asyncio.to_thread(won.get, True, 30)]
    for worker in workers:
        worker.join()
    won.close()
    won.join_thread()
    assert sorted(taken) == sorted(ids)


async def test_renewing_prolongs_our_claim_from_now(database: Database, claimed):
    run = await claimed(lease=0)
    async with database.transaction() as connection:
        await claims.renew(connection, run.id, run.epoch, 60)
    assert await claim(database, run.id) is None


async def test_a_claim_that_was_taken_over_cannot_be_renewed(database: Database, claimed):
    run = await claimed(lease=0)
    assert await claim(database, run.id)
    async with database.transaction() as connection:
        with pytest.raises(StaleClaim) as caught:
            await claims.renew(connection, run.id, run.epoch, 60)
    assert caught.value.code == "run.stale_claim"


async def test_a_run_that_is_due_later_is_not_claimed_before(database: Database, claimed):
    run = await claimed()
    async with database.transaction() as connection:
        await progress.postpone(connection, run, {"code": "timestamp.unavailable"}, delay=3600)
    assert await claim(database, run.id) is None
    await execute(database, "update run set due_at = clock_timestamp()")
    assert await claim(database, run.id)


async def test_a_document_that_kills_its_workers_is_parked_with_the_reason(database: Database, submit):
    run_id = await submit()
    for attempt in range(3):
        taken = await claim(database, run_id, lease=0, attempts=3)
        assert taken and taken.attempts == attempt + 1
    assert await claim(database, run_id, lease=0, attempts=3) is None
    async with database.transaction() as connection:
        run = await runs.get(connection, run_id)
        entries = await (await connection.execute("select event from journal order by id")).fetchall()
    assert (run.state, run.attempts) == ("parked", 3)
    assert run.error and run.error["code"] == "run.out_of_attempts"
    assert [entry["event"] for entry in entries] == ["submitted", "parked"]
    assert taken
    async with database.transaction() as connection:  # the last worker was only slow, not dead
        with pytest.raises(StaleClaim):
            await progress.finish(connection, taken)


async def test_what_lost_its_message_is_sent_again(database: Database, submit, claimed):
    waiting, expired = await submit(), await claimed(lease=0)
    await execute(database, "delete from outbox")
    assert await sweep(database) == 2
    async with database.autocommit() as connection:
        rows = await (await connection.execute("select queue, body->>'run_id' as run from outbox")).fetchall()
    assert sorted(row["run"] for row in rows) == sorted([str(waiting), str(expired.id)])
    assert {row["queue"] for row in rows} == {"runs"}


async def test_a_thousand_sweeps_send_nothing_twice(database: Database, submit, claimed):
    for _ in range(5):
        await submit()
        await claimed(lease=0)
    await execute(database, "delete from outbox")
    assert await sweep(database) == 10
    assert [await sweep(database) for _ in range(1000)] == [0] * 1000
    assert await count_messages(database) == 10


async def test_eight_sweepers_at_once_send_nothing_twice(database: Database, submit):
    for _ in range(20):
        await submit()
    await execute(database, "delete from outbox")
    assert sum(await asyncio.gather(*(sweep(database) for _ in range(8)))) == 20
    assert await count_messages(database) == 20


async def test_a_sweep_leaves_alone_what_is_held_waits_or_is_due_later(database: Database, claimed):
    held, later, paused, done = [await claimed() for _ in range(4)]
    async with database.transaction() as connection:
        await progress.postpone(connection, later, {}, delay=3600)
        await progress.pause(connection, paused, ["confirmed"])
        await progress.finish(connection, done)
    await execute(database, "delete from outbox")
    assert await sweep(database) == 0
    assert held.state == "running"


async def test_a_sweep_sends_no_more_than_its_limit(database: Database, submit):
    for _ in range(5):
        await submit()
    await execute(database, "delete from outbox")
    async with database.transaction() as connection:
        assert await claims.enqueue_due(connection, limit=3) == 3
        assert await claims.enqueue_due(connection, limit=3) == 2
