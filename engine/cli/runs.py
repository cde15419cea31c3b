"""``sealflow status``, ``resume``, ``cancel``, ``export``: look at runs, send events, un-park, end, fetch results."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import click

from engine import assembly
from engine.cli import console
from engine.cli.run import carry_out, failure
from engine.errors import Conflict
from engine.language import Text
from engine.records import attention, runs
from engine.settings import load_settings

_STATES = ("ready", "running", "waiting", "parked", "rejected", "cancelled", "done")
_PHASES = (*_STATES, "awaiting_timestamp", "awaiting_revocation")


@click.command(help=str(Text(zh="查看任务（不带编号则列出最近的任务）。", en="Show a run, or list the latest runs.")))
@click.argument("run_id", required=False, type=click.UUID)
@click.option("--state", type=click.Choice(_PHASES), help=str(Text(zh="只看某一状态。", en="Only this state.")))
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@console.json_option
def status(run_id: UUID | None, state: str | None, limit: int, as_json: bool) -> int:
    return asyncio.run(_one(run_id, as_json) if run_id else _latest(state, limit, as_json))


async def _one(run_id: UUID, as_json: bool) -> int:
    async with assembly.open_records(load_settings()) as database, database.transaction() as connection:
        run = await runs.get(connection, run_id)
        records = await runs.stage_records(connection, run_id)
    if as_json:
        console.print_json({**console.run_summary(run), "stages": [_stage_summary(one) for one in records]})
        return 0
    words = "  ".join(filter(None, (run.label, str(run.id), run.phase, run.waiting_for)))
    console.output.print(words, markup=False, soft_wrap=True)
    columns = (Text("阶段", "Stage"), Text("完成时间", "Finished"), Text("结果摘要", "Output"))
    rows = [
        (one.stage, console.local_time(one.finished_at or one.started_at), one.outputs[0][:16] if one.outputs else "")
        for one in records
    ]
    console.print_table(columns, rows)
    if error := failure(run):
        console.report(error)
    return 0


async def _latest(state: str | None, limit: int, as_json: bool) -> int:
    async with assembly.open_records(load_settings()) as database, database.transaction() as connection:
        found = await runs.find(connection, states=[state] if state else None, limit=limit)
        counted = {} if as_json or state else await runs.tally(connection)
    if as_json:
        console.print_json([console.run_summary(run) for run in found])
        return 0
    if counted:
        console.output.print(" · ".join(f"{phase} {number:,}" for phase, number in counted.items()), markup=False)
    for run in found:
        when = console.local_time(run.updated_at)
        console.output.print(f"{run.id}  {run.phase:<9}  {when}", markup=False, soft_wrap=True)
        console.print_indented(" · ".join(filter(None, (run.label, _reason(run)))))
    return 0


def _reason(run: runs.Run) -> str:
    """What a run waits for, or the code of what stopped it."""
    error = failure(run)
    return (run.waiting_for or "") if run.state == "waiting" else error.code if error else ""


def _stage_summary(record: runs.StageRecord) -> dict[str, object]:
    return {
        "ordinal": record.ordinal,
        "stage": record.stage,
        "version": record.version,
        "inputs": record.inputs,
        "outputs": record.outputs,
        "reused": record.reused,
        "started_at": record.started_at.isoformat(),
        "finished_at": record.finished_at.isoformat() if record.finished_at else None,
    }


@click.command(
    help=str(
        Text(
            zh="继续一个任务：送达它等待的事件，或让挂起、推迟的任务重试。",
            en="Go on with a run: deliver the event it waits for, or try a parked or postponed run again.",
        )
    )
)
@click.argument("run_id", type=click.UUID)
@click.option("--event", help=str(Text(zh="任务等待的事件名称。", en="Name of the event the run waits for.")))
@click.option("--payload", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--repeat",
    is_flag=True,
    help=str(
        Text(
            zh="已向对方核实：存疑的操作没有发生，可以再做一次。",
            en="The other side was asked: the act in doubt did not happen and may be done again.",
        )
    ),
)
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False))
@console.json_option
def resume(run_id: UUID, event: str | None, payload: Path | None, repeat: bool, out: Path | None, as_json: bool) -> int:
    return asyncio.run(_resume(run_id, event, console.read_json(payload), out, repeat=repeat, as_json=as_json))


async def _resume(
    run_id: UUID, event: str | None, payload: dict[str, object], out: Path | None, *, repeat: bool, as_json: bool
) -> int:
    with console.bars(visible=not as_json) as bars:
        async with assembly.open_engine(load_settings(), observer=bars) as engine:
            async with engine.database.transaction() as connection:
                run = await runs.get(connection, run_id)
                if event:
                    await attention.resume(connection, run_id, event, payload)
                elif run.state == "waiting":
                    raise _needs_event(run)
                elif run.state in ("parked", "ready"):
                    if repeat:
                        await attention.allow_repetition(connection, run_id)
                    await attention.retry(connection, run_id)
            return await carry_out(engine, run_id, out, as_json=as_json)


def _needs_event(run: runs.Run) -> Conflict:
    return Conflict(
        "run.waits",
        zh=f"任务 {run.id} 正在等待事件“{run.waiting_for}”。请用 --event {run.waiting_for} 送达。",
        en=f"The run {run.id} waits for the event '{run.waiting_for}'. Deliver it with --event {run.waiting_for}.",
        run=str(run.id),
        event=run.waiting_for,
    )


@click.command(
    help=str(Text(zh="取消一个尚未结束的任务；文件与记录保留。", en="End a run that is not over; its records stay."))
)
@click.argument("run_id", type=click.UUID)
def cancel(run_id: UUID) -> int:
    return asyncio.run(_cancel(run_id))


async def _cancel(run_id: UUID) -> int:
    async with assembly.open_records(load_settings()) as database, database.transaction() as connection:
        await attention.cancel(connection, run_id)
        run = await runs.get(connection, run_id)
    words = Text(zh="已取消", en="Cancelled")
    console.output.print(f"{words} {run.label}  {run.id}", markup=False, soft_wrap=True)
    return 0


@click.command(help=str(Text(zh="取出已完成任务的文件。", en="Write the file of a finished run.")))
@click.argument("run_id", type=click.UUID)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, dir_okay=False))
def export(run_id: UUID, out: Path) -> int:
    return asyncio.run(_export(run_id, out))


async def _export(run_id: UUID, out: Path) -> int:
    async with assembly.open_engine(load_settings()) as engine:
        async with engine.database.transaction() as connection:
            run = await runs.get(connection, run_id)
        await engine.export(run, out)
    console.output.print(str(out), markup=False)
    return 0
