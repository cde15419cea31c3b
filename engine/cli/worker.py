"""``sealflow worker``: worker processes, sweeper and relay under one supervisor until told to stop."""

from __future__ import annotations

import asyncio

import click

from engine import assembly
from engine.cli import logs
from engine.language import Text
from engine.settings import Settings, load_settings
from engine.tasks.worker import supervise


@click.command(
    help=str(
        Text(
            zh="启动后台处理进程；SIGTERM 让正在进行的工作做完后退出。",
            en="Start the workers; SIGTERM lets work in hand finish, then ends them.",
        )
    )
)
@click.option("--processes", default=2, show_default=True, type=click.IntRange(1, 64))
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 64))
def worker(processes: int, threads: int) -> int:
    logs.tell_operators()
    return asyncio.run(_work(load_settings(), processes, threads))


async def _work(settings: Settings, processes: int, threads: int) -> int:
    async with assembly.open_records(settings):  # migrated and, if it is the embedded one, held up for all of them
        return await supervise(
            "engine.cli.worker_process:compose",
            processes=processes,
            threads=threads,
            relay=settings.work.broker is not None,
        )
