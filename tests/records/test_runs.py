from uuid import uuid4

import psycopg
import pytest

from engine.errors import Rejected, Unavailable
from engine.records import progress, runs
from engine.records.database import Database

A = "a" * 64


async def journal_of(database: Database) -> list[str]:
    async with database.autocommit() as connection:
        rows = await (await connection.execute("select event from journal order by id")).fetchall()
    return [row["event"] for row in rows]


async def messages(database: Database) -> list[dict[str, object]]:
    async with database.autocommit() as connection:
        return await (await connection.execute("select dedup, queue, body from outbox")).fetchall()


async def test_a_submitted_run_is_ready_with_its_message_and_journal_entry(database: Database, submit):
    run_id = await submit(label="Lease 7", values={"name": "张三"})
    async with database.transaction() as connection:
        run = await runs.get(connection, run_id)
    assert (run.state, run.cursor, run.epoch, run.label) == ("ready", 0, 0, "Lease 7")
    assert (run.sources, run.head) == ([{"name": "a.pdf", "digest": A}], [A])
    assert run.facts == {"values": {"name": "张三"}}
    assert [message["body"] for message in await messages(database)] == [{"run_id": str(run_id)}]
    assert await journal_of(database) == ["submitted"]


async def test_a_submission_that_does_not_commit_leaves_nothing(database: Database):
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await runs.pin_pipeline(connection, "pinned", "sample", 1, {})
            await runs.submit(connection, uuid4(), "pinned", "", [], [], {})
            _ = 1 / 0
    assert await messages(database) == []
    assert await journal_of(database) == []


async def test_submitting_a_known_run_again_changes_nothing(database: Database, submit):
    run_id = await submit(label="first")
    async with database.transaction() as connection:
        assert not await runs.submit(connection, run_id, "pinned", "second", [], [], {"other": True})
        assert (await runs.get(connection, run_id)).label == "first"
    assert await journal_of(database) == ["submitted"]


async def test_facts_that_cannot_be_kept_are_rejected_before_anything_is_written(database: Database, submit):
    with pytest.raises(Rejected) as caught:
        await submit(values={"name": "a\0b"})
    assert caught.value.code == "records.not_json"
    assert await messages(database) == []


@pytest.mark.parametrize("label", ["a\0b", "\ud800"])
async def test_a_label_that_cannot_be_kept_is_rejected(database: Database, submit, label: str):
    with pytest.raises(Rejected) as caught:
        await submit(label=label)
    assert caught.value.code == "records.not_storable"


async def test_a_run_of_a_pipeline_that_is_not_pinned_cannot_be_submitted(database: Database):
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        async with database.transaction() as connection:
            await runs.submit(connection, uuid4(), "unknown", "", [], [], {})


async def test_a_pinned_definition_never_changes(database: Database):
    async with database.transaction() as connection:
        await runs.pin_pipeline(connection, "d", "sample", 1, {"stages": [{"use": "merge"}]})
        await runs.pin_pipeline(connection, "d", "sample", 2, {"stages": []})
        assert await runs.pipeline_definition(connection, "d") == {"stages": [{"use": "merge"}]}
        assert await runs.pipeline_definition(connection, "absent") is None


async def test_an_unknown_run_is_said_to_be_unknown(database: Database):
    async with database.transaction() as connection:
        with pytest.raises(Rejected) as caught:
            await runs.get(connection, uuid4())
    assert caught.value.code == "run.unknown"


async def test_runs_are_listed_newest_first_page_by_page(database: Database, submit):
    submitted = [await submit(label=f"contract {number}") for number in range(5)]
    async with database.transaction() as connection:
        first = await runs.find(connection, limit=2)
        second = await runs.find(connection, limit=2, after=first[-1].id)
        third = await runs.find(connection, limit=2, after=second[-1].id)
    assert [run.id for run in first + second + third] == submitted[::-1]


async def test_runs_of_one_transaction_are_listed_completely_although_they_share_their_moment(database: Database):
    async with database.transaction() as connection:
        await runs.pin_pipeline(connection, "pinned", "sample", 1, {})
        batch = {uuid4() for _ in range(7)}
        for run_id in batch:
            await runs.submit(connection, run_id, "pinned", "row", [], [], {})
    async with database.transaction() as connection:
        listed, after = [], None
        while page := await runs.find(connection, limit=3, after=after):
            listed += [run.id for run in page]
            after = page[-1].id
    assert len(listed) == 7 and set(listed) == batch


async def test_runs_are_found_by_state_and_by_part_of_their_label(database: Database, claimed, submit):
    running = await claimed()
    ready = await submit(label="租赁合同 100%_甲")
    async with database.transaction() as connection:
        assert [run.id for run in await runs.find(connection, states=["running"])] == [running.id]
        assert [run.id for run in await runs.find(connection, states=["ready", "done"])] == [ready]
        assert [run.id for run in await runs.find(connection, label="100%_")] == [ready]
        assert await runs.find(connection, label="%") == await runs.find(connection, label="合同")
        assert await runs.find(connection, states=[]) == []
    with pytest.raises(Rejected):
        async with database.transaction() as connection:
            await runs.find(connection, states=["lost"])


async def test_a_run_that_waits_for_a_service_says_which_and_is_found_by_it(database: Database, claimed, submit):
    plain = await submit()
    waiting = {}
    for code in ("timestamp.unavailable", "revocation.unavailable", "run.interrupted"):
        run = await claimed()
        waiting[code] = run.id
        async with database.transaction() as connection:
            await progress.postpone(connection, run, Unavailable(code, zh="不在", en="away").to_dict(), 60.0)
    async with database.transaction() as connection:
        phases = {run.id: run.phase for run in await runs.find(connection)}
        found = await runs.find(connection, states=["awaiting_timestamp"])
        both = await runs.find(connection, states=["awaiting_revocation", "done"])
        counted = await runs.tally(connection)
    assert phases == {
        plain: "ready",
        waiting["timestamp.unavailable"]: "awaiting_timestamp",
        waiting["revocation.unavailable"]: "awaiting_revocation",
        waiting["run.interrupted"]: "ready",
    }
    assert [run.id for run in found] == [waiting["timestamp.unavailable"]]
    assert [run.id for run in both] == [waiting["revocation.unavailable"]]
    assert counted == {"awaiting_revocation": 1, "awaiting_timestamp": 1, "ready": 2}
