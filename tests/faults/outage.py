"""The timestamp authority is killed in the middle of many contracts and comes back: nothing claims what it has not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine import assembly
from engine.assembly import Engine
from engine.records import runs
from engine.records.database import Database
from engine.records.runs import Run
from engine.trust import validation
from engine.trust.anchors import load_anchors
from engine.trust.demo import DemoTrust, ensure_demo
from engine.trust.verdict import LEVELS, Integrity, Report, Trust
from tests.faults import papers
from tests.faults.campaign import Campaign, Plan, prepare, submit, worker_of
from tests.faults.findings import Findings, examine

_LIMIT = 600.0
_STILL = 2.0
"""Seconds without a finished run after which the outage has reached all of them."""


@dataclass
class Outage:
    """What was seen while the authority was away, and afterwards."""

    phases: dict[str, int] = field(default_factory=dict)
    levels: Counter[str] = field(default_factory=Counter)
    """Levels of the unfinished files at that time, as read from the files; ``none``: nothing signed is published."""
    lies: list[str] = field(default_factory=list)
    """Runs that said more of their level than their file proves, or were done without lasting signatures."""
    findings: Findings = field(default_factory=Findings)
    acts_repeated: int = 0
    """Signing acts for which a key was used more than once."""


async def endure(documents: int, folder: Path) -> Outage:
    """Send documents through all stages; the authority dies at a quarter of them and returns when all others wait."""
    folder.mkdir(exist_ok=True)
    demo = await ensure_demo(folder / "pki", "development")
    trust = (
        f'[trust]\nkeys = "{demo.keyring_directory}"\nanchors = "{demo.anchors_directory}"\n'
        f'timestamp_authorities = [{{ url = "{demo.tsa_url}" }}]\n'
    )
    campaign = prepare(Plan(documents, mines=0), folder / "work", more=trust)
    outage = Outage()
    async with assembly.open_engine(campaign.settings) as engine:
        await submit(campaign, engine.pins, engine.storage, engine.database)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(_LIMIT))
        authority = stack.enter_context(_authority(demo))
        database = await stack.enter_async_context(assembly.open_records(campaign.settings))
        await stack.enter_async_context(worker_of(campaign))
        await _until_done(database, documents // 4)
        authority.kill()
        outage.phases = await _until_all_wait(database)
        await _look(campaign, demo, outage)
        authority.wait()
        stack.enter_context(_authority(demo))
        await _until_done(database, documents)
    outage.findings = await examine(campaign)
    await _look(campaign, demo, outage)
    uses = Counter(campaign.key_uses.read_text("ascii").splitlines())
    outage.acts_repeated = sum(number > 1 for number in uses.values())
    return outage


@contextmanager
def _authority(demo: DemoTrust) -> Iterator[subprocess.Popen[str]]:
    """Timestamps and certificate status from a process of their own, killed at the end if not before."""
    command = [sys.executable, "-m", "engine.trust.authority", str(demo.directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


async def _phases(database: Database) -> dict[str, int]:
    async with database.transaction() as connection:
        return await runs.tally(connection)


async def _until_done(database: Database, number: int) -> None:
    while (await _phases(database)).get("done", 0) < number:  # noqa: ASYNC110  # other processes end the runs
        await asyncio.sleep(0.2)


async def _until_all_wait(database: Database) -> dict[str, int]:
    """Every run is done, waits for a service or is just asking it again, and none is finished any more."""
    before, since = -1, 0.0
    while True:
        phases = await _phases(database)
        moved = phases.get("done", 0) != before or "ready" in phases
        before, since = phases.get("done", 0), 0.0 if moved else since + 0.2
        if since >= _STILL:
            return phases
        await asyncio.sleep(0.2)


async def _look(campaign: Campaign, demo: DemoTrust, outage: Outage) -> None:
    """Hold what every run says of its level to what its file proves."""
    async with assembly.open_engine(campaign.settings) as engine:
        for run_id in campaign.run_ids:
            run = await engine.get(run_id)
            report = await _report(run, engine, demo)
            if run.state != "done":
                outage.levels[report.level or "none"] += 1
            claimed = run.facts.get("level_achieved")
            lied = claimed is not None and LEVELS.index(claimed) > LEVELS.index(report.level or "B-B")
            if lied or (run.state == "done" and not _lasts(report)):
                outage.lies.append(f"{run.label}: {run.phase} says {claimed}, its file {report.level}")


async def _report(run: Run, engine: Engine, demo: DemoTrust) -> Report:
    anchors = load_anchors(demo.anchors_directory)
    with tempfile.TemporaryDirectory() as folder:
        file = await engine.storage.get(run.head[0], Path(folder))
        return await validation.verify(engine.tools.sandbox, file, anchors)


def _lasts(report: Report) -> bool:
    signers = [entry for entry in report.signatures if entry.kind == "signature"]
    return (
        report.level == "B-LTA"
        and report.integrity is Integrity.VALID
        and report.trust is Trust.TRUSTED
        and len(signers) == len(papers.PARTIES)
    )
