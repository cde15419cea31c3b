"""An office where several parties sign one file: real PostgreSQL, real runners, keys in memory that are counted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from engine.pipeline.definition import load_definition
from engine.pipeline.pins import Pins
from engine.pipeline.resolution import Catalogue
from engine.pipeline.runner import Pace, Runner, Silent
from engine.pipeline.stage import Ledger
from engine.records import attention, runs
from engine.records.database import Database
from engine.records.effects import PostgresLedger
from engine.records.intents import PostgresIntents, issue_for_run
from engine.records.runs import Run
from engine.sandbox import Sandbox
from engine.stages.cosign import Cosign
from engine.stages.sign import Sign
from engine.trust.intent import Check, IntentProof, Intents
from engine.trust.keys import Keyring
from engine.trust.revocation import RevocationSource
from engine.trust.timestamps import TimestampClient
from plugins.storage.local import LocalStorage, LocalStorageSettings
from tests.trust.paper import CountingKey, make_key

ROOT = make_key("ec", "Sample Root", usage="ca")
PRELOADED = ("engine.trust.rehearsal", "engine.pdf.inspection")
MINUTES = timedelta(minutes=10)
FACE = Check("face", "sample-vendor", "check-1")


class Ring:
    """A key for whoever asks."""

    def __init__(self) -> None:
        self.keys: dict[str, CountingKey] = {}

    async def key(self, party: str, *_: object) -> CountingKey:
        if party not in self.keys:
            self.keys[party] = CountingKey(make_key("ec", f"Sample {party}", ROOT))
        return self.keys[party]


@dataclass
class Office:
    """One installation; ``runner`` makes another worker of it."""

    database: Database
    sandbox: Sandbox
    folder: Path
    ring: Ring = field(default_factory=Ring)

    def __post_init__(self) -> None:
        self.storage = LocalStorage(LocalStorageSettings(), self.folder / "home")
        self.intents = PostgresIntents(self.database, None)

    def runner(self, database: Database | None = None, ledger: Ledger | None = None) -> Runner:
        database = database or self.database
        services: dict[type, object] = {
            Sandbox: self.sandbox,
            Keyring: self.ring,
            TimestampClient: None,  # level B-B asks nobody
            RevocationSource: None,
            Intents: PostgresIntents(database, None),
        }
        catalogue = Catalogue({"cosign": Cosign, "sign": Sign}, services)
        pins = Pins(database, self.storage, catalogue, self.folder / "pins")
        pace = Pace(lease=20.0, attempts=5, backoff=0.05, backoff_limit=0.1)
        return Runner(database, self.storage, ledger or PostgresLedger(database), pins, pace, Silent())

    async def submit(self, paper: Path, parties: Sequence[str], **options: Any) -> UUID:
        """A run that waits, or is done if nobody is asked."""
        lines = [
            f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
            for key, value in options.items()
        ]
        tables = [f'[[stage.signers]]\nas = "{party}"\nfield = "{party}"' for party in parties]
        return await self.start(paper, '[[stage]]\nuse = "cosign"\nlevel = "B-B"\n' + "\n".join([*lines, *tables]))

    async def start(self, paper: Path, stages: str) -> UUID:
        file = self.folder / "together.toml"
        file.write_text(f'[pipeline]\nname = "together"\nversion = 1\n{stages}\n', "utf-8")
        runner = self.runner()
        run_id = await runner.submit(await runner.pins.pin(load_definition(file)), [("paper.pdf", paper)], {})
        await runner.advance(run_id)
        return run_id

    async def get(self, run_id: UUID) -> Run:
        async with self.database.transaction() as connection:
            return await runs.get(connection, run_id)

    async def issue(self, run_id: UUID, party: str, lifetime: timedelta = MINUTES) -> IntentProof:
        async with self.database.transaction() as connection:
            return await issue_for_run(connection, run_id, party, FACE, lifetime)

    async def say(self, run_id: UUID, event: str, **payload: object) -> bool:
        async with self.database.transaction() as connection:
            return await attention.resume(connection, run_id, event, payload)

    async def agree(self, run_id: UUID, party: str) -> bool:
        return await self.say(run_id, f"signed:{party}", token=(await self.issue(run_id, party)).token)

    async def advance(self, run_id: UUID) -> Run:
        await self.runner().advance(run_id)
        return await self.get(run_id)

    async def file(self, run_id: UUID) -> Path:
        (digest,) = (await self.get(run_id)).head
        return await self.storage.get(digest, self.folder)


@asynccontextmanager
async def open_office(url: str, sandbox: Sandbox, folder: Path) -> AsyncIterator[Office]:
    database = Database(url)
    await database.open()
    try:
        yield Office(database, sandbox, folder)
    finally:
        await database.close()
