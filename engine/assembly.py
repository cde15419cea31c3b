"""Wires settings, plugins, records and stages into a running engine; the only place that knows all of them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from asn1crypto.x509 import Certificate

from engine.contracting.evidence import Desk, Progress, make_evidence
from engine.errors import Conflict, Misuse
from engine.pipeline.alone import ScratchStorage, run_alone
from engine.pipeline.definition import find_definition, load_definition
from engine.pipeline.delivery import deliver
from engine.pipeline.pins import Pins
from engine.pipeline.resolution import Catalogue, build_stage, named_files
from engine.pipeline.runner import Observer, Pace, Runner, Silent
from engine.pipeline.stage import Facts
from engine.records import attention, journal, runs
from engine.records.cluster.supervisor import Cluster
from engine.records.database import Database, migrate
from engine.records.effects import MemoryLedger, PostgresLedger
from engine.records.intents import MemoryIntents, PostgresIntents
from engine.records.key_standing import PostgresStanding
from engine.records.runs import Run
from engine.sandbox import Sandbox
from engine.settings import Settings
from engine.trust.anchors import load_anchors, load_retirements
from engine.trust.cryptoki import TokenSource
from engine.trust.demo import ensure_demo, refuse_demo_anchors, refuse_demo_keys
from engine.trust.intent import Intents
from engine.trust.keyring import KeySource, Sources, Standing
from engine.trust.keys import Keyring, Pkcs12Keyring
from engine.trust.one_time import OneTimeSource
from engine.trust.remote import RemoteSource
from engine.trust.renewal import Renewer
from engine.trust.revocation import RevocationSource
from engine.trust.signing import Stamper
from engine.trust.timestamps import TimestampClient
from engine.vendors import hooks
from engine.vendors.protocols import CertificateIssuer, Storage
from engine.vendors.registry import Registry, load_registry

PRELOADED = (
    "engine.trust.rehearsal",
    "engine.pdf.conformance",
    "engine.pdf.conversion",
    "engine.pdf.filling",
    "engine.pdf.merging",
    "engine.pdf.normalization",
    "engine.pdf.placement",
    "engine.trust.seals",
)
"""Modules the limited children share; importing them once saves each child half a second, rehearsing 10 ms more."""
BUILTIN_PIPELINES = tuple(
    folder
    for folder in (Path(__file__).parent.parent / "pipelines", Path(__file__).parent / "_pipelines")
    if folder.is_dir()
)
_CLOCK_SLACK = 0.1
"""Seconds beyond a wait: the database's clock decides when a run is due."""
SERVICES: tuple[type, ...] = (Sandbox, Keyring, TimestampClient, Stamper, RevocationSource, Intents)
"""Types a stage may name to receive the engine's own instance."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What stages need, without records."""

    settings: Settings
    registry: Registry
    sandbox: Sandbox
    catalogue: Catalogue
    keyring: Sources

    async def run_stage(
        self, name: str, options: Mapping[str, object], files: tuple[Path, ...], facts: Facts, out: Path
    ) -> tuple[tuple[Path, ...], Facts]:
        """Run one stage alone on files and write its result to ``out``; paths in options are files at hand."""
        kind = self.catalogue.stages.get(name)
        if kind is None:
            known = ", ".join(sorted(self.catalogue.stages))
            raise Misuse(
                "stage.unknown",
                zh=f"没有名为“{name}”的阶段。可用：{known}。",
                en=f"There is no stage '{name}'. Known: {known}.",
                stage=name,
            )
        at_hand = {value: Path(value).resolve() for _, value in named_files(kind, options)}
        stage = build_stage(kind, options, self.catalogue, at_hand, place=name)
        with tempfile.TemporaryDirectory(prefix="sealflow-store-") as folder:
            storage = ScratchStorage(Path(folder))
            return await run_alone(stage, files, facts, out, ledger=MemoryLedger(), storage=storage)


