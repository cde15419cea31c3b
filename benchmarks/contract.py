"""Contracts per second: 15 Chinese controls, two visible signatures, B-LTA, durable records; next to a plain script.

Both sides use the same template, values, keys, seals and the same timestamp and revocation servers on loopback, in two
processes each, one after the other. The plain script (``plain_contract.py``) keeps no records, syncs nothing to disk.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from papers import PIPELINE, make_template, values
from plain_contract import measure_plain
from rich.console import Console
from rich.table import Table

from engine import assembly
from engine.pipeline.definition import load_definition
from engine.pipeline.runner import initial_facts
from engine.settings import load_settings
from engine.trust.demo import ensure_demo

ROOT = Path(__file__).parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contracts", type=int, default=500)
    parser.add_argument("--plain", type=int, default=60, help="contracts of the plain script")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealflow-bench-") as name:
        folder = Path(name)
        os.environ["SEALFLOW_HOME"] = str(folder / "home")
        template = make_template(folder / "template.pdf")
        authority = start_authority(folder / "home" / "demo-pki")
        try:
            ours = asyncio.run(measure_ours(folder, template, options.contracts, options.processes, options.threads))
            plain = measure_plain(folder, template, options.plain, options.processes)
        finally:
            authority.send_signal(signal.SIGTERM)
            authority.wait()
    show(options, ours, plain)
    return 0


def start_authority(directory: Path) -> subprocess.Popen[str]:
    """The timestamp, OCSP and CRL server as a process of its own, as it is in life."""
    asyncio.run(ensure_demo(directory, "development"))
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.trust.authority", str(directory)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


async def measure_ours(folder: Path, template: Path, contracts: int, processes: int, threads: int) -> dict[str, float]:
    """Submit everything, then let the workers at it; seconds from the first step to the last."""
    pipeline = folder / "bench.toml"
    pipeline.write_text(PIPELINE, "utf-8")
    (folder / "seals").symlink_to(ROOT / "pipelines" / "seals")
    settings = load_settings()
    async with assembly.open_engine(settings) as engine:
        digest = await engine.pins.pin(load_definition(pipeline))
        # One contract beforehand: templates are prepared once, not per contract, on both sides.
        first = await engine.runner.submit(digest, [("t.pdf", template)], initial_facts(values(0)), "first")
        ended = await engine.carry_out(first)
        if ended.state != "done":
            raise SystemExit(f"the first contract is {ended.state}: {ended.error}")
        for number in range(1, contracts + 1):
            facts = initial_facts(values(number))
            await engine.runner.submit(digest, [("t.pdf", template)], facts, str(number))
    async with assembly.open_records(settings) as database:
        worker = subprocess.Popen(  # noqa: ASYNC220  # it must outlive awaits, and starting it takes a millisecond
            ["sealflow", "worker", "--processes", str(processes), "--threads", str(threads)],
            stderr=(folder / "worker.log").open("wb"),
        )
        samples: list[tuple[int, int]] = []
        try:
            while True:
                await asyncio.sleep(0.5)
                async with database.transaction() as connection:
                    query = "select count(*) filter (where state = 'done') as done, count(*) as every from run"
                    row = await (await connection.execute(query)).fetchone()
                assert row is not None
                samples.append((row["done"], largest_consumer(worker.pid)))
                if row["done"] == row["every"]:
                    break
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait()
        async with database.transaction() as connection:
            query = (
                "select extract(epoch from max(finished_at) - min(started_at))::float as seconds"
                " from stage_record join run on run.id = run_id where label <> 'first'"
            )
            row = await (await connection.execute(query)).fetchone()
            assert row is not None
    warm = [rss for done, rss in samples if done >= contracts // 10] or [samples[-1][1]]
    return {
        "seconds": row["seconds"],
        "rate": contracts / row["seconds"],
        "rss": max(warm) / 2**20,
        "growth": (statistics.median(warm[-5:]) - warm[0]) / 2**20,
    }


def largest_consumer(supervisor: int) -> int:
    """Resident bytes of the biggest worker process, its limited children not counted."""
    sizes = [0]
    for child in psutil.Process(supervisor).children():
        try:
            if "consume" in child.cmdline():
                sizes.append(child.memory_info().rss)
        except psutil.Error:
            continue
    return max(sizes)


def show(options: argparse.Namespace, ours: dict[str, float], plain: dict[str, float]) -> None:
    """Figures with the machine they were taken on."""
    table = Table("", "Sealflow", "plain script", title=f"{options.contracts} contracts, {options.processes} processes")
    table.add_row("contracts a second", f"{ours['rate']:.1f}", f"{plain['rate']:.1f}")
    table.add_row("durable records, restart anywhere", "yes", "no")
    table.add_row("largest worker, MiB", f"{ours['rss']:.0f}", f"{plain['rss']:.0f}")
    table.add_row("its growth after the first tenth, MiB", f"{ours['growth']:.1f}", "")
    console = Console()
    console.print(table)
    console.print(f"ratio {ours['rate'] / plain['rate']:.2f} · {os.cpu_count()} cores · {platform.platform()}")
    console.print(time.strftime("%Y-%m-%d"))


if __name__ == "__main__":
    raise SystemExit(main())
