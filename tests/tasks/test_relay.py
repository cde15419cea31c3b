"""The relay moves every message to the broker at least once; what a broker then loses, a sweep brings back."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pika
import psycopg
import pytest
import redis
from conftest import Server, Toy, WorkerTree, eventually
from dramatiq import Message
from toy_installation import start_runs

from engine.records.outbox import RUNS, OutboxReader, run_message, send
from engine.tasks.broker import broker_from
from engine.tasks.relay import Relay

Work = Callable[..., WorkerTree]


@contextmanager
def relaying(toy: Toy, broker_url: str, **options: Any) -> Iterator[None]:
    stop = threading.Event()
    with closing(broker_from(toy.url, broker_url)) as broker:
        relay = threading.Thread(target=Relay(toy.url, broker, **options).run, args=(stop,))
        relay.start()
        yield
        stop.set()
        relay.join(10)
        assert not relay.is_alive()


def held_by_rabbitmq(url: str) -> list[str]:
    """Run ids of all messages, in order, taken out for good."""
    found = []
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        channel = connection.channel()
        while True:
            _, _, body = channel.basic_get(RUNS, auto_ack=True)
            if body is None:
                return found
            found.append(Message.decode(body).kwargs["run_id"])


async def test_messages_go_to_rabbitmq_once_and_stay_quiet_afterwards(toy: Toy, rabbitmq_server: Server) -> None:
    runs = await start_runs(toy.url, 300)
    with relaying(toy, rabbitmq_server.url):
        eventually(lambda: toy.count("outbox where sent_at is not null") == 300)
    assert sorted(held_by_rabbitmq(rabbitmq_server.url)) == sorted(map(str, runs))


async def test_nothing_is_lost_when_rabbitmq_is_killed_in_the_middle_of_publishing(
    toy: Toy, rabbitmq_server: Server
) -> None:
    runs = await start_runs(toy.url, 2500)
    with relaying(toy, rabbitmq_server.url):
        eventually(lambda: toy.count("outbox where sent_at is not null") > 500)
        rabbitmq_server.kill()
        assert toy.count("outbox where sent_at is null") > 0, (
            "it was in the middle"
        )  # and what it had confirmed must come back with it
        rabbitmq_server.start()
        eventually(lambda: toy.count("outbox where sent_at is not null") == 2500, 60)
    assert set(held_by_rabbitmq(rabbitmq_server.url)) == set(map(str, runs)), "some twice, none never"


@pytest.mark.parametrize("broker", ["rabbitmq_server", "redis_server"])
async def test_a_worker_behind_a_broker_finishes_everything_though_broker_and_consumer_are_killed(
    toy: Toy, work: Work, broker: str, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(broker)
    tree = work(processes=2, threads=4, broker=server.url)
    await start_runs(toy.url, 60, work=0.05)
    eventually(lambda: toy.count("toy where done") > 5)
    server.kill()
    tree.consumers()[0].kill()
    await start_runs(toy.url, 20, work=0.05)
    server.start()
    eventually(lambda: toy.count("outbox where sent_at is null") == 0)
    toy.query("update outbox set locked_until = now() where sent_at is not null")  # the quiet time is over
    toy.await_done(80, 40)
    assert tree.stop() == 0


async def test_a_killed_consumer_behind_a_broker_costs_a_lease_and_a_sweep(
    toy: Toy, work: Work, rabbitmq_server: Server
) -> None:
    tree = work(processes=2, threads=4, broker=rabbitmq_server.url)
    await start_runs(toy.url, 40, work=0.2)
    eventually(lambda: toy.count("toy where done") > 3)
    ((busiest,),) = toy.query("select pid from leg group by pid order by count(*) desc limit 1")
    next(consumer for consumer in tree.consumers() if consumer.pid == busiest).kill()
    toy.await_done(40)
    assert toy.count("toy where epoch > 1") > 0, "the kill hit somebody at work"
    eventually(lambda: toy.count("outbox") == 0)


async def test_an_absent_broker_keeps_messages_where_they_are_and_their_order_of_work_unharmed(
    toy: Toy, redis_server: Server
) -> None:
    redis_server.kill()
    await start_runs(toy.url, 5)
    with relaying(toy, redis_server.url):
        eventually(lambda: toy.count("outbox where deliveries > 1") == 5)
        assert toy.count("outbox where sent_at is not null") == 0
        redis_server.start()
        eventually(lambda: toy.count("outbox where sent_at is not null") == 5)
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.llen("dramatiq:runs") == 5


async def test_old_marks_are_removed_and_a_message_sent_anew_goes_out_anew(toy: Toy, redis_server: Server) -> None:
    (run,) = await start_runs(toy.url, 1)
    with relaying(toy, redis_server.url, quiet=0.2), redis.Redis.from_url(redis_server.url) as client:
        eventually(lambda: client.llen("dramatiq:runs") == 1)
        async with await psycopg.AsyncConnection.connect(toy.url) as connection:
            await send(connection, RUNS, *run_message(run))
        eventually(lambda: client.llen("dramatiq:runs") == 2)
        eventually(lambda: toy.count("outbox") == 0)


async def test_sweeping_while_a_broker_has_the_messages_does_not_send_them_again(
    toy: Toy, redis_server: Server
) -> None:
    from toy_installation import sweep

    await start_runs(toy.url, 10)
    with relaying(toy, redis_server.url), redis.Redis.from_url(redis_server.url) as client:
        eventually(lambda: client.llen("dramatiq:runs") == 10)
        for _ in range(5):
            async with await psycopg.AsyncConnection.connect(toy.url) as connection:
                await sweep(connection)
        with closing(OutboxReader(toy.url)) as reader:
            assert reader.exchange([], 100) == []