@dataclass(frozen=True, slots=True)
class Engine:
    """A whole installation: tools, records and the runner."""

    tools: Tools
    database: Database
    storage: Storage
    pins: Pins
    runner: Runner

    async def pin(self, pipeline: str) -> str:
        """Find a pipeline by name or file, check it, pin it, and give its digest."""
        folders = (*self.tools.settings.pipelines, *BUILTIN_PIPELINES)
        return await self.pins.pin(load_definition(find_definition(pipeline, folders)))

    async def get(self, run_id: UUID) -> Run:
        async with self.database.transaction() as connection:
            return await runs.get(connection, run_id)

    async def carry_out(self, run_id: UUID, *, patient: bool = True) -> Run:
        """Advance a run here until it is final, waits, is parked or was postponed; another process may help.

        ``patient``: the first postponement for a service that is away is waited out; most outages are as short.
        """
        while True:
            await self.runner.advance(run_id)
            run = await self.get(run_id)
            if patient and run.state == "ready" and run.error is not None and run.error["class"] == "Unavailable":
                patient = False
                await asyncio.sleep(self.tools.settings.work.backoff + _CLOCK_SLACK)
            elif run.state != "running":
                await self._seal_journal()
                return run
            else:
                await asyncio.sleep(0.2)  # somebody else is at it; their claim ends or runs out

    async def _seal_journal(self) -> None:
        """A worker's sweeper does it every few seconds; here nobody else may be running."""
        async with self.database.transaction() as connection:
            await journal.seal(connection)

    async def again(self, run_id: UUID, *, patient: bool = True) -> Run:
        """As ``carry_out``; a run that was parked or postponed earlier is tried anew at once."""
        run = await self.get(run_id)
        if run.state == "parked" or (run.state == "ready" and run.error is not None):
            async with self.database.transaction() as connection:
                await attention.retry(connection, run_id)
        return await self.carry_out(run_id, patient=patient)

    async def export(self, run: Run, target: Path) -> None:
        """Write the file of a finished run; raises Conflict ``run.unfinished``."""
        if run.state != "done":
            raise Conflict(
                "run.unfinished",
                zh=f"任务 {run.id} 尚未完成（{run.state}），没有可交付的文件。用 sealflow status {run.id} 查看原因。",
                en=f"The run {run.id} is not finished ({run.state}); there is no file to deliver yet. "
                f"sealflow status {run.id} says why.",
                run=str(run.id),
                state=run.state,
            )
        with tempfile.TemporaryDirectory(prefix="sealflow-out-") as folder:
            files = [await self.storage.get(digest, Path(folder)) for digest in run.head]
            deliver(files, target)

    async def evidence(self, run: Run, target: Path, progress: Progress = lambda _done, _total: None) -> None:
        """Write the evidence bundle of a finished run, the same bytes each time; see ``make_evidence``."""
        settings = self.tools.settings
        services: Mapping[type, Any] = self.tools.catalogue.services
        desk = Desk(
            self.database,
            self.storage,
            PostgresLedger(self.database).once,
            self.tools.sandbox,
            services[Keyring],
            services[Intents],
            services[Stamper],
            services[RevocationSource],
            trusted_roots(settings),
            settings.trust.platform,
        )
        digest = await make_evidence(run, desk, progress)
        with tempfile.TemporaryDirectory(prefix="sealflow-out-") as folder:
            deliver([await self.storage.get(digest, Path(folder))], target)


@asynccontextmanager
async def open_records(settings: Settings) -> AsyncIterator[Database]:
    """The records: the server of ``database_url``, else the embedded one; migrated."""
    async with AsyncExitStack() as stack:
        url = settings.database_url
        if url is None:
            cluster = await stack.enter_async_context(Cluster(settings.home / "postgres"))
            url = cluster.url
        await migrate(url)
        database = Database(url)
        await database.open()
        stack.push_async_callback(database.close)
        yield database


