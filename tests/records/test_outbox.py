"""Messages are written with their reason, taken by one reader, and not lost when armed again while being worked on."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import psycopg
import pytest

from engine.errors import Unavailable
from engine.records.outbox import RUNS, Delivery, OutboxReader, run_message, send


@pytest.fixture
def reader(database_url: str) -> Iterator[OutboxReader]:
    with closing(OutboxReader(database_url, visibility=5)) as reader:
        yield reader


async def post(url: str, key: str, delay: float = 0.0) -> bool:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return await send(connection, RUNS, key, {"run_id": key}, delay)


def query(url: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


def expire(url: str) -> None:
    query(url, "update outbox set locked_until = now() - interval '1 second'")


async def test_a_second_message_with_the_same_key_is_no_second_message(database_url: str, reader: OutboxReader) -> None:
    assert await post(database_url, "a")
    assert not await post(database_url, "a")
    assert [delivery.dedup for delivery in reader.exchange([], 10)] == ["a"]


async def test_a_message_of_a_rolled_back_transaction_never_existed(database_url: str, reader: OutboxReader) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await send(connection, RUNS, "a", {})
        assert reader.exchange([], 10) == []
        await connection.rollback()
    assert query(database_url, "select * from outbox") == []


async def test_a_later_message_waits_until_its_time_by_the_database_clock(
    database_url: str, reader: OutboxReader
) -> None:
    await post(database_url, "a", delay=3600)
    assert reader.exchange([], 10) == []
    query(database_url, "update outbox set due_at = now()")
    assert len(reader.exchange([], 10)) == 1


async def test_an_earlier_due_time_brings_a_pending_message_forward_and_a_later_one_does_not_delay_it(
    database_url: str, reader: OutboxReader
) -> None:
    await post(database_url, "a", delay=3600)
    assert await post(database_url, "a")
    assert not await post(database_url, "a", delay=3600)
    assert len(reader.exchange([], 10)) == 1


async def test_what_one_reader_has_no_other_reader_gets(database_url: str, reader: OutboxReader) -> None:
    for number in range(10):
        await post(database_url, str(number))
    with closing(OutboxReader(database_url)) as other:
        first, second = reader.exchange([], 4), other.exchange([], 100)
    assert len(first) == 4
    assert sorted(int(delivery.dedup) for delivery in first + second) == list(range(10))


async def test_acknowledged_messages_are_gone_and_the_rest_comes_back_after_the_visibility_time(
    database_url: str, reader: OutboxReader
) -> None:
    await post(database_url, "a")
    await post(database_url, "b")
    done, lost = reader.exchange([], 2)
    assert reader.exchange([done], 2) == []
    expire(database_url)
    assert [(again.dedup, again.deliveries) for again in reader.exchange([], 2)] == [(lost.dedup, 2)]


async def test_a_message_sent_while_its_forerunner_is_being_worked_on_survives_the_acknowledgement(
    database_url: str, reader: OutboxReader
) -> None:
    await post(database_url, "a")
    taken = reader.exchange([], 1)
    assert await post(database_url, "a"), "the event came after the reader had looked"
    again = reader.exchange(taken, 1)
    assert [delivery.dedup for delivery in again] == ["a"]
    assert reader.exchange(again, 1) == []
    assert query(database_url, "select * from outbox") == []


async def test_a_retry_asked_for_by_the_worker_itself_survives_its_acknowledgement(
    database_url: str, reader: OutboxReader
) -> None:
    await post(database_url, "a")
    taken = reader.exchange([], 1)
    assert await post(database_url, "a", delay=3600)
    assert reader.exchange(taken, 1) == []
    assert query(database_url, "select due_at > now() + interval '50 minutes', locked_until from outbox") == [
        (True, None)
    ]


async def test_an_acknowledgement_does_not_wait_for_somebody_who_is_sending_the_same_key(
    database_url: str, reader: OutboxReader
) -> None:
    await post(database_url, "a")
    taken = reader.exchange([], 1)
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await send(connection, RUNS, "a", {})
        assert reader.exchange(taken, 1) == []  # would hang here
    assert len(reader.exchange([], 1)) == 1


async def test_a_reader_that_was_taken_for_dead_cannot_acknowledge_its_successors_message(
    database_url: str, reader: OutboxReader
) -> None:
    await post(database_url, "a")
    old = reader.exchange([], 1)
    expire(database_url)
    new = reader.exchange([], 1)
    reader.exchange(old, 0)
    reader.release(old)
    assert reader.exchange([], 1) == [], "the successor still has it"
    reader.exchange(new, 0)
    assert query(database_url, "select * from outbox") == []


async def test_extending_keeps_and_releasing_returns(database_url: str, reader: OutboxReader) -> None:
    await post(database_url, "a")
    taken = reader.exchange([], 1)
    expire(database_url)
    reader.extend(taken)
    assert reader.exchange([], 1) == []
    reader.release(taken)
    assert len(reader.exchange([], 1)) == 1


async def test_a_handed_over_message_is_quiet_until_forgotten_or_sent_anew(
    database_url: str, reader: OutboxReader
) -> None:
    await post(database_url, "a")
    await post(database_url, "b")
    reader.hand_over(reader.exchange([], 2), quiet=60)
    assert reader.exchange([], 2) == []
    reader.forget()
    assert len(query(database_url, "select * from outbox")) == 2
    assert await post(database_url, "b")
    assert [delivery.dedup for delivery in reader.exchange([], 2)] == ["b"]
    query(database_url, "update outbox set locked_until = now() where sent_at is not null")
    reader.forget()
    assert query(database_url, "select dedup from outbox") == [("b",)]


async def test_settling_removes_the_mark_but_never_a_message_that_is_still_to_be_sent(
    database_url: str, reader: OutboxReader
) -> None:
    for key in ("handed over", "armed again", "pending"):
        await post(database_url, key)
    reader.hand_over([taken for taken in reader.exchange([], 3) if taken.dedup != "pending"], quiet=60)
    await post(database_url, "armed again")
    reader.settle(["handed over", "armed again", "pending", "unknown"])
    assert query(database_url, "select dedup from outbox order by dedup") == [("armed again",), ("pending",)]


async def test_a_commit_wakes_a_waiting_reader_and_so_does_its_own_process(
    database_url: str, reader: OutboxReader
) -> None:
    reader.exchange([], 1)
    waiter = threading.Thread(target=reader.wait, args=(30,))
    waiter.start()
    await post(database_url, "a")
    waiter.join(10)
    assert not waiter.is_alive()


async def test_messages_committed_before_the_wait_begins_are_not_slept_through(
    database_url: str, reader: OutboxReader
) -> None:
    reader.exchange([], 1)
    await post(database_url, "a")
    started = time.monotonic()
    reader.wait(30)
    assert time.monotonic() - started < 10


async def test_a_lost_connection_is_an_outage_and_the_next_call_has_a_new_one(
    database_url: str, reader: OutboxReader
) -> None:
    await post(database_url, "a")
    reader.exchange([], 0)
    query(
        database_url,
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid()",
    )
    with pytest.raises(Unavailable) as outage:
        reader.exchange([], 1)
    assert outage.value.code == "outbox.unreachable"
    assert len(reader.exchange([], 1)) == 1


def test_an_absent_server_is_an_outage() -> None:
    with pytest.raises(Unavailable) as outage:
        OutboxReader("postgresql://nobody@127.0.0.1:1/none").exchange([Delivery(1, 1, "a", {})], 1)
    assert outage.value.code == "outbox.unreachable"


def test_there_is_one_key_for_each_run() -> None:
    run = uuid4()
    assert run_message(run) == (f"run:{run}", {"run_id": str(run)})
