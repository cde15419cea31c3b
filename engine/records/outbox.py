"""Messages to send (发件箱), written with the records they belong to; a message is a hint, losing one costs a sweep.

A key (``dedup``) has at most one pending message. All times are the database's. LISTEN and session settings need a
direct connection, not a pooler in transaction mode.
"""

from __future__ import annotations

import contextlib
import selectors
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from engine.errors import Unavailable
from engine.records.statements import statements

RUNS = "runs"
"""Queue whose messages are ``run_message``."""

WATCHFUL: dict[str, Any] = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""Connection options for those who wait long: a server that vanished without a word is noticed within a minute."""


def run_message(run_id: UUID) -> tuple[str, dict[str, Any]]:
    """Key and body of the only message there is about a run: "look at it"."""
    return f"run:{run_id}", {"run_id": str(run_id)}


async def send(
    connection: AsyncConnection[Any], queue: str, dedup: str, body: dict[str, Any], delay: float = 0.0
) -> bool:
    """Write a message, due after ``delay`` seconds, in the caller's transaction; readers are woken when it commits.

    False: a message with this key is pending and due no later, so there was nothing to do.
    """
    row = {"queue": queue, "dedup": dedup, "body": Jsonb(body), "delay": delay}
    cursor = await connection.execute(statements("outbox")["send"], row)
    return cursor.rowcount == 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message a reader has; ``deliveries`` counts how often it was taken and is the reader's token."""

    id: int
    deliveries: int
    dedup: str
    body: dict[str, Any]


class OutboxReader:
    """Takes messages of one queue over a connection of its own, for one thread; opens it again after a failure.

    Every method raises Unavailable ``outbox.unreachable`` when PostgreSQL does not answer; what was taken stays taken
    until ``visibility`` seconds after it was taken or last extended.
    """

    def __init__(self, url: str, queue: str = RUNS, *, visibility: float = 10.0) -> None:
        self._url = url
        self._queue = queue
        self._visibility = visibility
        self._connection: Connection[TupleRow] | None = None

    def exchange(self, done: Sequence[Delivery], room: int) -> list[Delivery]:
        """Acknowledge ``done`` and take up to ``room`` due messages, in one transaction."""
        with self._open() as connection, connection.pipeline(), connection.transaction():
            if done:
                connection.execute(statements("outbox")["acknowledge"], _held(done))
            if room <= 0:
                return []
            cursor = connection.cursor(row_factory=class_row(Delivery))
            cursor.execute(
                statements("outbox")["claim"], {"queue": self._queue, "room": room, "visibility": self._visibility}
            )
            return sorted(cursor.fetchall(), key=lambda delivery: delivery.id)

    def release(self, held: Sequence[Delivery]) -> None:
        """Give messages back untouched; another reader may take them at once."""
        with self._open() as connection:
            connection.execute(statements("outbox")["release"], _held(held))

    def extend(self, held: Sequence[Delivery]) -> None:
        """Keep messages for another ``visibility`` seconds."""
        with self._open() as connection:
            connection.execute(statements("outbox")["extend"], {**_held(held), "visibility": self._visibility})

    def hand_over(self, held: Sequence[Delivery], quiet: float) -> None:
        """Note that a broker has confirmed them; the same key is not sent by a sweep for ``quiet`` seconds."""
        with self._open() as connection:
            connection.execute(statements("outbox")["hand over"], {**_held(held), "quiet": quiet})

    def settle(self, keys: Sequence[str]) -> None:
        """Note that messages with these keys came back from the broker and were worked on."""
        with self._open() as connection:
            connection.execute(statements("outbox")["settle"], {"keys": list(keys)})

    def forget(self) -> None:
        """Remove what was handed over longer ago than its quiet time."""
        with self._open() as connection:
            connection.execute(statements("outbox")["forget"])

    def wait(self, timeout: float, wake: int | None = None) -> None:
        """Return when a message was committed, ``wake`` became readable, or after ``timeout`` seconds."""
        with self._open() as connection, selectors.DefaultSelector() as ready:
            if any(connection.notifies(timeout=0)):  # came in with an earlier answer
                return
            ready.register(connection, selectors.EVENT_READ)
            if wake is not None:
                ready.register(wake, selectors.EVENT_READ)
            if any(key.fileobj is connection for key, _ in ready.select(timeout)):
                for _ in connection.notifies(timeout=0):
                    pass

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _open(self) -> Iterator[Connection[TupleRow]]:
        try:
            if self._connection is None:
                connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5, **WATCHFUL)
                self._connection = connection
                connection.execute("set synchronous_commit = off")  # a forgotten claim or receipt costs a redelivery
                connection.execute("listen outbox")
            yield self._connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self.close()
            raise Unavailable(
                "outbox.unreachable",
                zh="数据库无法连接，待办消息暂时读不到；恢复后会自动继续。",
                en="The database does not answer, so messages cannot be read; work goes on once it does.",
                detail=str(error).strip(),
            ) from error


def _held(deliveries: Sequence[Delivery]) -> dict[str, Any]:
    return {"ids": [held.id for held in deliveries], "tokens": [held.deliveries for held in deliveries]}
