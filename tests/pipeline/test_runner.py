import asyncio
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from uuid import UUID, uuid4

import pytest

from engine.errors import InDoubt, Misuse, Rejected, Unavailable
from engine.pipeline.definition import load_definition
from engine.pipeline.pins import Pins
from engine.pipeline.resolution import Catalogue
from engine.pipeline.runner import Runner, initial_facts
from engine.pipeline.stage import Done, Effect, Work
from engine.records import attention, claims, runs
from engine.records.runs import Run
from tests.pipeline.toys import CATALOGUE, STAGES, pipeline, write

ANYTHING = "Anything may be raised here."


def equip(runner: Runner, catalogue: Catalogue, tmp_path: Path) -> None:
    """Give the runner other stages, as a new process would have them."""
    runner.pins = Pins(runner.database, runner.storage, catalogue, tmp_path / "pins")


async def start(runner: Runner, tmp_path: Path, *stages: str, text: bytes = b"contract", label: str = "one") -> UUID:
    digest = await runner.pins.pin(load_definition(pipeline(tmp_path, *stages)))
    source = tmp_path / f"{uuid4()}.txt"
    source.write_bytes(text)
    return await runner.submit(digest, [("contract.txt", source)], initial_facts({"name": "x"}), label)


async def state(runner: Runner, run_id: UUID) -> Run:
    async with runner.database.transaction() as connection:
        return await runs.get(connection, run_id)


async def content(runner: Runner, run: Run, tmp_path: Path) -> bytes:
    return (await runner.storage.get(run.head[0], tmp_path)).read_bytes()


async def test_a_run_goes_through_its_stages_in_one_leg(runner: Runner, tmp_path: Path) -> None:
    run_id = await start(runner, tmp_path, 'use = "shout"', 'use = "seal"\nas = "a"', 'use = "seal"\nas = "b"')
    await runner.advance(run_id)
    run = await state(runner, run_id)
    assert run.state == "done"
    assert await content(runner, run, tmp_path) == b"CONTRACT!<a><b>"
    assert run.facts["loud"] is True
    async with runner.database.transaction() as connection:
        records = await runs.stage_records(connection, run_id)
    assert [record.stage for record in records] == ["shout", "seal", "seal"]
    assert [record.inputs for record in records[1:]] == [record.outputs for record in records[:-1]]
    assert (await runner.storage.get(run.sources[0]["digest"], tmp_path)).read_bytes() == b"contract"


async def test_a_paused_run_goes_on_when_its_event_came(runner: Runner, tmp_path: Path) -> None:
    run_id = await start(runner, tmp_path, 'use = "wait"\nevent = "confirmed"', 'use = "shout"')
    await runner.advance(run_id)
    assert (await state(runner, run_id)).waiting_for == "confirmed"
    await runner.advance(run_id)
    assert (await state(runner, run_id)).state == "waiting", "nothing but the event moves it"
    async with runner.database.transaction() as connection:
        await attention.resume(connection, run_id, "confirmed", {"by": "both"})
    await runner.advance(run_id)
    run = await state(runner, run_id)
    assert (run.state, run.facts["event:confirmed"]) == ("done", {"by": "both"})


async def test_a_stage_that_changes_signed_bytes_is_caught_and_the_head_stays(runner: Runner, tmp_path: Path) -> None:
    run_id = await start(runner, tmp_path, 'use = "seal"\nas = "a"', 'use = "cheat"')
    await runner.advance(run_id)
    run = await state(runner, run_id)
    assert (run.state, run.cursor) == ("ready", 1)
    assert run.error is not None and run.error["code"] == "stage.broke_promise"
    assert await content(runner, run, tmp_path) == b"contract<a>"


async def test_the_same_work_is_never_computed_twice(runner: Runner, tmp_path: Path) -> None:
    for _ in range(2):
        run_id = await start(runner, tmp_path, 'use = "shout"', 'use = "seal"\nas = "a"')
        await runner.advance(run_id)
    async with runner.database.transaction() as connection:
        records = await runs.stage_records(connection, run_id)
    assert [record.reused for record in records] == [True, False], "a signature is never taken from another run"


async def test_a_changed_option_is_other_work(runner: Runner, tmp_path: Path) -> None:
    for mark in ("!", "?"):
        run_id = await start(runner, tmp_path, f'use = "shout"\nmark = "{mark}"')
        await runner.advance(run_id)
    assert await content(runner, await state(runner, run_id), tmp_path) == b"CONTRACT?"


async def test_a_run_ends_as_it_began_though_the_file_changed(runner: Runner, tmp_path: Path) -> None:
    run_id = await start(runner, tmp_path, 'use = "wait"\nevent = "confirmed"', 'use = "shout"\nmark = "1"')
    await runner.advance(run_id)
    pipeline(tmp_path, 'use = "shout"\nmark = "2"')
    async with runner.database.transaction() as connection:
        await attention.resume(connection, run_id, "confirmed", {})
    equip(runner, CATALOGUE, tmp_path)
    await runner.advance(run_id)
    assert await content(runner, await state(runner, run_id), tmp_path) == b"CONTRACT1"


