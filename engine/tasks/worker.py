"""A worker: processes that consume runs, one that sweeps and, where a broker is set, one that relays to it.

Each process can be killed at any instant without disturbing the others; that is why they are started here one by one
and not by Dramatiq's own master, which ends all of them when one dies.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from engine.tasks.supervisor import LONGEST_PAUSE, Post, Supervisor

_TIDYING = 10.0
"""Seconds a process gets beyond the draining time to cancel what is left and close its connections."""


async def supervise(
    composition: str,
    *,
    processes: int = 2,
    threads: int = 8,
    relay: bool = False,
    drain: float = 60.0,
    longest_pause: float = LONGEST_PAUSE,
) -> int:
    """Run until SIGTERM or SIGINT; returns the exit status. Only in the main thread, which the processes are tied to.

    ``composition``: ``module:function`` that returns an ``engine.tasks.composition.Composition``; it is called in each
    process. ``threads``: runs one process works on at a time. ``drain``: seconds running legs get to finish.
    ``longest_pause``: seconds before a process that keeps dying is started again.
    """

    def post(name: str, duty: str, *options: str) -> Post:
        command = (sys.executable, "-m", "engine.tasks.duties", duty, composition, "--parent", str(os.getpid()))
        return Post(name, (*command, *options))

    limits = ("--threads", str(threads), "--drain", str(drain))
    posts = [post(f"consumer {number + 1}", "consume", *limits) for number in range(processes)]
    posts.append(post("sweeper", "sweep"))
    if relay:
        posts.append(post("relay", "relay"))
    return await Supervisor(posts, drain + _TIDYING, longest_pause).run()


def run_worker(composition: str, **options: Any) -> int:
    """``supervise`` for a program that has no event loop yet."""
    return asyncio.run(supervise(composition, **options))
