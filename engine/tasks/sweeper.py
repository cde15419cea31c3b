"""Sends again what is due, from one host at a time; a lost queue is full again one sweep later.

The election is a session advisory lock on the connection the sweeps run on: with the connection goes the office.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from engine.errors import SealflowError
from engine.records.database import Connection
from engine.records.outbox import WATCHFUL
from engine.tasks.composition import Sweep

ELECTION = 0x5EA1_F10E
"""Key of the advisory lock; the same on every host of one database."""

_BE_MISSED = "set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3"
"""Lets the server notice within a minute that our host lost its power, and give the office to another."""

log = logging.getLogger(__name__)


async def sweep_forever(url: str, sweeps: Sequence[Sweep], interval: float) -> None:
    """Be a candidate, then sweep every ``interval`` seconds, until cancelled; waits out an absent database."""
    while True:
        try:
            async with await AsyncConnection.connect(
                url, autocommit=True, connect_timeout=5, row_factory=dict_row, **WATCHFUL
            ) as connection:
                await connection.execute(_BE_MISSED)
                while not await _elected(connection):  # noqa: ASYNC110 - the event is the end of another host
                    await asyncio.sleep(interval)
                log.info("This process sweeps.")
                while True:
                    await _sweep(connection, sweeps)
                    await asyncio.sleep(interval)
        except psycopg.OperationalError as error:
            log.warning("No sweep: the database does not answer. %s", str(error).strip())
        await asyncio.sleep(min(interval, 2.0))


async def _elected(connection: Connection) -> bool:
    cursor = await connection.execute("select pg_try_advisory_lock(%s) as elected", (ELECTION,))
    row = await cursor.fetchone()
    return row is not None and bool(row["elected"])


async def _sweep(connection: Connection, sweeps: Sequence[Sweep]) -> None:
    for sweep in sweeps:
        try:
            async with connection.transaction():
                await sweep(connection)
        except psycopg.OperationalError:
            raise
        except (SealflowError, psycopg.Error):  # one broken sweep must not stop the others, nor the next round
            log.exception("A sweep failed: %s", getattr(sweep, "__qualname__", sweep))
