"""``./run fuzz``: 20,000 spoilt signed files; none may raise, hang or be found good. Figures at the end."""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.fuzz.campaign import Campaign, Findings
from tests.fuzz.seeds import make_seeds

CHUNK = 100
_campaign: Campaign | None = None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600.0, help="stop after this time; the figures say so")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, help="folder for the files that break a promise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealflow-fuzz-") as name:
        folder = Path(name)
        anchors = asyncio.run(make_seeds(folder))
        begin = time.monotonic()
        found = conduct(folder, anchors, options, begin + options.seconds)
        show(found, options, time.monotonic() - begin)
        if options.keep:
            keep(Campaign(folder, anchors, options.seed), found, options.keep)
    return 1 if found.violations or found.judged < options.mutations else 0


def conduct(folder: Path, anchors: tuple[bytes, ...], options: argparse.Namespace, until: float) -> Findings:
    total = Findings()
    starts = range(0, options.mutations, CHUNK)
    with (
        ProcessPoolExecutor(options.processes, initializer=prepare, initargs=(folder, anchors, options.seed)) as pool,
        Progress(console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task("spoilt files", total=options.mutations)
        jobs = [
            pool.submit(work, range(start, min(start + CHUNK, options.mutations)), folder, until) for start in starts
        ]
        for job in as_completed(jobs):
            part = job.result()
            total.add(part)
            progress.advance(task, part.judged)
    return total


def prepare(folder: Path, anchors: tuple[bytes, ...], seed: int) -> None:
    global _campaign
    _campaign = Campaign(folder, anchors, seed)


def work(numbers: range, folder: Path, until: float) -> Findings:
    assert _campaign is not None
    with tempfile.TemporaryDirectory(dir=folder) as workspace:
        return _campaign.judge(numbers, Path(workspace), until)


def show(found: Findings, options: argparse.Namespace, seconds: float) -> None:
    table = Table("what", "figure", title=f"{found.judged} spoilt files of seed {options.seed}, {seconds:.0f} s")
    rows = {
        "asked for": options.mutations,
        "verdicts": dict(found.verdicts.most_common()),
        "ways of spoiling": dict(found.ways.most_common()),
        "slowest, processor seconds": f"{found.slowest:.1f}",
        "violations": found.violations[:40] or "none",
    }
    for what, figure in rows.items():
        table.add_row(what, str(figure))
    Console().print(table)


def keep(campaign: Campaign, found: Findings, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for violation in found.violations:
        number = int(violation.partition(" ")[0])
        (folder / f"{number}.pdf").write_bytes(campaign.make(number)[2])


if __name__ == "__main__":
    raise SystemExit(main())
