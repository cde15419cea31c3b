"""Dramatiq broker whose queue is the outbox in PostgreSQL; it only reads: messages are written with their records.

Not for delays, priorities, results or pipelines: when and whether a run is looked at again is decided by its records.
So no broker here carries Dramatiq's own middleware; whoever starts a worker also brings the event loop of its actors.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Never, cast

from dramatiq import Broker, Consumer, Message, MessageProxy, Middleware

from engine.errors import Defect, Misuse, Unavailable
from engine.records.outbox import Delivery, OutboxReader
from engine.tasks.receipts import Receipts

_LINGER = 0.005
"""Seconds for which receipts gather before they are written together."""

log = logging.getLogger(__name__)


class PgBroker(Broker):
    """Reads the outbox of ``url``; messages of a reader that dies come back after ``visibility`` seconds."""

    def __init__(self, url: str, *, visibility: float = 10.0) -> None:
        super().__init__([_Drain()])
        self.url = url
        self.visibility = visibility
        self.draining = False
        self.queues: set[str] = set()

    def declare_queue(self, queue_name: str) -> None:
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def get_declared_queues(self) -> set[str]:
        return self.queues.copy()

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 1000) -> Consumer:
        return _OutboxConsumer(self, queue_name, prefetch, timeout / 1000)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Never:  # noqa: ARG002 - Dramatiq's name
        """Refuse: a message outside the transaction of its reason is how messages and records drift apart."""
        raise Defect(
            "tasks.enqueued_outside_transaction",
            zh=f"消息 {message} 未与业务记录一起写入。请改用 engine.records.outbox.send。",
            en=f"Message {message} was not written with its records. Use engine.records.outbox.send.",
        )

    def actor_of(self, queue_name: str) -> str:
        """Name of the one actor of a queue."""
        return next((actor.actor_name for actor in self.actors.values() if actor.queue_name == queue_name), queue_name)


def broker_from(database_url: str, broker_url: str | None = None, *, visibility: float = 10.0) -> Broker:
    """Broker to consume from: RabbitMQ for ``amqp(s)://``, Redis for ``redis(s)://``, the outbox itself for None.

    Raises Misuse ``broker.scheme`` for another scheme and ``broker.client_missing`` when its client is not installed.
    """
    if broker_url is None:
        return PgBroker(database_url, visibility=visibility)
    scheme = broker_url.partition("://")[0]
    try:
        if scheme in ("amqp", "amqps"):
            return _rabbitmq(broker_url, Receipts(database_url))
        if scheme in ("redis", "rediss", "unix"):
            return _redis(broker_url, Receipts(database_url))
    except ImportError as error:
        raise Misuse(
            "broker.client_missing",
            zh=f"缺少连接消息中间件（{scheme}）的组件 {error.name}。请安装 sealflow[rabbitmq] 或 sealflow[redis]。",
            en=f"{error.name}, needed for {scheme}://, is missing. Install sealflow[rabbitmq] or sealflow[redis].",
        ) from error
    raise Misuse(
        "broker.scheme",
        zh=f"不支持的消息中间件地址类型 {scheme}://。请使用 amqp:// 或 redis://，或留空以使用 PostgreSQL。",
        en=f"A broker address cannot start with {scheme}://. Use amqp:// or redis://, or none for PostgreSQL.",
        scheme=scheme,
    )


def _rabbitmq(url: str, receipts: Receipts) -> Broker:
    from dramatiq.brokers.rabbitmq import RabbitmqBroker

    broker: Any = RabbitmqBroker(url=url, confirm_delivery=True, middleware=[receipts])
    broker.parameters.blocked_connection_timeout = 30  # a full disk over there must not hang us for ever
    broker.parameters.heartbeat = 30
    return cast(Broker, broker)


def _redis(url: str, receipts: Receipts) -> Broker:
    import redis
    from dramatiq.brokers.redis import RedisBroker

    # Maintenance at every command and a short heartbeat: by default messages of a killed worker stay away for minutes.
    broker: Broker = RedisBroker(  # type: ignore[no-untyped-call]  # it publishes no types
        client=redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=30),
        middleware=[receipts],
        maintenance_chance=1_000_000,
        heartbeat_timeout=5000,
    )
    return broker


class _Drain(Middleware):
    """A worker that is told to stop takes no more messages, though its consumers live until its actors end."""

    def before_worker_shutdown(self, broker: Broker, _worker: object) -> None:
        if isinstance(broker, PgBroker):
            broker.draining = True


class _Taken(MessageProxy):
    """A message together with what acknowledges it."""

    def __init__(self, message: Message[Any], delivery: Delivery) -> None:
        super().__init__(message)
        self.delivery = delivery


class _OutboxConsumer(Consumer):
    """Iterated by one thread; ``ack`` and ``nack`` are called by the threads of the actors."""

    def __init__(self, broker: PgBroker, queue: str, prefetch: int, timeout: float) -> None:
        self._broker = broker
        self._queue = queue
        self._room = prefetch
        self._timeout = timeout
        self._reader = OutboxReader(broker.url, queue, visibility=broker.visibility)
        self._lock = threading.Lock()
        self._held: dict[tuple[int, int], Delivery] = {}
        self._done: list[Delivery] = []
        self._arrived: deque[Delivery] = deque()
        self._exchanged = self._extended = time.monotonic()
        self._bell_out, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._closed = False
        self._away = False

    def __next__(self) -> MessageProxy | None:
        try:
            if not self._arrived:
                self._exchange()
            if not self._arrived:
                self._idle()
            elif self._away:
                log.info("The database is back.")
            self._away = False
        except Unavailable as outage:
            if not self._away:
                log.warning("%s %s", outage.say("en"), outage.facts.get("detail", ""))
            self._away = True
            time.sleep(min(self._timeout, 0.5))
        return self._message(self._arrived.popleft()) if self._arrived else None

    def ack(self, message: MessageProxy) -> None:
        delivery: Delivery = message.delivery
        with self._lock:
            self._held.pop(_token(delivery), None)
            self._done.append(delivery)
            if not self._closed:
                with contextlib.suppress(BlockingIOError):  # it rings already
                    os.write(self._bell, b".")

    def nack(self, message: MessageProxy) -> None:
        """Drop it: there is nothing to learn from a dead message, and the sweeper sends what its records ask for."""
        log.error("Dropping message %s: no actor takes it.", message)
        self.ack(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        back = [message.delivery for message in messages if isinstance(message, _Taken)]
        back += self._arrived
        self._arrived.clear()
        with self._lock:
            for delivery in back:
                self._held.pop(_token(delivery), None)
        if back:
            with contextlib.suppress(Unavailable):  # they come back after the visibility time
                self._reader.release(back)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.close(self._bell)
            os.close(self._bell_out)
        with contextlib.suppress(Unavailable):
            self._reader.exchange(self._done, 0)
        self._reader.close()

    def _exchange(self) -> None:
        with self._lock:
            done, self._done = self._done, []
            room = 0 if self._broker.draining else self._room - len(self._held)
        if not done and room <= 0:
            return
        try:
            arrived = self._reader.exchange(done, room)
        except Unavailable:
            with self._lock:
                self._done += done  # a receipt written twice does no harm
            raise
        self._exchanged = time.monotonic()
        with self._lock:
            self._held.update((_token(delivery), delivery) for delivery in arrived)
        self._arrived.extend(arrived)

    def _idle(self) -> None:
        """Wait for a message or a receipt; while most places are taken, let receipts gather for a moment."""
        with self._lock:
            held = list(self._held.values())
        if held and time.monotonic() - self._extended > self._broker.visibility / 3:
            self._reader.extend(held)
            self._extended = time.monotonic()
        self._reader.wait(min(self._timeout, self._broker.visibility / 3), self._bell_out)
        with contextlib.suppress(BlockingIOError):
            os.read(self._bell_out, 65536)
        if len(self._held) > self._room // 2:
            time.sleep(max(0.0, self._exchanged + _LINGER - time.monotonic()))

    def _message(self, delivery: Delivery) -> _Taken:
        message: Message[Any] = Message(
            queue_name=self._queue,
            actor_name=self._broker.actor_of(self._queue),
            args=(),
            kwargs=delivery.body,
            options={},
            message_id=f"{delivery.id}.{delivery.deliveries}",
        )
        return _Taken(message, delivery)


def _token(delivery: Delivery) -> tuple[int, int]:
    return delivery.id, delivery.deliveries
