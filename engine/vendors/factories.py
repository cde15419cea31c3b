"""Calls a provider's factory with what it asks for: its own settings table, typed, and the home folder."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from engine.errors import Misuse

_KNOWN = {"home", "settings"}


def factory_fault(factory: object) -> str | None:
    """Say in English what keeps something from being a factory, or None."""
    if not callable(factory):
        return "it is not callable"
    if inspect.iscoroutinefunction(factory):
        return "it is async; open connections at the first call instead"
    parameters = _parameters(factory)
    if foreign := sorted(set(parameters) - _KNOWN):
        return f"its parameters may be home and settings, not {', '.join(foreign)}"
    if "settings" in parameters:
        kind = _settings_type(factory)
        if not _is_frozen(kind):
            return "its parameter settings must be annotated with a frozen dataclass or frozen msgspec Struct"
    return None


def produced_by(factory: Callable[..., Any]) -> type | None:
    """Class of what a factory makes, if it says so."""
    if isinstance(factory, type):
        return factory
    made = _hints(factory).get("return")
    return made if isinstance(made, type) else None


def build(factory: Callable[..., Any], name: str, table: Mapping[str, Any] | None, home: Path) -> Any:
    """Make the provider; raises Misuse ``vendors.invalid`` naming the table and key."""
    arguments: dict[str, Any] = {}
    parameters = _parameters(factory)
    if "home" in parameters:
        arguments["home"] = home
    if "settings" in parameters:
        arguments["settings"] = _convert(_settings_type(factory), name, table or {})
    elif table:
        raise _invalid(name, zh=f"{name} 没有任何设置项", en=f"{name} has no settings at all")
    return factory(**arguments)


def _convert(kind: Any, name: str, table: Mapping[str, Any]) -> object:
    known = _keys(kind)
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise _invalid(
                name,
                zh=f"没有设置项 {key}" + (f"，是否应为 {near[0]}" if near else f"，可用：{', '.join(known)}"),
                en=f"there is no key {key}" + (f", did you mean {near[0]}" if near else f"; keys: {', '.join(known)}"),
            )
    try:
        return msgspec.convert(table, kind, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        raise _invalid(name, zh=str(error), en=str(error)) from error


def _invalid(name: str, *, zh: str, en: str) -> Misuse:
    return Misuse(
        "vendors.invalid",
        zh=f"设置 [vendors.{name}] 有误：{zh}。请改正后重新启动。",
        en=f"The settings table [vendors.{name}] is wrong: {en}. Correct it and start again.",
        table=f"vendors.{name}",
    )


def _keys(kind: Any) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def _is_frozen(kind: Any) -> bool:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return bool(kind.__struct_config__.frozen)
    return isinstance(kind, type) and dataclasses.is_dataclass(kind) and bool(kind.__dataclass_params__.frozen)  # type: ignore[attr-defined]  # the one place where this is kept


def _parameters(factory: Any) -> list[str]:
    return list(inspect.signature(factory).parameters)


def _settings_type(factory: Any) -> Any:
    return _hints(factory).get("settings")


def _hints(factory: Any) -> dict[str, Any]:
    try:
        return get_type_hints(inspect.getattr_static(factory, "__init__") if isinstance(factory, type) else factory)
    except (NameError, TypeError):  # names imported for type checkers only, or no __init__ at all
        return {}


def _decode_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(kind)
