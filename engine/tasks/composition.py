"""What a worker installation consists of, built anew in each of its processes by a function that is given by name."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from engine.errors import Misuse
from engine.records.database import Connection
from engine.tasks.actors import Advance

Sweep = Callable[[Connection], Awaitable[object]]
"""Work of one sweep in the transaction it is given: send messages for runs that are due, clean up."""


@dataclass(frozen=True, slots=True)
class Composition:
    """Parts of one installation; a process uses those it needs.

    ``engine`` is entered once in a process, on the event loop the runs will use, and left when they have ended.
    ``sweeps`` are called every ``interval`` seconds by one host at a time, each in a transaction of its own.
    """

    database_url: str
    engine: Callable[[], AbstractAsyncContextManager[Advance]]
    sweeps: tuple[Sweep, ...] = ()
    interval: float = 5.0
    broker_url: str | None = None
    visibility: float = 10.0


def load_composition(name: str) -> Composition:
    """Call ``module:function``; raises Misuse ``worker.composition`` when that gives no Composition."""
    module, _, function = name.partition(":")
    try:
        compose = getattr(importlib.import_module(module), function)
    except (ModuleNotFoundError, AttributeError) as error:
        raise _misnamed(name, str(error)) from error
    composition = compose()
    if not isinstance(composition, Composition):
        raise _misnamed(name, f"{type(composition).__name__} is not a Composition")
    return composition


def _misnamed(name: str, why: str) -> Misuse:
    return Misuse(
        "worker.composition",
        zh=f"工作进程的组成 {name!r} 无法载入：{why}。应为返回 Composition 的 “模块:函数”。",
        en=f"The composition {name!r} cannot be loaded: {why}. Name a “module:function” that returns a Composition.",
        name=name,
    )
