"""What each process of ``sealflow worker`` consists of; built from settings anew in every process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine import assembly
from engine.cli import logs
from engine.records import claims, journal
from engine.records.cluster.supervisor import Cluster
from engine.settings import load_settings
from engine.tasks.actors import Advance
from engine.tasks.composition import Composition


def compose() -> Composition:
    """Parts of this installation for one worker process."""
    logs.tell_operators()
    settings = load_settings()

    @asynccontextmanager
    async def engine() -> AsyncIterator[Advance]:
        async with assembly.open_engine(settings) as opened:
            yield opened.runner.advance

    return Composition(
        database_url=settings.database_url or Cluster(settings.home / "postgres").url,
        engine=engine,
        sweeps=(claims.enqueue_due, journal.seal),
        interval=settings.work.sweep,
        broker_url=settings.work.broker,
    )
