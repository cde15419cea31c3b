import asyncio
from uuid import uuid4

import psycopg
import pytest

from engine.errors import Conflict, InDoubt, Rejected
from engine.records import attention, claims, progress, runs
from engine.records.database import Database
from engine.records.effects import PostgresLedger
from engine.records.runs import Run
from tests.records.conftest import Submit


async def read(database: Database, run: Run) -> Run:
    async with database.transaction() as connection:
        return await runs.get(connection, run.id)


async def resume(database: Database, run: Run, event: str = "confirmed", **payload: object) -> bool:
    async with database.transaction() as connection:
        return await attention.resume(connection, run.id, event, payload)


async def pause(database: Database, run: Run, event: str = "confirmed") -> bool:
    async with database.transaction() as connection:
        return await progress.pause(connection, run, [event])


async def claim(database: Database, run: Run) -> Run:
    async with database.transaction() as connection:
        taken = await claims.claim(connection, run.id, 60, 5)
    assert taken is not None
    return taken


async def pending(database: Database) -> int:
    async with database.autocommit() as connection:
        return len(await (await connection.execute("select from outbox where due_at <= now()")).fetchall())


async def drain(database: Database) -> None:
    async with database.autocommit() as connection:
        await connection.execute("delete from outbox")


async def test_the_event_a_run_waits_for_sends_it_on_its_way(database: Database, claimed):
    run = await claimed()
    assert await pause(database, run)
    waiting = await read(database, run)
    assert (waiting.state, waiting.waiting_for) == ("waiting", "confirmed")
    await drain(database)
    assert await resume(database, run, by="张三")
    assert await pending(database) == 1
    going = await claim(database, run)
    assert (going.facts, going.waiting_for) == ({"event:confirmed": {"by": "张三"}}, None)


async def test_another_event_than_the_awaited_one_does_not_wake_the_run(database: Database, claimed):
    run = await claimed()
    await pause(database, run)
    assert not await resume(database, run, "paid")
    assert (await read(database, run)).state == "waiting"


async def test_an_event_that_comes_before_its_run_waits_is_not_lost(database: Database, claimed):
    run = await claimed()
    assert not await resume(database, run, answer=1)
    await drain(database)
    assert not await pause(database, run)
    assert await pending(database) == 1
    assert (await claim(database, run)).facts == {"event:confirmed": {"answer": 1}}


async def test_of_several_early_events_the_first_counts(database: Database, claimed):
    run = await claimed()
    for answer in (1, 2):
        await resume(database, run, answer=answer)
    await pause(database, run)
    assert (await read(database, run)).facts == {"event:confirmed": {"answer": 1}}


async def test_a_repeated_event_does_not_satisfy_the_next_wait(database: Database, claimed):
    run = await claimed()
    await pause(database, run)
    assert await resume(database, run, answer=1)
    assert not await resume(database, run, answer=1)
    again = await claim(database, run)
    assert await pause(database, again)  # the stage was not content with the answer
    assert await resume(database, run, answer=2)
    assert (await read(database, run)).facts == {"event:confirmed": {"answer": 2}}


async def test_an_event_that_commits_while_the_run_begins_to_wait_is_not_lost(
    database: Database, records_url: str, claimed
):
    run = await claimed()
    with psycopg.connect(records_url) as early:
        early.execute("select from run for update")
        early.execute("insert into early_event (run_id, name, payload) values (%s, 'confirmed', '{}')", (run.id,))
        pausing = asyncio.create_task(pause(database, run))
        await asyncio.sleep(0.2)
        assert not pausing.done()
        early.commit()
    assert await pausing is False
    assert (await read(database, run)).state == "ready"


async def test_pausing_and_resuming_at_the_same_moment_never_loses_the_event(database: Database, claimed):
    for _ in range(15):
        run = await claimed()
        waits, woken = await asyncio.gather(pause(database, run), resume(database, run))
        assert waits is woken
        assert (await claim(database, run)).facts == {"event:confirmed": {}}


async def test_of_many_deliveries_of_one_event_one_wakes_the_run(database: Database, claimed):
    run = await claimed()
    await pause(database, run)
    assert sum(await asyncio.gather(*(resume(database, run, n=n) for n in range(6)))) == 1


