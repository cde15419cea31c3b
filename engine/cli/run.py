"""``sealflow run``: one document through a pipeline, here and now, with the same runner and records as the workers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import click
from rich.text import Text as Plain

from engine import assembly
from engine.assembly import Engine
from engine.cli import console
from engine.errors import SealflowError, Unavailable, from_dict
from engine.language import Text
from engine.pipeline.runner import initial_facts
from engine.records.runs import Run
from engine.settings import load_settings


@click.command(
    help=str(
        Text(
            zh="让文件走完一个流程，并把结果写到 OUT。中断后可用 sealflow resume 继续。",
            en="Take files through a pipeline and write the result to OUT. Interrupted runs go on with resume.",
        )
    )
)
@click.argument("pipeline")
@console.files_argument
@console.values_option
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, dir_okay=False))
@console.label_option
@console.json_option
def run(pipeline: str, files: tuple[Path, ...], values: Path | None, out: Path, label: str, as_json: bool) -> int:
    return asyncio.run(_run(pipeline, files, console.read_json(values), out, label or files[0].name, as_json))


async def _run(
    pipeline: str, files: tuple[Path, ...], values: dict[str, object], out: Path, label: str, as_json: bool
) -> int:
    with console.bars(visible=not as_json) as bars:
        async with assembly.open_engine(load_settings(), observer=bars) as engine:
            digest = await engine.pin(pipeline)
            named = [(file.name, file) for file in files]
            run_id = await engine.runner.submit(digest, named, initial_facts(values), label)
            return await carry_out(engine, run_id, out, as_json=as_json)


async def carry_out(engine: Engine, run_id: UUID, out: Path | None, *, as_json: bool) -> int:
    """Advance a run in this process until it ends, waits or must be tried later; write its file and say so."""
    run = await engine.carry_out(run_id)
    if run.state == "done" and out is not None:
        try:
            await engine.export(run, out)
        except Unavailable:
            words = Text(zh="任务已完成，文件仍保存着。取出：", en="The run is done and its file is kept. To fetch it:")
            console.errors.print(f"{words}\n  sealflow export {run.id} -o OUT", markup=False, soft_wrap=True)
            raise
    if as_json:
        console.print_json(console.run_summary(run))
    else:
        _tell(run, out)
    return exit_status(run)


def exit_status(run: Run) -> int:
    """Status as in sysexits.h for the state a run is in."""
    if run.state == "done":
        return 0
    if run.state in ("waiting", "cancelled") or run.error is None:
        return 75
    return from_dict(run.error).exit_status


def failure(run: Run) -> SealflowError | None:
    """The error a run stopped with."""
    return from_dict(run.error) if run.error and run.state != "done" else None


def _tell(run: Run, out: Path | None) -> None:
    error = failure(run)
    if run.state == "done":
        level = run.facts.get("level_achieved")
        words = Text(zh="完成", en="Done")
        rest = f" {out or run.id}" + (f" · {level}" if level else "")
        console.output.print(Plain.assemble((str(words), "green"), rest), soft_wrap=True)
    elif run.state == "waiting":
        if error is not None:  # what came was no good
            console.report(error)
        words = Text(
            zh=f"任务 {run.id} 正在等待事件“{run.waiting_for}”。收到后运行：\n"
            f"  sealflow resume {run.id} --event {run.waiting_for} -o OUT",
            en=f"The run {run.id} waits for the event '{run.waiting_for}'. When it came:\n"
            f"  sealflow resume {run.id} --event {run.waiting_for} -o OUT",
        )
        console.output.print(str(words), markup=False, soft_wrap=True)
    elif error is not None:
        console.report(error)
        if run.state != "rejected":
            words = Text(zh="已完成的步骤均已保存。继续：", en="Finished steps are kept. To go on:")
            console.errors.print(f"{words}\n  sealflow resume {run.id} -o OUT", markup=False, soft_wrap=True)
