"""A worker finishes what it was sent whatever is killed around it, and leaves nobody behind."""

import asyncio
import os
import signal
import time
from collections.abc import Callable

import psutil
import psycopg
from conftest import Toy, WorkerTree, eventually
from toy_installation import start_runs

Work = Callable[..., WorkerTree]


async def test_runs_sent_before_and_after_the_start_are_all_worked_on_once(toy: Toy, work: Work) -> None:
    await start_runs(toy.url, 20)
    tree = work(processes=2, threads=4)
    await start_runs(toy.url, 20)
    toy.await_done(40)
    assert toy.count("leg") == 40
    eventually(lambda: toy.count("outbox") == 0)
    assert tree.stop() == 0
