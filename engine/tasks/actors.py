"""The one actor: look at a run. Whether it is tried again is for the run's records; no error here means a retry."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from dramatiq import Actor, Broker

from engine.errors import Conflict, Unavailable
from engine.records.outbox import RUNS

Advance = Callable[[UUID], Awaitable[None]]
"""Advances a run until it waits, fails or ends; harmless for a run that is not due, finished or held by another."""

ADVANCE_RUN = "advance_run"

log = logging.getLogger(__name__)


def declare_actors(broker: Broker, advance: Advance) -> Actor[[str], None]:
    """Let messages of the queue ``runs`` call ``advance``."""

    async def advance_run(run_id: str) -> None:
        try:
            await advance(UUID(run_id))
        except (Conflict, Unavailable) as error:  # expected in a shared or ailing installation: a line, no trace
            log.warning("Run %s: %s (%s)", run_id, error.say("en"), error.code)
        except (KeyboardInterrupt, SystemExit) as error:  # let through, these would end the loop all runs share
            raise RuntimeError(f"run {run_id} tried to end the process: {error!r}") from error

    return Actor(advance_run, broker=broker, actor_name=ADVANCE_RUN, queue_name=RUNS, priority=0, options={})
