"""``sealflow batch``: many runs of one pipeline with a ledger; the same command again goes on where it stopped.

A run's id is derived from pipeline, file, values and row number, so nothing is done twice.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from engine import assembly
from engine.assembly import Engine
from engine.cli import console
from engine.cli.run import exit_status, failure
from engine.errors import Misuse
from engine.language import Text
from engine.pipeline.definition import canonical_json
from engine.pipeline.runner import initial_facts
from engine.records.runs import Run
from engine.settings import load_settings

_NAMESPACE = uuid.UUID("5f0c6f1e-8a55-5b0f-9d2e-5ea1f10b0001")
_LEDGER = ("row", "run", "state", "file", "sha256", "level", "code", "reason")


@dataclass(frozen=True, slots=True)
class Row:
    """One run to be: its number, its file and the values of its controls."""

    number: int
    source: Path
    values: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.number:05}-{self.source.stem}"

    def identity(self, pipeline: str) -> uuid.UUID:
        content = hashlib.sha256(self.source.read_bytes()).hexdigest()
        return uuid.uuid5(_NAMESPACE, canonical_json([pipeline, content, self.values, self.number]).decode())


@click.command(
    help=str(
        Text(
            zh="批量运行一个流程：每个文件一份，或用 --rows 为同一文件的每一行各做一份；结果与台账写入 OUT。",
            en="Run a pipeline many times: once per file, or once per row of --rows for one file; "
            "results and a ledger go to OUT.",
        )
    )
)
@click.argument("pipeline")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--rows",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=str(Text(zh="每行一个 JSON 对象（JSON Lines）。", en="One JSON object per line (JSON Lines).")),
)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--jobs", default=4, show_default=True, type=click.IntRange(1, 64))
@console.json_option
def batch(pipeline: str, files: tuple[Path, ...], rows: Path | None, out: Path, jobs: int, as_json: bool) -> int:
    if rows is not None and len(files) != 1:
        raise Misuse(
            "usage.rows_need_one_file",
            zh="使用 --rows 时只能给出一个文件。",
            en="With --rows exactly one file must be given.",
        )
    if rows is not None:
        work = [Row(number, files[0], values) for number, values in enumerate(read_rows(rows), 1)]
    else:
        work = [Row(number, file, {}) for number, file in enumerate(files, 1)]
    return asyncio.run(_batch(pipeline, work, out, jobs, as_json))


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read JSON Lines; raises Rejected ``values.unreadable`` naming the line."""
    rows = []
    for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise console.unreadable_values(path, f"{Text('行', 'line')} {number}: {error}") from error
        if not isinstance(row, dict):
            raise console.unreadable_values(path, f"{Text('行', 'line')} {number}")
        rows.append(row)
    return rows


async def _batch(pipeline: str, work: list[Row], out: Path, jobs: int, as_json: bool) -> int:
    out.mkdir(parents=True, exist_ok=True)
    with console.bars(visible=not as_json) as bars:
        async with assembly.open_engine(load_settings(), observer=bars) as engine:
            digest = await engine.pin(pipeline)
            free = asyncio.Semaphore(jobs)
            runs = await asyncio.gather(*(_one(engine, digest, row, out, free) for row in work))
    ledger = [_ledger_row(row, run, out) for row, run in zip(work, runs, strict=True)]
    with (out / "ledger.csv").open("w", encoding="utf-8-sig", newline="") as file:  # the mark makes Excel read UTF-8
        writer = csv.DictWriter(file, _LEDGER)
        writer.writeheader()
        writer.writerows(ledger)
    done = sum(run.state == "done" for run in runs)
    if as_json:
        console.print_json(ledger)
    else:
        words = Text(
            zh=f"完成 {done}/{len(runs)}，台账：{out / 'ledger.csv'}",
            en=f"Done {done} of {len(runs)}; ledger: {out / 'ledger.csv'}",
        )
        console.output.print(str(words), markup=False, soft_wrap=True)
    return max((exit_status(run) for run in runs), default=0)


async def _one(engine: Engine, pipeline: str, row: Row, out: Path, free: asyncio.Semaphore) -> Run:
    async with free:
        facts = initial_facts(row.values)
        run_id = row.identity(pipeline)
        await engine.runner.submit(pipeline, [(row.source.name, row.source)], facts, row.name, run_id)
        run = await engine.again(run_id)
        if run.state == "done":
            await engine.export(run, out / f"{row.name}.pdf")
        return run


def _ledger_row(row: Row, run: Run, out: Path) -> dict[str, Any]:
    error = failure(run)
    return {
        "row": row.number,
        "run": str(run.id),
        "state": run.state,
        "file": str(out / f"{row.name}.pdf") if run.state == "done" else "",
        "sha256": run.head[0] if run.state == "done" else "",
        "level": run.facts.get("level_achieved", ""),
        "code": error.code if error else "",
        "reason": str(error) if error else "",
    }
