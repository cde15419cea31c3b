"""Feeds RabbitMQ or Redis from the outbox; a message leaves the outbox only when the broker has confirmed it.

Delivers at least once. What a broker loses afterwards is sent again by a sweep, not before ``quiet`` seconds are over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dramatiq import Broker, Message

from engine.errors import Unavailable
from engine.records.outbox import RUNS, Delivery, OutboxReader
from engine.tasks.actors import ADVANCE_RUN

_BATCH = 256
_PUBLISHERS = 8
"""A confirmation is a round trip and a write to disk over there; several threads share them."""

log = logging.getLogger(__name__)


class Relay:
    """Moves messages of the queue ``runs`` until told to stop; outages of either side are waited out."""

    def __init__(self, database_url: str, broker: Broker, *, visibility: float = 30.0, quiet: float = 60.0) -> None:
        self._reader = OutboxReader(database_url, RUNS, visibility=visibility)
        self._broker = broker
        self._quiet = quiet
        self._forgotten = 0.0

    def run(self, stop: threading.Event) -> None:
        """Move messages until ``stop`` is set; looks at it once a second at least."""
        pause = 0.0
        with ThreadPoolExecutor(_PUBLISHERS, thread_name_prefix="publisher") as publishers:
            while not stop.wait(pause):
                try:
                    moved = self._move(publishers)
                except Unavailable as outage:
                    log.warning("%s %s", outage.say("en"), outage.facts.get("detail", ""))
                    moved = False
                pause = 0.0 if moved else min(max(pause * 2, 0.1), 2.0)
        self._reader.close()

    def _move(self, publishers: ThreadPoolExecutor) -> bool:
        """Move one batch; False: the broker did not take all of it."""
        if time.monotonic() - self._forgotten > self._quiet / 10:
            self._reader.forget()
            self._forgotten = time.monotonic()
        taken = self._reader.exchange([], _BATCH)
        if not taken:
            self._reader.wait(1.0)
            return True
        slices = [taken[start::_PUBLISHERS] for start in range(min(_PUBLISHERS, len(taken)))]
        confirmed = [delivery for part in publishers.map(self._publish, slices) for delivery in part]
        if confirmed:
            self._reader.hand_over(confirmed, self._quiet)
        if len(confirmed) == len(taken):
            return True
        published = {delivery.id for delivery in confirmed}
        self._reader.release([delivery for delivery in taken if delivery.id not in published])
        return False

    def _publish(self, part: Sequence[Delivery]) -> list[Delivery]:
        """Return those the broker confirmed; the first failure ends the attempt, so an outage costs one time-out."""
        confirmed: list[Delivery] = []
        for delivery in part:
            message: Message[Any] = Message(
                queue_name=RUNS, actor_name=ADVANCE_RUN, args=(), kwargs=delivery.body, options={}
            )
            try:
                self._broker.enqueue(message)
            except Exception as error:  # whichever client it is: not confirmed is not sent
                log.warning("The broker did not take messages: %s", error)
                break
            confirmed.append(delivery)
        return confirmed
