"""What a campaign left behind, checked from outside: files, chain, effects, signatures."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from engine import assembly
from engine.pipeline.step import refuse_changed_bytes
from engine.records import journal, runs
from engine.records.database import Database
from engine.records.runs import Run
from engine.vendors.protocols import Storage
from tests.faults import papers
from tests.faults.campaign import Campaign


@dataclass
class Findings:
    """Counts of a finished campaign; ``violations`` must be empty."""

    states: dict[str, int] = field(default_factory=dict)
    effects: int = 0
    key_uses: int = 0
    claims: int = 0
    journal_entries: int = 0
    files_checked: int = 0
    violations: list[str] = field(default_factory=list)


async def examine(campaign: Campaign) -> Findings:
    """Check every run of a campaign."""
    found = Findings()
    async with assembly.open_engine(campaign.settings) as engine:
        await _check_journal(engine.database, found)
        await _check_effects(campaign, engine.database, found)
        for run_id in campaign.run_ids:
            run = await engine.get(run_id)
            found.states[run.state] = found.states.get(run.state, 0) + 1
            found.claims += run.epoch
            if run.state != "done":
                found.violations.append(f"{run.label} is {run.state}: {(run.error or {}).get('en')}")
                continue
            await _check_run(run, engine.database, engine.storage, found)
    found.key_uses = len(campaign.key_uses.read_text("ascii").splitlines())
    return found


async def _check_journal(database: Database, found: Findings) -> None:
    async with database.transaction() as connection:
        while await journal.seal(connection):
            pass
    async with database.transaction() as connection:
        report = await journal.verify(connection)
    found.journal_entries = report.entries
    if not report.unbroken or report.unsealed:
        found.violations.append(f"journal: {report}")


async def _check_effects(campaign: Campaign, database: Database, found: Findings) -> None:
    async with database.transaction() as connection:
        rows = await (await connection.execute("select key, result is null as open from effect")).fetchall()
    found.effects = len(rows)
    per_run = Counter(row["key"].split("/")[0] for row in rows)
    for run_id in campaign.run_ids:
        if per_run[str(run_id)] != papers.EFFECTS_PER_RUN:
            found.violations.append(f"run {run_id} has {per_run[str(run_id)]} effects")
    found.violations += [f"effect {row['key']} has no result" for row in rows if row["open"]]


async def _check_run(run: Run, database: Database, storage: Storage, found: Findings) -> None:
    async with database.transaction() as connection:
        records = await runs.stage_records(connection, run.id)
    if [record.stage for record in records] != list(papers.STAGES):
        found.violations.append(f"{run.label}: stages {[record.stage for record in records]}")
    chain = [[source["digest"] for source in run.sources]] + [record.outputs for record in records]
    for record, before in zip(records, chain, strict=False):
        if record.inputs != before:
            found.violations.append(f"{run.label}: {record.stage} did not start from what was there")
    if run.head != chain[-1]:
        found.violations.append(f"{run.label}: the head is not the last output")
    with tempfile.TemporaryDirectory() as folder:
        paths = [await storage.get(digests[0], Path(folder)) for digests in chain]  # raises for missing or rotten
        found.files_checked += len(paths)
        for before, after in itertools.pairwise(paths[papers.BASE :]):  # from the frozen base on, only appended
            refuse_changed_bytes(run.label, (before,), (after,))
        found.violations += [f"{run.label}: {fault}" for fault in await asyncio.to_thread(judge, paths[-1])]


def judge(file: Path) -> list[str]:
    """What poppler's pdfsig says against a file: one valid signature per party, then two document timestamps."""
    said = subprocess.run(["pdfsig", "-nocert", str(file)], capture_output=True, text=True, check=False).stdout
    faults = []
    if said.count("Signature Validation: Signature is Valid.") != len(papers.PARTIES):
        faults.append(f"pdfsig finds {said.count('Signature is Valid')} valid signatures")
    if said.count("Signature Type: ETSI.CAdES.detached") != len(papers.PARTIES) or said.count("Signature #") != 4:
        faults.append("not one signature per party and two timestamps")
    return faults