class RecordedStanding:
    """Opens the records each time a key is about to be used, for work that needs no records otherwise."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def require(self, party: str, certificate: Certificate) -> None:
        """See ``PostgresStanding``."""
        async with open_records(self._settings) as database:
            await PostgresStanding(database).require(party, certificate)


def make_catalogue(registry: Registry, services: Mapping[type, object]) -> Catalogue:
    """What pipeline files may name: the stages of all plugins, the providers of all capabilities."""
    return Catalogue(
        stages=registry.stages(),
        services=services,
        protocols=frozenset(hooks.PROTOCOLS.values()),
        providers=registry.provider,
    )


@asynccontextmanager
async def open_tools(
    settings: Settings, standing: Standing | None = None, intents: Intents | None = None
) -> AsyncIterator[Tools]:
    """Sandbox, plugins and trust; the demo PKI where settings name no keys of their own.

    ``standing``: asked before every use of a key; None where there are no records to ask. ``intents``: the tokens of
    the records; without records none outlives the call.
    """
    async with AsyncExitStack() as stack:
        registry = load_registry(settings)
        stack.push_async_callback(registry.close)
        sandbox = Sandbox(PRELOADED)
        stack.push_async_callback(sandbox.close)
        keyring, services = await _open_trust(settings, registry, standing, stack)
        services[Intents] = intents or MemoryIntents(unattended(settings))
        catalogue = make_catalogue(registry, {Sandbox: sandbox, **services})
        yield Tools(settings, registry, sandbox, catalogue, keyring)


@asynccontextmanager
async def open_engine(settings: Settings, observer: Observer | None = None) -> AsyncIterator[Engine]:
    """Everything; records are opened first because without them nothing may begin."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_records(settings))
        records = PostgresStanding(database), PostgresIntents(database, unattended(settings))
        tools = await stack.enter_async_context(open_tools(settings, *records))
        storage = tools.registry.provider(Storage, settings.storage)
        pins = Pins(database, storage, tools.catalogue, settings.home / "resources")
        work = settings.work
        pace = Pace(work.lease, work.attempts, work.backoff, work.backoff_limit)
        runner = Runner(
            database, storage, PostgresLedger(database), pins, pace, observer or Silent(), tools.sandbox.document
        )
        yield Engine(tools, database, storage, pins, runner)


def unattended(settings: Settings) -> frozenset[str] | None:
    """Parties that may sign without being asked; None, outside production: all of them."""
    if settings.environment != "production":
        return None
    return frozenset({*settings.trust.unattended, settings.trust.platform})  # the platform seals evidence by itself


def trusted_roots(settings: Settings) -> tuple[Certificate, ...]:
    """Roots to verify against: those of the settings, else those of the demo PKI if this installation has one."""
    folder = _anchors_of(settings)
    return load_anchors(folder) if folder else ()


def retired_roots(settings: Settings) -> dict[bytes, datetime]:
    """From when on some of them are believed no more."""
    folder = _anchors_of(settings)
    return load_retirements(folder) if folder else {}


def _anchors_of(settings: Settings) -> Path | None:
    demo = settings.home / "demo-pki" / "anchors"
    return settings.trust.anchors or (demo if settings.environment == "development" and demo.is_dir() else None)


def make_renewer(tools: Tools) -> Renewer:
    """What renews files with the services of an installation."""
    settings, services = tools.settings, tools.catalogue.services
    revocation = cast(RevocationSource, services[RevocationSource])
    stamper = cast(TimestampClient, services[TimestampClient])
    roots, retired = trusted_roots(settings), retired_roots(settings)
    return Renewer(roots, revocation, stamper, retired, settings.trust.renewal.digest)


async def _open_trust(
    settings: Settings, registry: Registry, standing: Standing | None, stack: AsyncExitStack
) -> tuple[Sources, dict[type, object]]:
    trust = settings.trust
    keys, authorities = trust.keys, trust.timestamp_authorities
    has_keys = bool(keys or trust.tokens or trust.remote or trust.one_time)
    roots = load_anchors(trust.anchors) if trust.anchors else ()
    refuse_demo_anchors(roots, settings.environment)
    refuse_demo_keys(keys, settings.environment)
    if not has_keys or not roots or not authorities:
        demo = await ensure_demo(settings.home / "demo-pki", settings.environment)
        await stack.enter_async_context(demo.serve())
        keys = keys if has_keys else demo.keyring_directory
        authorities = authorities or demo.authorities
        roots = (*roots, *load_anchors(demo.anchors_directory))  # else the demo's own answers would not be believed
    client = TimestampClient(authorities, roots, proxy=trust.proxy)
    stack.push_async_callback(client.close)
    revocation = RevocationSource(roots, proxy=trust.proxy)
    stack.push_async_callback(revocation.close)
    sources: list[KeySource] = [Pkcs12Keyring(keys)] if keys else []
    sources += map(TokenSource, trust.tokens)
    sources += [RemoteSource(service, proxy=trust.proxy) for service in trust.remote]
    for table in trust.one_time:
        sources.append(
            OneTimeSource(registry.provider(CertificateIssuer, table.provider), table.provider, table.parties)
        )
    keyring = Sources(sources, standing, trust.holders, settings.environment)
    stack.push_async_callback(keyring.close)
    return keyring, {
        Keyring: keyring,
        TimestampClient: client,
        Stamper: client,
        RevocationSource: revocation,
    }