async def test_a_run_that_is_over_takes_no_event_and_cannot_be_cancelled(database: Database, claimed):
    run = await claimed()
    async with database.transaction() as connection:
        await progress.finish(connection, run)
    async with database.transaction() as connection:
        with pytest.raises(Conflict) as caught:
            await attention.resume(connection, run.id, "confirmed", {})
        assert caught.value.code == "run.over"
        with pytest.raises(Conflict):
            await attention.cancel(connection, run.id)


async def test_a_person_sends_a_parked_run_on_its_way_again(database: Database, claimed):
    run = await claimed()
    async with database.transaction() as connection:
        await progress.park(connection, run, {"code": "effect.in_doubt"})
    await drain(database)
    async with database.transaction() as connection:
        await attention.retry(connection, run.id)
    assert await pending(database) == 1
    again = await claim(database, run)
    assert (again.attempts, again.error, again.epoch) == (1, None, 2)


async def test_a_person_need_not_wait_for_a_postponed_run(database: Database, claimed):
    run = await claimed()
    async with database.transaction() as connection:
        await progress.postpone(connection, run, {}, delay=3600)
    async with database.transaction() as connection:
        await attention.retry(connection, run.id)
    assert await pending(database) == 1
    await claim(database, run)


async def test_a_run_that_is_at_work_is_not_retried(database: Database, claimed):
    run = await claimed()
    async with database.transaction() as connection:
        with pytest.raises(Conflict) as caught:
            await attention.retry(connection, run.id)
    assert caught.value.code == "run.not_parked"


async def test_a_cancelled_run_stays_cancelled(database: Database, claimed):
    run = await claimed()
    await pause(database, run)
    async with database.transaction() as connection:
        await attention.cancel(connection, run.id)
    assert (await read(database, run)).state == "cancelled"
    async with database.transaction() as connection:
        assert await claims.claim(connection, run.id, 60, 5) is None


@pytest.mark.parametrize("change", [attention.retry, attention.cancel])
async def test_an_unknown_run_is_said_to_be_unknown(database: Database, change):
    async with database.transaction() as connection:
        with pytest.raises(Rejected) as caught:
            await change(connection, uuid4())
    assert caught.value.code == "run.unknown"


async def test_a_person_may_let_the_acts_of_one_run_be_repeated_and_of_no_other(database: Database, submit: Submit):
    run, other = await submit(), await submit()
    ledger, done = PostgresLedger(database), []

    async def vanish(intent: bytes) -> bytes:
        raise OSError("torn")

    async def act(intent: bytes) -> bytes:
        done.append(intent)
        return b"signature"

    keys = [f"{run}/3:sign:0", f"{other}/3:sign:0"]
    for key in keys:
        with pytest.raises(OSError, match="torn"):
            await ledger.once(key, "signature", key.encode(), vanish, repeatable=False)
    async with database.transaction() as connection:
        assert await attention.allow_repetition(connection, run) == 1
    await ledger.once(keys[0], "signature", b"", act, repeatable=False)
    with pytest.raises(InDoubt):
        await ledger.once(keys[1], "signature", b"", act, repeatable=False)
    assert done == [keys[0].encode()]
    async with database.transaction() as connection:
        assert await attention.allow_repetition(connection, run) == 0, "what has a result is not done again"


async def test_a_run_that_waits_for_a_name_hears_it_with_any_qualifier(database: Database, claimed):
    run = await claimed()
    await pause(database, run, "signed")
    assert not await resume(database, run, "signature:a")
    assert not await resume(database, run, "signedx")
    assert await resume(database, run, "signed:a", token="1")
    assert (await read(database, run)).facts["event:signed:a"] == {"token": "1"}


async def test_a_run_that_waits_for_one_of_several_hears_no_other_and_keeps_it(database: Database, claimed):
    run = await claimed()
    async with database.transaction() as connection:
        assert await progress.pause(connection, run, ["signed:a", "declined:a"], {"base": 1}, {"code": "x"})
    waiting = await read(database, run)
    assert (waiting.waiting_for, waiting.facts, waiting.error) == ("signed:a", {"base": 1}, {"code": "x"})
    assert not await resume(database, run, "signed:b")
    assert not await resume(database, run, "signed")
    assert await resume(database, run, "declined:a", reason="no")
    going = await claim(database, run)
    assert (going.facts, going.error) == ({"base": 1, "event:declined:a": {"reason": "no"}}, None)
    assert not await pause(database, going, "signed"), "what was not heard then was kept"
    assert {"event:signed", "event:signed:b"} <= set((await read(database, run)).facts)
