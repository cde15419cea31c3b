"""Tells the outbox which messages came back from a broker; a receipt that gets lost only makes a sweep wait longer."""

from __future__ import annotations

import contextlib
import threading

from dramatiq import Broker, MessageProxy, Middleware

from engine.errors import Unavailable
from engine.records.outbox import OutboxReader, run_message


class Receipts(Middleware):
    """Removes the mark the relay left for a run once a message about it was worked on."""

    def __init__(self, database_url: str) -> None:
        self._reader = OutboxReader(database_url)
        self._turn = threading.Lock()

    def after_process_message(
        self,
        _broker: Broker,
        message: MessageProxy,
        *,
        result: object = None,  # noqa: ARG002 - Dramatiq's name, as the next
        exception: BaseException | None = None,  # noqa: ARG002 - likewise
    ) -> None:
        """Whatever the outcome: when the run is looked at again is written in its records."""
        with self._turn, contextlib.suppress(Unavailable):
            self._reader.settle([run_message(message.kwargs["run_id"])[0]])

    def after_worker_shutdown(self, _broker: Broker, _worker: object) -> None:
        with self._turn:
            self._reader.close()
