"""One campaign: documents go through every stage while processes, database and broker are killed; then all is read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psutil

from engine import assembly
from engine.errors import Unavailable
from engine.pipeline.definition import load_definition
from engine.pipeline.pins import Pins
from engine.pipeline.runner import initial_facts
from engine.records import runs
from engine.records.database import Database
from engine.settings import Settings, load_settings
from engine.vendors.protocols import Storage
from tests.faults import instants, papers
from tests.faults.instants import Minefield

_PATIENCE = 20.0
_GLANCE = 0.1
FINAL = ("done", "rejected", "cancelled", "parked")


@dataclass
class Kills:
    """How many of what were killed from outside."""

    consumer: int = 0
    sweeper: int = 0
    relay: int = 0
    postgres: int = 0
    broker: int = 0


@dataclass(frozen=True)
class Plan:
    """What a campaign does; times in seconds, 0 for never.

    ``mines``: how many, chosen by the seed; None for one at every instant of every stage. ``at_once``: all are laid
    before the work begins, else the next one when the last went off.
    """

    documents: int
    mines: int | None = None
    at_once: bool = False
    processes: int = 2
    threads: int = 4
    worker_kill_every: float = 0.0
    sweeper_kill_every: float = 0.0
    relay_kill_every: float = 0.0
    postgres_kill_every: float = 0.0
    broker_kill_every: float = 0.0
    seed: int = 1
    limit: float = 900.0


@dataclass
class Campaign:
    """A campaign under way in ``folder``."""

    plan: Plan
    folder: Path
    settings: Settings
    mines: Minefield
    run_ids: list[UUID] = field(default_factory=list)
    kills: Kills = field(default_factory=Kills)
    mined: int = 0
    mines_planned: int = 0
    seconds: float = 0.0

    @property
    def key_uses(self) -> Path:
        return self.folder / "key-uses.log"


def prepare(plan: Plan, folder: Path, broker: str | None = None, more: str = "") -> Campaign:
    """Lay out folder, settings and environment; the environment is inherited by every process of the campaign.

    ``more``: further tables of the settings file.
    """
    mines = folder / "mines"
    mines.mkdir(parents=True)
    configuration = folder / "sealflow.toml"
    relay = f'broker = "{broker}"\n' if broker else ""
    configuration.write_text(
        f'home = "{folder / "home"}"\n[work]\nlease = 3.0\nattempts = 60\nbackoff = 0.5\nsweep = 1.0\n{relay}{more}',
        "utf-8",
    )
    os.environ["SEALFLOW_CONFIG"] = str(configuration)
    os.environ["SEALFLOW_FAULTS"] = str(folder)
    return Campaign(plan, folder, load_settings(), Minefield(mines))


async def carry_out(campaign: Campaign, kill_broker: object = None) -> None:
    """Submit all documents, let them be worked on under fire, and come back when every run has ended."""
    async with assembly.open_engine(campaign.settings) as engine:
        await submit(campaign, engine.pins, engine.storage, engine.database)
    started = time.monotonic()
    laying = asyncio.create_task(_lay_mines(campaign))
    async with assembly.open_records(campaign.settings) as database, worker_of(campaign) as worker:
        fire = [laying]
        fire += [
            asyncio.create_task(_fire(campaign, worker, database, what, every, kill_broker))
            for what, every in (
                ("consumer", campaign.plan.worker_kill_every),
                ("sweeper", campaign.plan.sweeper_kill_every),
                ("relay", campaign.plan.relay_kill_every),
                ("postgres", campaign.plan.postgres_kill_every),
                ("broker", campaign.plan.broker_kill_every),
            )
            if every
        ]
        try:
            async with asyncio.timeout(campaign.plan.limit):
                while not await _ended(database, len(campaign.run_ids)):  # noqa: ASYNC110  # other processes end the runs
                    await asyncio.sleep(0.5)
        finally:
            for task in fire:
                task.cancel()
            await asyncio.gather(*fire, return_exceptions=True)
    campaign.seconds = time.monotonic() - started
    if campaign.plan.at_once:
        campaign.mined = campaign.mines_planned - len(campaign.mines.left())


async def submit(campaign: Campaign, pins: Pins, storage: Storage, database: Database) -> None:
    pipeline = await pins.pin(load_definition(papers.write_pipeline(campaign.folder)))
    for number in range(campaign.plan.documents):
        paper = papers.write_paper(campaign.folder / f"{number}.pdf", number)
        digest = await storage.put(paper)
        run_id = UUID(int=number + 1)
        async with database.transaction() as connection:
            source = [{"name": paper.name, "digest": digest}]
            facts = initial_facts(papers.values(number))
            await runs.submit(connection, run_id, pipeline, paper.name, source, [digest], facts)
        campaign.run_ids.append(run_id)


async def _lay_mines(campaign: Campaign) -> None:
    """Mines at instants of stages, in an order of chance."""
    mines = every_instant()
    random.Random(campaign.plan.seed).shuffle(mines)
    mines = mines[: campaign.plan.mines]
    campaign.mines_planned = len(mines)
    if campaign.plan.at_once:
        for instant, place in mines:
            campaign.mines.lay(instant, place)
        return
    for instant, place in mines:
        campaign.mines.lay(instant, place)
        for _ in range(round(_PATIENCE / _GLANCE)):
            await asyncio.sleep(_GLANCE)
            if not campaign.mines.left():
                campaign.mined += 1
                break
        else:
            campaign.mines.clear()


def every_instant() -> list[tuple[str, str]]:
    """All named instants with the place each is mined at."""
    mines = [(instant, "leg") for instant in instants.PER_LEG]
    for ordinal, stage in enumerate(papers.STAGES):
        for instant in instants.PER_STAGE:
            if (stage, instant) not in papers.NEVER:
                mines.append((instant, f"{ordinal}-{stage}"))
        for kind in papers.EFFECTS.get(stage, ()):
            mines += [(instant, f"{ordinal}-{stage}-{kind}") for instant in instants.PER_EFFECT]
    return mines


async def _ended(database: Database, expected: int) -> bool:
    try:
        async with database.transaction() as connection:
            cursor = await connection.execute("select count(*) from run where state::text = any(%s)", (list(FINAL),))
            row = await cursor.fetchone()
    except Unavailable:
        return False
    return row is not None and row["count"] == expected


@asynccontextmanager
async def worker_of(campaign: Campaign) -> AsyncIterator[psutil.Process]:
    plan = campaign.plan
    relay = campaign.settings.work.broker is not None
    call = (
        "from engine.tasks.worker import run_worker; raise SystemExit(run_worker('tests.faults.composition:compose', "
        f"processes={plan.processes}, threads={plan.threads}, relay={relay}, drain=5.0, longest_pause=0.4))"
    )
    with (campaign.folder / "worker.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", call, stdout=log, stderr=log)
    try:
        yield psutil.Process(process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 30)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _fire(
    campaign: Campaign, worker: psutil.Process, database: Database, what: str, every: float, kill_broker: object
) -> None:
    chance = random.Random(f"{campaign.plan.seed} {what}")  # the order of events is the machine's, the targets are ours
    while True:
        await asyncio.sleep(every * chance.uniform(0.7, 1.3))
        if what == "broker":
            assert callable(kill_broker)
            await asyncio.to_thread(kill_broker)
            campaign.kills.broker += 1
        elif what == "postgres":
            campaign.kills.postgres += await _kill_postgres(campaign)
        else:
            duty = {"consumer": "consume", "sweeper": "sweep", "relay": "relay"}[what]
            with contextlib.suppress(psutil.Error):
                targets = [child for child in worker.children() if duty in child.cmdline()]
                if targets:
                    chance.choice(targets).kill()
                    setattr(campaign.kills, what, getattr(campaign.kills, what) + 1)


async def _kill_postgres(campaign: Campaign) -> int:
    """SIGKILL to the postmaster of our own cluster, found by its data directory; 1 when it was hit."""
    pid_file = next((campaign.settings.home / "postgres").rglob("postmaster.pid"), None)
    if pid_file is None:
        return 0
    with contextlib.suppress(psutil.Error, ValueError, OSError):
        recorded = pid_file.parent
        for process in psutil.process_iter(["name", "cmdline"]):
            line = process.info["cmdline"] or []
            if process.info["name"] == "postgres" and str(recorded) in " ".join(line):
                process.kill()
                return 1
    return 0
