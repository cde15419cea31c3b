import pytest

from engine.errors import StaleClaim
from engine.records import attention, checkpoints, claims, progress, runs
from engine.records.database import Database
from engine.records.runs import Run

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
ERROR = {"class": "Rejected", "code": "document.unreadable", "zh": "坏", "en": "bad", "facts": {}}


async def read(database: Database, run: Run) -> Run:
    async with database.transaction() as connection:
        return await runs.get(connection, run.id)


async def events(database: Database) -> list[str]:
    async with database.autocommit() as connection:
        rows = await (await connection.execute("select event from journal order by id")).fetchall()
    return [row["event"] for row in rows]


async def test_a_finished_stage_moves_the_head_and_adds_its_facts(database: Database, claimed, finished_stage):
    run = await claimed()
    async with database.transaction() as connection:
        moved = await progress.advance(connection, run, finished_stage(pages=3))
        moved = await progress.advance(connection, moved, finished_stage(1, outputs=(C,), level="B-T"))
    assert moved == await read(database, run)
    assert (moved.cursor, moved.head, moved.facts) == (2, [C], {"pages": 3, "level": "B-T"})
    assert (moved.attempts, moved.state, moved.sources) == (0, "running", run.sources)
    async with database.transaction() as connection:
        records = await runs.stage_records(connection, run.id)
    assert [(one.ordinal, one.outputs, one.facts, one.epoch) for one in records] == [
        (0, [B], {"pages": 3}, 1),
        (1, [C], {"level": "B-T"}, 1),
    ]
    assert all(one.finished_at is not None for one in records)
    assert await events(database) == ["submitted", "stage finished", "stage finished"]


async def test_a_stage_is_recorded_once_even_by_the_holder_of_the_claim(database: Database, claimed, finished_stage):
    run = await claimed()
    async with database.transaction() as connection:
        await progress.advance(connection, run, finished_stage())
    async with database.transaction() as connection:
        with pytest.raises(StaleClaim):
            await progress.advance(connection, run, finished_stage())


async def test_a_part_of_a_stage_moves_the_head_and_not_the_cursor(database: Database, claimed):
    run = await claimed()
    async with database.transaction() as connection:
        moved = await progress.revise(connection, run, "cosign", [B], {"signature:a": 1})
    assert moved == await read(database, run)
    assert (moved.cursor, moved.head, moved.facts, moved.state) == (0, [B], {"signature:a": 1}, "running")
    assert await events(database) == ["submitted", "head revised"]


async def test_two_that_append_to_one_head_do_not_fork_it(database: Database, claimed, finished_stage):
    """Both hold the very claim, as only a fault could have it: the second is refused for the head alone."""
    run = await claimed()
    async with database.transaction() as connection:
        await progress.revise(connection, run, "cosign", [B], {})
    for change in (
        lambda connection: progress.revise(connection, run, "cosign", [C], {}),
        lambda connection: progress.advance(connection, run, finished_stage()),
    ):
        with pytest.raises(StaleClaim):
            async with database.transaction() as connection:
                await change(connection)
    assert (await read(database, run)).head == [B]


async def test_progress_that_does_not_commit_never_happened(database: Database, claimed, finished_stage):
    run = await claimed()
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await progress.advance(connection, run, finished_stage())
            _ = 1 / 0
    assert await read(database, run) == run
    assert await events(database) == ["submitted"]


CHANGES = {
    "advance": lambda connection, run, stage: progress.advance(connection, run, stage),
    "pause": lambda connection, run, _: progress.pause(connection, run, ["confirmed"]),
    "finish": lambda connection, run, _: progress.finish(connection, run),
    "reject": lambda connection, run, _: progress.reject(connection, run, ERROR),
    "park": lambda connection, run, _: progress.park(connection, run, ERROR),
    "postpone": lambda connection, run, _: progress.postpone(connection, run, ERROR, 0.0),
    "renew": lambda connection, run, _: claims.renew(connection, run.id, run.epoch, 60.0),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_who_lost_the_claim_changes_nothing(database: Database, claimed, finished_stage, change: str):
    stale = await claimed(lease=0)
    async with database.transaction() as connection:
        current = await claims.claim(connection, stale.id, 60, 5)
    before = await events(database)
    with pytest.raises(StaleClaim) as caught:
        async with database.transaction() as connection:
            await CHANGES[change](connection, stale, finished_stage())
    assert caught.value.code == "run.stale_claim"
    assert current == await read(database, stale)
    assert await events(database) == before


@pytest.mark.parametrize("change", CHANGES)
async def test_a_cancelled_run_refuses_its_worker(database: Database, claimed, finished_stage, change: str):
    run = await claimed()
    async with database.transaction() as connection:
        await attention.cancel(connection, run.id)
    async with database.transaction() as connection:
        with pytest.raises(StaleClaim):
            await CHANGES[change](connection, run, finished_stage())
    assert (await read(database, run)).state == "cancelled"


@pytest.mark.parametrize("change", CHANGES)
async def test_a_claim_that_ran_out_but_was_not_taken_over_still_counts(
    database: Database, claimed, finished_stage, change: str
):
    run = await claimed(lease=0)
    async with database.transaction() as connection:
        await CHANGES[change](connection, run, finished_stage())


@pytest.mark.parametrize(("change", "state"), [("finish", "done"), ("reject", "rejected"), ("park", "parked")])
async def test_a_settled_run_says_how_and_why(database: Database, claimed, finished_stage, change: str, state: str):
    run = await claimed()
    async with database.transaction() as connection:
        await CHANGES[change](connection, run, finished_stage())
    settled = await read(database, run)
    assert (settled.state, settled.error) == (state, None if change == "finish" else ERROR)
    async with database.transaction() as connection:
        assert await claims.claim(connection, run.id, 60, 5) is None


@pytest.mark.parametrize(("counted", "attempts"), [(False, 0), (True, 1)])
async def test_a_postponed_run_is_due_later_with_a_message_for_then(
    database: Database, claimed, counted: bool, attempts: int
):
    run = await claimed()
    async with database.transaction() as connection:
        await connection.execute("delete from outbox")
        await progress.postpone(connection, run, ERROR, 300.0, counted)
        row = await (
            await connection.execute(
                "select extract(epoch from outbox.due_at - now())::float as message, run.state::text,"
                " extract(epoch from run.due_at - now())::float as due, lease_until, attempts, error from run, outbox"
            )
        ).fetchone()
    assert row and row["message"] == pytest.approx(300, abs=5) and row["due"] == pytest.approx(300, abs=5)
    assert (row["state"], row["lease_until"], row["attempts"], row["error"]) == ("ready", None, attempts, ERROR)


async def test_a_service_that_is_away_for_long_never_parks_a_run(database: Database, claimed):
    run = await claimed()
    for _ in range(20):
        async with database.transaction() as connection:
            await progress.postpone(connection, run, ERROR, 0.0)
            taken = await claims.claim(connection, run.id, 60, 2)
        assert taken is not None
        run = taken


async def test_the_first_result_under_a_checkpoint_stays(database: Database):
    async with database.transaction() as connection:
        assert await checkpoints.find(connection, "key") is None
        await checkpoints.keep(connection, "key", [A], {"pages": 2})
        await checkpoints.keep(connection, "key", [B], {})
        assert await checkpoints.find(connection, "key") == checkpoints.Checkpoint([A], {"pages": 2})
