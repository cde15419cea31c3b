import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from engine.errors import Defect, InDoubt, Unavailable
from engine.pipeline.stage import Ledger
from engine.records import journal
from engine.records.database import Database
from engine.records.effects import MemoryLedger, PostgresLedger, named_contents

RUN = UUID("00000000-0000-4000-8000-000000000001")
KEY = f"{RUN}/4/signature"


class Service:
    """An irrevocable act that counts how often it happened and never gives the same result twice."""

    def __init__(self, pause: float = 0.0) -> None:
        self.calls: list[bytes] = []
        self.failure: Exception = Unavailable("sms.unavailable", zh="不可用", en="away")
        self._pause = pause

    async def act(self, intent: bytes) -> bytes:
        self.calls.append(intent)
        number = len(self.calls)
        await asyncio.sleep(self._pause)
        return intent + b"/result %d" % number

    async def fail(self, intent: bytes) -> bytes:
        self.calls.append(intent)
        raise self.failure


@pytest.fixture(params=["postgres", "memory"])
def ledger(request: pytest.FixtureRequest) -> PostgresLedger | MemoryLedger:
    if request.param == "memory":
        return MemoryLedger()
    return PostgresLedger(request.getfixturevalue("database"))


async def rows(database: Database) -> list[dict[str, object]]:
    async with database.autocommit() as connection:
        return await (await connection.execute("select * from effect")).fetchall()


def test_both_ledgers_are_what_stages_ask_for(database: Database):
    ledgers: list[Ledger] = [PostgresLedger(database), MemoryLedger()]  # mypy checks the shapes
    assert all(ledgers)


@pytest.mark.parametrize("repeatable", [True, False])
async def test_an_act_happens_once_and_its_result_is_replayed(ledger, repeatable: bool):
    service = Service()
    first = await ledger.once(KEY, "signature", b"intent", service.act, repeatable=repeatable)
    second = await ledger.once(KEY, "signature", b"another intent", service.act, repeatable=repeatable)
    assert first == second == (b"intent", b"intent/result 1")
    assert service.calls == [b"intent"]
    assert await ledger.attempts(KEY) == 1


async def test_an_empty_result_is_a_result(ledger):
    async def silent(_: bytes) -> bytes:
        return b""

    service = Service()
    await ledger.once(KEY, "notice", b"", silent, repeatable=False)
    assert await ledger.once(KEY, "notice", b"", service.act, repeatable=False) == (b"", b"")
    assert service.calls == []


async def test_a_repeatable_act_that_failed_is_done_again_with_the_first_intent(ledger):
    service = Service()
    with pytest.raises(Unavailable):
        await ledger.once(KEY, "timestamp", b"first", service.fail, repeatable=True)
    intent, result = await ledger.once(KEY, "timestamp", b"second", service.act, repeatable=True)
    assert (intent, result) == (b"first", b"first/result 2")
    assert service.calls == [b"first", b"first"]
    assert await ledger.attempts(KEY) == 2


@pytest.mark.parametrize(
    "failure",
    [InDoubt("sms.in_doubt", zh="?", en="?"), Defect("stage.broken", zh="?", en="?"), OSError("torn")],
    ids=repr,
)
async def test_an_act_that_must_not_be_repeated_and_has_no_result_is_in_doubt(ledger, failure: Exception):
    service = Service()
    service.failure = failure
    with pytest.raises(type(failure)):
        await ledger.once(KEY, "sms", b"first", service.fail, repeatable=False)
    for _ in range(2):
        with pytest.raises(InDoubt) as caught:
            await ledger.once(KEY, "sms", b"second", service.act, repeatable=False)
    assert caught.value.code == "effect.in_doubt"
    assert service.calls == [b"first"]
    assert await ledger.attempts(KEY) == 1


async def test_an_act_that_says_it_did_not_happen_is_done_later_with_the_first_intent(ledger):
    service = Service()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await ledger.once(KEY, "sms", b"first", service.fail, repeatable=False)
    assert await ledger.once(KEY, "sms", b"second", service.act, repeatable=False) == (b"first", b"first/result 3")
    assert await ledger.attempts(KEY) == 1


async def test_who_did_an_act_is_asked_for_its_result_before_a_person_is(ledger):
    service, asked = Service(), []
    service.failure = OSError("torn")

    async def recall(intent: bytes) -> bytes | None:
        asked.append(intent)
        return b"as it was" if len(asked) > 1 else None

    with pytest.raises(OSError, match="torn"):
        await ledger.once(KEY, "sms", b"first", service.fail, repeatable=False, recall=recall)
    assert asked == []
    with pytest.raises(InDoubt):
        await ledger.once(KEY, "sms", b"second", service.act, repeatable=False, recall=recall)
    for _ in range(2):
        outcome = await ledger.once(KEY, "sms", b"second", service.act, repeatable=False, recall=recall)
        assert outcome == (b"first", b"as it was")
    assert asked == [b"first", b"first"]
    assert service.calls == [b"first"]


