"""The worker installation of the fault harness: the product's own parts, mined."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from engine import assembly
from engine.pipeline.pins import Pins
from engine.pipeline.runner import Pace, Silent
from engine.records import claims, journal
from engine.records.cluster.supervisor import Cluster
from engine.records.intents import PostgresIntents
from engine.records.key_standing import PostgresStanding
from engine.settings import Settings, load_settings
from engine.tasks.actors import Advance
from engine.tasks.composition import Composition
from engine.trust.keys import Keyring
from plugins.storage.local import LocalStorageSettings
from tests.faults.instants import (
    CountingKeyring,
    MinedDatabase,
    MinedLedger,
    MinedRunner,
    MinedStorage,
    Minefield,
)

FOLDER = "SEALFLOW_FAULTS"
"""Variable that names the folder with ``mines/`` and ``key-uses.log``."""


def compose() -> Composition:
    settings = load_settings()
    url = settings.database_url or Cluster(settings.home / "postgres").url

    @asynccontextmanager
    async def engine() -> AsyncIterator[Advance]:
        async with mined_runner(settings, url) as runner:
            yield runner.advance

    return Composition(
        database_url=url,
        engine=engine,
        sweeps=(claims.enqueue_due, journal.seal),
        interval=settings.work.sweep,
        broker_url=settings.work.broker,
        visibility=4.0,
    )


@asynccontextmanager
async def mined_runner(settings: Settings, url: str) -> AsyncIterator[MinedRunner]:
    folder = Path(os.environ[FOLDER])
    mines = Minefield(folder / "mines")
    storage = MinedStorage(LocalStorageSettings(), settings.home)
    storage.mines = mines
    database = MinedDatabase(url, mines)
    await database.open()
    try:
        records = PostgresStanding(database), PostgresIntents(database, assembly.unattended(settings))
        async with assembly.open_tools(settings, *records) as tools:
            keyring = cast("Keyring", tools.catalogue.services[Keyring])
            counting = CountingKeyring(keyring, folder / "key-uses.log")
            catalogue = dataclasses.replace(tools.catalogue, services={**tools.catalogue.services, Keyring: counting})
            pins = Pins(database, storage, catalogue, settings.home / "resources")
            work = settings.work
            pace = Pace(work.lease, work.attempts, work.backoff, work.backoff_limit)
            runner = MinedRunner(
                database, storage, MinedLedger(database, mines), pins, pace, Silent(), tools.sandbox.document
            )
            runner.mines = mines
            yield runner
    finally:
        await database.close()
