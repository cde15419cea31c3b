"""The outbox as a Dramatiq queue: takes what can begin now, acknowledges in groups, gives back, never spins."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from uuid import UUID, uuid4

import psycopg
import pytest
from conftest import Toy, eventually
from dramatiq import Worker
from dramatiq.middleware import AsyncIO

from engine.errors import Conflict, Defect, Misuse, Unavailable
from engine.records.outbox import RUNS, OutboxReader, run_message, send
from engine.tasks.actors import declare_actors
from engine.tasks.broker import PgBroker, broker_from
from engine.tasks.receipts import Receipts


async def post(url: str, count: int) -> list[UUID]:
    runs = [uuid4() for _ in range(count)]
    async with await psycopg.AsyncConnection.connect(url) as connection:
        for run in runs:
            await send(connection, RUNS, *run_message(run))
    return runs


class Recorder:
    """An ``advance`` that notes whom it was called for; ``answer`` may raise."""

    def __init__(self, answer: Callable[[], object] = lambda: None) -> None:
        self.seen: list[UUID] = []
        self.answer = answer

    async def __call__(self, run: UUID) -> None:
        self.seen.append(run)
        self.answer()


@contextmanager
def consuming(toy: Toy, recorder: Recorder, threads: int = 4, visibility: float = 5.0) -> Iterator[PgBroker]:
    broker = PgBroker(toy.url, visibility=visibility)
    broker.add_middleware(AsyncIO())
    declare_actors(broker, recorder)
    worker = Worker(broker, worker_threads=threads, worker_timeout=50)
    worker.start()
    yield broker
    worker.stop()


async def test_every_message_calls_the_actor_once_and_leaves_the_outbox(toy: Toy) -> None:
    recorder = Recorder()
    runs = await post(toy.url, 100)
    with consuming(toy, recorder):
        eventually(lambda: toy.count("outbox") == 0)
    assert sorted(recorder.seen) == sorted(runs)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("a bug"),
        Unavailable("x.y", zh="断开", en="away"),
        Conflict("x.y", zh="已被占用", en="taken"),
        SystemExit(0),
    ],
)
async def test_an_error_of_the_actor_is_no_reason_to_deliver_again(toy: Toy, error: BaseException) -> None:
    def fail() -> None:
        raise error

    recorder = Recorder(fail)
    await post(toy.url, 3)
    with consuming(toy, recorder):
        eventually(lambda: toy.count("outbox") == 0)
    assert len(recorder.seen) == 3


async def test_no_more_is_taken_than_can_begin_now(toy: Toy) -> None:
    await post(toy.url, 10)
    broker = PgBroker(toy.url)
    declare_actors(broker, Recorder())
    with closing(broker.consume(RUNS, prefetch=3, timeout=10)) as consumer:
        taken = [message for message in (next(consumer) for _ in range(6)) if message is not None]
        assert len(taken) == 3
        consumer.ack(taken.pop())
        taken += [message for message in (next(consumer) for _ in range(6)) if message is not None]
        assert len(taken) == 3
        assert toy.count("outbox") == 9


async def test_a_draining_consumer_takes_nothing_and_gives_back_what_did_not_begin(toy: Toy) -> None:
    await post(toy.url, 4)
    broker = PgBroker(toy.url)
    declare_actors(broker, Recorder())
    with closing(broker.consume(RUNS, prefetch=2, timeout=10)) as consumer:
        taken = [next(consumer), next(consumer)]
        broker.emit_before("worker_shutdown", None)
        consumer.ack(taken[0])
        assert [next(consumer) for _ in range(3)] == [None] * 3
        consumer.requeue([taken[1]])
    assert toy.count("outbox") == 3
    assert toy.count("outbox where locked_until is null") == 3


async def test_receipts_are_written_when_the_consumer_closes_and_later_ones_harm_nobody(toy: Toy) -> None:
    await post(toy.url, 2)
    broker = PgBroker(toy.url)
    declare_actors(broker, Recorder())
    consumer = broker.consume(RUNS, prefetch=2, timeout=10)
    taken = [next(consumer), next(consumer)]
    consumer.ack(taken[0])
    consumer.close()
    consumer.ack(taken[1])
    consumer.close()
    assert toy.count("outbox") == 1


async def test_a_message_stays_with_a_living_process_however_long_its_leg_takes(toy: Toy) -> None:
    await post(toy.url, 1)
    broker = PgBroker(toy.url, visibility=0.6)
    declare_actors(broker, Recorder())
    with closing(broker.consume(RUNS, prefetch=2, timeout=50)) as consumer, closing(OutboxReader(toy.url)) as other:
        eventually(lambda: next(consumer))
        others = threading.Event()

        def watch() -> bool:
            if other.exchange([], 1):
                others.set()
            return next(consumer) is not None or toy.query("select now() - created_at > '1.5 s' from outbox") == [
                (True,)
            ]

        eventually(watch)
        assert not others.is_set()


async def test_a_lost_connection_loses_no_receipt(toy: Toy) -> None:
    await post(toy.url, 2)
    broker = PgBroker(toy.url)
    declare_actors(broker, Recorder())
    with closing(broker.consume(RUNS, prefetch=2, timeout=10)) as consumer:
        taken = [next(consumer), next(consumer)]
        consumer.ack(taken[0])
        toy.query(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        consumer.ack(taken[1])
        eventually(lambda: next(consumer) is None and toy.count("outbox") == 0)


def test_messages_are_not_sent_through_the_broker(toy: Toy) -> None:
    broker = PgBroker(toy.url)
    actor = declare_actors(broker, Recorder())
    with pytest.raises(Defect) as refusal:
        actor.send(str(uuid4()))
    assert refusal.value.code == "tasks.enqueued_outside_transaction"


def test_the_address_chooses_the_broker(toy: Toy) -> None:
    kinds = {
        type(broker_from(toy.url, address)).__name__
        for address in (None, "amqp://127.0.0.1:1/", "redis://127.0.0.1:1/0")
    }
    assert kinds == {"PgBroker", "RabbitmqBroker", "RedisBroker"}
    with pytest.raises(Misuse) as refusal:
        broker_from(toy.url, "kafka://127.0.0.1:1")
    assert refusal.value.code == "broker.scheme"


def test_a_missing_client_is_named(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dramatiq.brokers.rabbitmq", None)
    with pytest.raises(Misuse) as refusal:
        broker_from(toy.url, "amqp://127.0.0.1:1/")
    assert refusal.value.code == "broker.client_missing"
    assert "sealflow[rabbitmq]" in refusal.value.say("en")


def test_brokers_are_tuned_not_to_lose_messages(toy: Toy) -> None:
    rabbitmq = broker_from(toy.url, "amqp://127.0.0.1:1/")
    assert rabbitmq.confirm_delivery
    fast = broker_from(toy.url, "redis://127.0.0.1:1/0")
    assert (fast.maintenance_chance, fast.heartbeat_timeout) == (1_000_000, 5000)
    for broker in (rabbitmq, fast):
        assert [type(part) for part in broker.middleware] == [Receipts], "no retries or limits beside the records"
