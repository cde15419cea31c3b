"""``sealflow batch``: many runs of one pipeline with a ledger; the same command again goes on where it stopped.

A run's id is derived from pipeline, file, values and row number, so nothing is done twice.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from engine import assembly
from engine.assembly import Engine
from engine.canonical import canonical_json
from engine.cli import console
from engine.cli.run import exit_status, failure
from engine.errors import Misuse, SealflowError, Unavailable
from engine.language import Text
from engine.pipeline.delivery import deliver, unwritable
from engine.pipeline.runner import initial_facts
from engine.sandbox import existing
from engine.settings import load_settings

_NAMESPACE = uuid.UUID("5f0c6f1e-8a55-5b0f-9d2e-5ea1f10b0001")
_LEDGER = ("row", "run", "state", "file", "sha256", "level", "code", "reason")
_ROWS_SHOWN = 12


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
        with existing(self.source).open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
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
@console.files_argument
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
    lines = console.read_text(path).split("\n")  # not splitlines: a value may hold other separators
    return [
        console.parse_object(path, line, f"{Text('行', 'line')} {number}: ")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


async def _batch(pipeline: str, work: list[Row], out: Path, jobs: int, as_json: bool) -> int:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(out, error) from error
    with console.bars(visible=not as_json) as bars:
        async with assembly.open_engine(load_settings(), observer=bars) as engine:
            digest = await engine.pin(pipeline)
            free, away = asyncio.Semaphore(jobs), asyncio.Event()
            ledger = list(await asyncio.gather(*(_one(engine, digest, row, out, free, away) for row in work)))
    write_ledger(out / "ledger.csv", [entry for entry, _ in ledger])
    done = sum(entry["state"] == "done" and not entry["code"] for entry, _ in ledger)
    if as_json:
        console.print_json([entry for entry, _ in ledger])
    else:
        words = Text(
            zh=f"完成 {done}/{len(ledger)}，台账：{out / 'ledger.csv'}",
            en=f"Done {done} of {len(ledger)}; ledger: {out / 'ledger.csv'}",
        )
        console.output.print(str(words), markup=False, soft_wrap=True)
        _tell_failures([entry for entry, _ in ledger])
    return max((status for _, status in ledger), default=0)


def write_ledger(place: Path, entries: list[dict[str, Any]]) -> None:
    """Write the ledger whole or not at all; raises Unavailable ``output.unwritable``."""
    with tempfile.TemporaryDirectory(prefix="sealflow-ledger-") as folder:
        fresh = Path(folder) / place.name
        with fresh.open("w", encoding="utf-8-sig", newline="") as file:  # the mark makes Excel read UTF-8
            writer = csv.DictWriter(file, _LEDGER)
            writer.writeheader()
            writer.writerows({key: _harmless(value) for key, value in entry.items()} for entry in entries)
        deliver([fresh], place)


def _harmless(value: object) -> object:
    """A spreadsheet takes text that begins like this for a formula; a file's name may."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _tell_failures(entries: list[dict[str, Any]]) -> None:
    """Which rows need a person, by reason; the ledger has every row."""
    rows: dict[str, list[str]] = {}
    for entry in entries:
        if entry["code"]:
            rows.setdefault(entry["code"], []).append(str(entry["row"]))
    for code, numbers in rows.items():
        shown = ", ".join(numbers[:_ROWS_SHOWN]) + (" …" if len(numbers) > _ROWS_SHOWN else "")
        words = Text(zh=f"第 {shown} 行（共 {len(numbers)} 行）：{code}", en=f"{len(numbers)} × {code}: rows {shown}")
        console.print_indented(str(words))


async def _one(
    engine: Engine, pipeline: str, row: Row, out: Path, free: asyncio.Semaphore, away: asyncio.Event
) -> tuple[dict[str, Any], int]:
    """Carry one row out; gives its entry for the ledger and its exit status. Its failure is no other row's.

    ``away``: a row before found a service away; a long batch must not wait for it again at every row.
    """
    async with free:
        entry = dict.fromkeys(_LEDGER, "") | {"row": row.number}
        try:
            run_id = row.identity(pipeline)
            entry["run"] = str(run_id)
            source = [(row.source.name, row.source)]
            await engine.runner.submit(pipeline, source, initial_facts(row.values), row.name, run_id)
            run = await engine.again(run_id, patient=not away.is_set())
            entry |= {"state": run.state, "level": run.facts.get("level_achieved", "")}
            error, status = failure(run), exit_status(run)
            if isinstance(error, Unavailable):
                away.set()
            elif run.state == "done":
                away.clear()
            if run.state == "done":
                await engine.export(run, out / f"{row.name}.pdf")
                entry |= {"file": str(out / f"{row.name}.pdf"), "sha256": run.head[0]}
        except SealflowError as caught:
            error, status = caught, caught.exit_status
        if error is not None:
            entry |= {"code": error.code, "reason": str(error)}
        return entry, status
