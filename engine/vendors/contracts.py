"""Compares what a plugin offers with its contract by shape; whether it behaves is the conformance kit's question."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

EFFECTS = frozenset({"rewrites", "appends", "signs"})
_EMPTY = inspect.Parameter.empty


def missing_from(offered: object, protocol: type) -> str | None:
    """Say in English what keeps a class or an instance from being a ``protocol``, or None."""
    for name, wanted in vars(protocol).items():
        if name.startswith("_") or not inspect.isfunction(wanted):
            continue
        method = inspect.getattr_static(offered, name, None)
        if method is None:
            return f"method {name} is missing"
        if not callable(method) or isinstance(method, staticmethod | classmethod):
            return f"{name} must be an ordinary method"
        if fault := _difference(getattr(offered, name), wanted, is_bound=not isinstance(offered, type)):
            return f"method {name} {fault}"
    return None


def _difference(method: Callable[..., Any], wanted: Callable[..., Any], *, is_bound: bool) -> str | None:
    if inspect.iscoroutinefunction(wanted) != inspect.iscoroutinefunction(method):
        if inspect.iscoroutinefunction(wanted):
            return "must be async"
        return "must give an async iterator (async def with yield), not a coroutine"
    has = list(inspect.signature(method).parameters.values())[0 if is_bound else 1 :]
    names = [name for name in inspect.signature(wanted).parameters if name != "self"]
    # Callers pass by position or by name, so names and order are the contract; more parameters need defaults.
    same = [parameter.name for parameter in has[: len(names)] if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    needed = [parameter.name for parameter in has[len(names) :] if _is_needed(parameter)]
    if same != names or needed:
        return f"must take ({', '.join(names)}), not ({', '.join(map(str, has))})"
    return None


def _is_needed(parameter: inspect.Parameter) -> bool:
    optional = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is _EMPTY and parameter.kind not in optional


def stage_fault(offered: object, name: str) -> str | None:
    """Say in English what keeps a class from being the stage ``name``, or None."""
    if not isinstance(offered, type) or not dataclasses.is_dataclass(offered):
        return "it is not a dataclass"
    if not offered.__dataclass_params__.frozen:  # type: ignore[attr-defined]  # the one place where this is kept
        return "it is not frozen"
    if getattr(offered, "name", None) != name:
        return f"its name is {getattr(offered, 'name', None)!r}"
    version = getattr(offered, "version", None)
    if not isinstance(version, int) or isinstance(version, bool):
        return "its version is not a whole number"
    if getattr(offered, "effect", None) not in EFFECTS:
        return f"its effect is none of {', '.join(sorted(EFFECTS))}"
    reads = getattr(offered, "reads", None)
    if not isinstance(reads, frozenset) or not all(isinstance(fact, str) for fact in reads):
        return "its reads is not a frozenset of fact names"
    run = inspect.getattr_static(offered, "run", None)
    if not inspect.iscoroutinefunction(run):
        return "its run is not an async method"
    if [parameter.default for parameter in inspect.signature(run).parameters.values()] != [_EMPTY, _EMPTY]:
        return "its run must take exactly one argument, the work"
    return None