async def test_a_wrong_pipeline_is_refused_before_anything_is_stored(runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(Misuse):
        await start(runner, tmp_path, 'use = "shout"\nmakr = "!"')
    async with runner.database.transaction() as connection:
        assert await runs.find(connection) == []


async def test_a_known_run_id_leaves_everything_as_it_is(runner: Runner, tmp_path: Path) -> None:
    run_id = await start(runner, tmp_path, 'use = "shout"')
    await runner.advance(run_id)
    digest = (await state(runner, run_id)).pipeline
    other = tmp_path / "other"
    other.write_bytes(b"other")
    assert await runner.submit(digest, [("other", other)], {}, "again", run_id) == run_id
    assert (await state(runner, run_id)).label == "one"


async def test_two_at_once_do_the_work_once(runner: Runner, tmp_path: Path) -> None:
    run_id = await start(runner, tmp_path, 'use = "shout"', 'use = "seal"\nas = "a"')
    await asyncio.gather(*(runner.advance(run_id) for _ in range(6)))
    run = await state(runner, run_id)
    assert (run.state, run.epoch) == ("done", 1)


@dataclass(frozen=True)
class Fails:
    """Raises what it is told to, the first times it is called."""

    calls: list[int]
    error: Exception
    times: int

    name: ClassVar[str] = "fails"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.REWRITES
    reads: ClassVar[frozenset[str]] = frozenset()

    async def run(self, work: Work) -> Done:
        self.calls.append(1)
        if len(self.calls) <= self.times:
            raise self.error
        return Done(write(work, b"recovered"))


async def failing(runner: Runner, tmp_path: Path, error: Exception, times: int = 99) -> UUID:
    services = {list: [], Exception: error, int: times}
    catalogue = dataclasses.replace(CATALOGUE, stages={**STAGES, "fails": Fails}, services=services)
    services[list[int]] = []  # type: ignore[index]  # a service is found by the field's annotation
    equip(runner, catalogue, tmp_path)
    return await start(runner, tmp_path, 'use = "fails"')


async def test_a_wrong_document_is_rejected_for_good_and_its_bytes_are_kept(runner: Runner, tmp_path: Path) -> None:
    run_id = await failing(runner, tmp_path, Rejected("document.damaged", zh="坏了", en="damaged"))
    for _ in range(3):
        await runner.advance(run_id)
    run = await state(runner, run_id)
    assert (run.state, run.epoch) == ("rejected", 1), "it is not tried again"
    assert run.error is not None and run.error["code"] == "document.damaged"
    assert await content(runner, run, tmp_path) == b"contract"


async def test_a_service_that_is_away_is_waited_for_without_end(runner: Runner, tmp_path: Path) -> None:
    run_id = await failing(runner, tmp_path, Unavailable("tsa.away", zh="不在", en="away"), times=6)
    for tried in range(1, 7):
        await runner.advance(run_id)
        run = await state(runner, run_id)
        assert run.state == "ready"
        assert run.error is not None and run.error["tries"] == tried
        async with runner.database.transaction() as connection:
            await connection.execute("update run set due_at = now()")
    await runner.advance(run_id)
    assert (await state(runner, run_id)).state == "done"


async def test_an_act_in_doubt_is_parked_at_once(runner: Runner, tmp_path: Path) -> None:
    run_id = await failing(runner, tmp_path, InDoubt("effect.in_doubt", zh="存疑", en="in doubt"))
    await runner.advance(run_id)
    assert (await state(runner, run_id)).state == "parked"


async def test_a_bug_is_retried_a_few_times_then_parked_and_a_person_can_retry(runner: Runner, tmp_path: Path) -> None:
    run_id = await failing(runner, tmp_path, ZeroDivisionError(ANYTHING), times=3)
    for _ in range(5):
        await runner.advance(run_id)
        async with runner.database.transaction() as connection:
            await connection.execute("update run set due_at = now()")
    run = await state(runner, run_id)
    assert run.state == "parked"
    async with runner.database.transaction() as connection:
        await attention.retry(connection, run_id)
    await runner.advance(run_id)
    assert (await state(runner, run_id)).state == "done"


@dataclass(frozen=True)
class Slow:
    """Waits for a gate, so that a test can take its claim away meanwhile."""

    gate: asyncio.Event
    entered: asyncio.Queue[int]

    name: ClassVar[str] = "slow"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.REWRITES
    reads: ClassVar[frozenset[str]] = frozenset()

    async def run(self, work: Work) -> Done:
        self.entered.put_nowait(1)
        await self.gate.wait()
        return Done(write(work, b"slow result"))


def equip_slow(runner: Runner, tmp_path: Path) -> tuple[asyncio.Event, asyncio.Queue[int]]:
    """Give the runner the slow stage; its gate, and a queue that tells when it was entered."""
    gate, entered = asyncio.Event(), asyncio.Queue[int]()
    services = {asyncio.Event: gate, asyncio.Queue[int]: entered}
    catalogue = dataclasses.replace(CATALOGUE, stages={**STAGES, "slow": Slow}, services=services)  # type: ignore[arg-type]  # as above
    equip(runner, catalogue, tmp_path)
    return gate, entered


async def test_a_leg_whose_claim_was_taken_over_publishes_nothing(runner: Runner, tmp_path: Path) -> None:
    gate, entered = equip_slow(runner, tmp_path)
    run_id = await start(runner, tmp_path, 'use = "slow"')
    leg = asyncio.create_task(runner.advance(run_id))
    await entered.get()
    async with runner.database.transaction() as connection:
        await connection.execute("update run set lease_until = now() - interval '1 second'")
    async with runner.database.transaction() as connection:
        taken = await claims.claim(connection, run_id, 60, 9)
    assert taken is not None and taken.epoch == 2
    gate.set()
    await leg
    run = await state(runner, run_id)
    assert (run.state, run.cursor, run.epoch) == ("running", 0, 2)


async def test_a_lost_claim_stops_the_leg_at_the_next_heartbeat(runner: Runner, tmp_path: Path) -> None:
    _, entered = equip_slow(runner, tmp_path)
    runner._pace = dataclasses.replace(runner._pace, lease=0.3)
    run_id = await start(runner, tmp_path, 'use = "slow"')
    leg = asyncio.create_task(runner.advance(run_id))
    await entered.get()
    async with runner.database.transaction() as connection:
        await connection.execute("update run set epoch = epoch + 1")
    await asyncio.wait_for(leg, timeout=10)
    assert (await state(runner, run_id)).epoch == 2


async def test_the_heartbeat_keeps_a_claim_longer_than_its_lease(runner: Runner, tmp_path: Path) -> None:
    gate, entered = equip_slow(runner, tmp_path)
    runner._pace = dataclasses.replace(runner._pace, lease=0.6)
    run_id = await start(runner, tmp_path, 'use = "slow"')
    leg = asyncio.create_task(runner.advance(run_id))
    await entered.get()
    await asyncio.sleep(1.2)
    async with runner.database.transaction() as connection:
        assert await claims.claim(connection, run_id, 60, 9) is None, "nobody else can take it"
    gate.set()
    await leg
    assert (await state(runner, run_id)).state == "done"


async def test_a_leg_that_is_cancelled_gives_its_claim_back_at_once(runner: Runner, tmp_path: Path) -> None:
    gate, entered = equip_slow(runner, tmp_path)
    run_id = await start(runner, tmp_path, 'use = "slow"')
    for _ in range(5):  # more often than a fault of ours would be forgiven
        leg = asyncio.create_task(runner.advance(run_id))
        await entered.get()
        leg.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leg
        assert (await state(runner, run_id)).state == "ready"
    gate.set()
    await runner.advance(run_id)
    assert (await state(runner, run_id)).state == "done"


async def test_a_store_that_is_not_there_is_not_blamed_on_the_document(runner: Runner, tmp_path: Path) -> None:
    """As when its disk was not mounted: the run goes on once the contents are back."""
    run_id = await start(runner, tmp_path, 'use = "shout"', text=b"lost and found")
    (digest,) = (await state(runner, run_id)).head
    await runner.storage.delete(digest)
    await runner.advance(run_id)
    run = await state(runner, run_id)
    assert run.state == "ready" and run.error is not None
    assert (run.error["class"], run.error["code"]) == ("Defect", "storage.lost") and digest in run.error["en"]
    (tmp_path / "again").write_bytes(b"lost and found")
    assert await runner.storage.put(tmp_path / "again") == digest
    async with runner.database.transaction() as connection:
        await attention.retry(connection, run_id)
    await runner.advance(run_id)
    assert (await state(runner, run_id)).state == "done"


@pytest.mark.parametrize("number", [2**63, -(2**63), 10**30, 1e16, -1e300, [{"x": 2**64}]])
def test_a_number_that_would_change_on_its_way_is_refused_by_name(number: object) -> None:
    with pytest.raises(Rejected) as caught:
        initial_facts({"月工资": number})
    assert caught.value.code == "values.number" and "月工资" in caught.value.text.zh


@pytest.mark.parametrize("number", [0, -1, 990000199001010025, 2**63 - 1, 12000.5, True, None, "9" * 40])
def test_a_number_that_stays_as_it_is_is_taken(number: object) -> None:
    assert initial_facts({"a": number}) == {"values": {"a": number}}