async def test_a_key_is_never_used_for_another_kind_of_act(ledger):
    service = Service()
    await ledger.once(KEY, "signature", b"", service.act, repeatable=True)
    with pytest.raises(Defect) as caught:
        await ledger.once(KEY, "timestamp", b"", service.act, repeatable=True)
    assert caught.value.code == "effect.kind_differs"
    assert len(service.calls) == 1


async def test_tasks_that_act_at_the_same_moment_publish_one_result(ledger):
    service = Service(pause=0.05)
    outcomes = await asyncio.gather(
        *(ledger.once(KEY, "signature", b"%d" % n, service.act, repeatable=True) for n in range(5))
    )
    assert len(set(outcomes)) == 1
    assert len({*service.calls}) == 1  # whoever acted, acted on the published intent


async def test_different_keys_do_not_know_each_other(ledger):
    service = Service()
    for key in ("a", "b"):
        await ledger.once(key, "signature", key.encode(), service.act, repeatable=False)
    assert service.calls == [b"a", b"b"]
    assert await ledger.attempts("c") == 0


async def test_the_journal_says_once_what_was_done(database: Database):
    ledger, service = PostgresLedger(database), Service(pause=0.02)
    await asyncio.gather(*(ledger.once(KEY, "signature", b"i", service.act, repeatable=True) for _ in range(3)))
    async with database.transaction() as connection:
        entries = await (await connection.execute("select event, run_id, detail from journal")).fetchall()
        assert (await journal.verify(connection)).unbroken
    assert [(entry["event"], entry["run_id"]) for entry in entries] == [("effect done", RUN)]
    assert (entries[0]["detail"]["key"], entries[0]["detail"]["kind"]) == (KEY, "signature")


async def test_contents_an_effect_names_are_noted(database: Database):
    ledger = PostgresLedger(database)

    async def answer(_: bytes) -> bytes:
        return b'{"embedded":"' + b"b" * 64 + b'"}'

    await ledger.once(KEY, "signature", b'{"increment":"' + b"a" * 64 + b'"}', answer, repeatable=True)
    assert sorted((await rows(database))[0]["keeps"]) == ["a" * 64, "b" * 64]  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("record", "names"),
    [(b"", []), (b"a" * 63, []), (b"a" * 65, []), (b"A" * 64, []), (b"x" + b"0" * 64 + b'"' + b"0" * 64, ["0" * 64])],
)
def test_a_digest_is_sixty_four_lower_case_hex_digits_standing_alone(record: bytes, names: list[str]):
    assert named_contents(record) == names


WORKER = """
import asyncio, os, sys
from engine.records.database import Database
from engine.records.effects import PostgresLedger

url, me, repeatable, wait = sys.argv[1], sys.argv[2], sys.argv[3] == "yes", float(sys.argv[4])

async def act(intent):
    print("acting on", intent.decode(), flush=True)
    await asyncio.sleep(wait)
    return ("result of " + me).encode()

async def main():
    database = Database(url)
    await database.open()
    print("ready", flush=True)
    sys.stdin.readline()
    intent, result = await PostgresLedger(database).once("key", "act", me.encode(), act, repeatable=repeatable)
    print(intent.decode(), "/", result.decode(), flush=True)
    await database.close()

asyncio.run(main())
"""


def start(url: str, me: str, repeatable: str, wait: float) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, url, me, repeatable, str(wait)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip


def go(worker: "subprocess.Popen[str]") -> None:
    assert worker.stdin
    worker.stdin.write("go\n")
    worker.stdin.flush()


def line(worker: "subprocess.Popen[str]") -> str:
    assert worker.stdout
    return worker.stdout.readline().strip()


async def test_processes_that_race_for_one_act_publish_one_result(database: Database, records_url: str):
    workers = [start(records_url, name, "yes", 0.3) for name in ("one", "two")]
    assert [line(worker) for worker in workers] == ["ready", "ready"]
    for worker in workers:
        go(worker)
    lines = [worker.communicate(timeout=30)[0].strip().splitlines() for worker in workers]
    published = {told[-1] for told in lines}
    assert len(published) == 1
    acted_on = {words for told in lines for words in told[:-1]}
    assert acted_on == {f"acting on {published.pop().split(' / ')[0]}"}
    assert len(await rows(database)) == 1


@pytest.mark.parametrize("repeatable", ["yes", "no"])
async def test_a_process_killed_between_intent_and_result_leaves_its_intent(
    database: Database, records_url: str, repeatable: str
):
    with start(records_url, "dead", repeatable, 60) as worker:
        assert line(worker) == "ready"
        go(worker)
        assert line(worker) == "acting on dead"
        worker.send_signal(signal.SIGKILL)
    ledger, service = PostgresLedger(database), Service()
    if repeatable == "yes":
        outcome = await ledger.once("key", "act", b"new", service.act, repeatable=True)
        assert outcome == (b"dead", b"dead/result 1")
        assert (await rows(database))[0]["attempts"] == 2
    else:
        with pytest.raises(InDoubt):
            await ledger.once("key", "act", b"new", service.act, repeatable=False)
        assert service.calls == []
