"""``sealflow worker``: worker processes, sweeper and relay under one supervisor until told to stop."""

from __future__ import annotations

import click

from engine.language import Text
from engine.tasks.worker import run_worker


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
    return run_worker("engine.cli.worker_process", processes=processes, threads=threads)
