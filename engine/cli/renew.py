"""``sealflow renew``: find what runs out and renew it, file by file or among all finished runs; stopped, it goes on."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import click

from engine import assembly
from engine.cli import console
from engine.errors import Misuse, SealflowError, Unavailable
from engine.language import Text
from engine.pipeline.alone import ScratchStorage
from engine.pipeline.delivery import replace_file, unwritable
from engine.pipeline.renewals import Pace, Renewals
from engine.records.effects import MemoryLedger
from engine.sandbox import Caller
from engine.settings import Settings, load_settings
from engine.trust.renewal import Due, Renewer, find_due, renew_document
from engine.trust.signing import Surroundings
from engine.trust.terms import read_term

_STATES = {
    "due": Text("应续期", "due"),
    "renewed": Text("已续期", "renewed"),
    "kept": Text("尚未到期", "not due"),
    "refused": Text("未能续期", "not renewed"),
}
_COLUMNS = (
    Text("文件", "File"),
    Text("结果", "Result"),
    Text("期限", "Due"),
    Text("原因", "Why"),
    Text("说明", "Note"),
)
_CAUSES = {"certificate": Text("时间戳证书到期", "certificate ends"), "algorithm": Text("算法停用", "algorithm ends")}


@click.command(
    help=str(
        Text(
            zh="为归档文件续期：在时间戳证书或算法失效前，补充验证数据并加盖新的文档时间戳。",
            en="Renew archived files before a timestamp's certificate or an algorithm ends: add validation data and a "
            "new document timestamp.",
        )
    )
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--runs", is_flag=True, help=str(Text(zh="所有已完成任务的文件。", en="Files of all finished runs.")))
@click.option("--dry-run", is_flag=True, help=str(Text(zh="只列出，不续期。", en="List only.")))
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d"]),
    help=str(Text(zh="处理在此日期前应续期的文件，默认今天。", en="What is due before this day; today if not given.")),
)
@click.option(
    "--margin",
    type=click.IntRange(0),
    help=str(Text(zh="提前多少天续期；默认按设置。", en="Days of margin; else as the settings say.")),
)
@console.json_option
def renew(
    files: tuple[Path, ...], runs: bool, dry_run: bool, before: datetime | None, margin: int | None, as_json: bool
) -> int:
    if runs == bool(files):
        raise Misuse(
            "renewal.nothing",
            zh="请给出要续期的文件，或用 --runs 处理所有已完成的任务。",
            en="Name the files to renew, or give --runs for all finished runs.",
        )
    settings = load_settings()
    days = settings.trust.renewal.margin if margin is None else margin
    pace = Pace(timedelta(days=days), settings.trust.renewal.sunsets)
    until = before.replace(tzinfo=UTC) if before else datetime.now(UTC)
    work = _renew_runs(settings, pace, until, dry_run) if runs else _renew_files(settings, files, pace, until, dry_run)
    return asyncio.run(_carry_out(work, as_json=as_json))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of what was done; ``name``: a file, or a run and the file's place in it.

    ``state``: due, renewed, kept, refused, or listed for a run whose files were read.
    """

    name: str
    state: str
    due: Due | None = None
    error: SealflowError | None = None
    total: int | None = None
    """Entries there will be, once that is known."""

    def to_dict(self) -> dict[str, Any]:
        due = self.due
        return {
            "name": self.name,
            "state": self.state,
            "due_at": due.at.isoformat() if due else None,
            "cause": due.cause if due else None,
            "what": due.what if due else None,
            "error": self.error.to_dict() if self.error else None,
        }


async def _carry_out(work: AsyncIterator[Entry], *, as_json: bool) -> int:
    """Show entries as they come; the exit status is that of the worst of them."""
    entries: list[Entry] = []
    halted: SealflowError | None = None
    with console.counter(str(Text(zh="续期", en="renewing")), visible=not as_json) as count:
        try:
            listed = 0
            async for entry in work:
                if entry.state == "listed":
                    listed += 1
                    count(listed, None)
                else:
                    entries.append(entry)
                    count(len(entries), entry.total)
        except Unavailable as error:
            halted = error
    if as_json:
        told = {"files": [entry.to_dict() for entry in entries]}
        console.print_json(told | ({"error": halted.to_dict()} if halted else {}))
    else:
        _tell(entries)
        if halted is not None:
            console.report(halted)
    failed = [entry.error for entry in entries if entry.error is not None]
    return halted.exit_status if halted else max((error.exit_status for error in failed), default=0)


def _tell(entries: list[Entry]) -> None:
    rows = [
        [
            entry.name,
            str(_STATES[entry.state]),
            entry.due.at.date().isoformat() if entry.due else "",
            f"{_CAUSES[entry.due.cause]}: {entry.due.what}" if entry.due else "",
            f"{entry.error.code}: {entry.error}" if entry.error else "",
        ]
        for entry in entries
    ]
    if rows:
        console.print_table(_COLUMNS, rows)
    counts = {state: sum(entry.state == state for entry in entries) for state in _STATES}
    shown = " · ".join(f"{_STATES[state]} {number}" for state, number in counts.items() if number)
    console.output.print(shown or str(Text(zh="没有应续期的文件。", en="Nothing is due.")), markup=False)


async def _renew_files(
    settings: Settings, files: tuple[Path, ...], pace: Pace, until: datetime, dry_run: bool
) -> AsyncIterator[Entry]:
    async with assembly.open_tools(settings) as tools:
        renewer = assembly.make_renewer(tools)
        for file in files:
            due, error = None, None
            state = "kept"
            try:
                due = find_due(await tools.sandbox.call(read_term, file), pace.margin, pace.sunsets)
                if due.at <= until:
                    state = "due"
                    if not dry_run:
                        await _renew_file(file, tools.sandbox, renewer)
                        state = "renewed"
            except SealflowError as caught:
                error, state = caught, "refused"
            yield Entry(str(file), state, due, error, len(files))


async def _renew_file(file: Path, sandbox: Caller, renewer: Renewer) -> None:
    """Renew a copy beside the file and let it take the file's name in one step, when it is safe on the disk."""
    place = file.resolve()
    with tempfile.TemporaryDirectory(prefix="sealflow-renewal-") as folder:
        workspace = Path(folder)
        around = Surroundings(sandbox, ScratchStorage(workspace), MemoryLedger().once, str(uuid4()), workspace)
        renewed = workspace / "renewed.pdf"
        await renew_document(place, renewed, renewer, around)
        try:
            await asyncio.to_thread(replace_file, renewed, place)
        except OSError as error:
            raise unwritable(place, error) from error


async def _renew_runs(settings: Settings, pace: Pace, until: datetime, dry_run: bool) -> AsyncIterator[Entry]:
    async with assembly.open_engine(settings) as engine:
        tools = engine.tools
        work = Renewals(engine.database, engine.storage, tools.sandbox, assembly.make_renewer(tools), pace)
        async for run_id in work.list_new():
            yield Entry(str(run_id), "listed")
        total = await work.count_due(until)
        if dry_run:
            async for file, due in work.find_due(until):
                yield Entry(_name(file.run_id, file.place), "due", due, None, total)
            return
        async for outcome in work.renew_due(until):
            state = "refused" if outcome.error else "renewed"
            yield Entry(_name(outcome.run_id, outcome.place), state, outcome.due, outcome.error, total)


def _name(run_id: UUID, place: int) -> str:
    return f"{run_id}" if not place else f"{run_id} #{place + 1}"
