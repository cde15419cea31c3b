"""``sealflow evidence``: the evidence bundle of a finished run, for a court or for the parties to keep."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from engine import assembly
from engine.cli import console
from engine.language import Text
from engine.settings import load_settings


@click.command(
    help=str(
        Text(
            zh="导出已完成任务的存证包：合同、存证页、日志、证明材料与离线验证程序。",
            en="Write the evidence bundle of a finished run: contract, evidence page, journal, proofs, verifier.",
        )
    )
)
@click.argument("run_id", type=click.UUID)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, dir_okay=False))
def evidence(run_id: UUID, out: Path) -> int:
    return asyncio.run(_evidence(run_id, out))


async def _evidence(run_id: UUID, out: Path) -> int:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    async with assembly.open_engine(load_settings()) as engine:
        run = await engine.get(run_id)
        with Progress(*columns, console=console.errors, disable=not console.errors.is_terminal) as progress:
            task = progress.add_task(str(Text(zh="正在出证", en="Making evidence")), total=None)
            await engine.evidence(run, out, lambda done, total: progress.update(task, completed=done, total=total))
    console.output.print(str(out), markup=False, soft_wrap=True)
    return 0
