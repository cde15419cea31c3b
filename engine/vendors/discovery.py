"""Loads the allow-listed plugins and makes every mistake loud that pluggy lets pass; nothing else is imported."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

import pluggy

from engine.errors import Misuse
from engine.vendors import hooks


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing a plugin offers under a name: what the hook returned for it."""

    hook: str
    name: str
    plugin: str
    thing: Any


def discover(allowed: Iterable[str], entry_points: Iterable[EntryPoint]) -> list[Offer]:
    """Import the allowed plugins and call their hooks.

    Raises Misuse ``plugin.unknown``, ``plugin.duplicate``, ``plugin.broken``, ``plugin.empty``,
    ``plugin.hook_unknown``, ``plugin.hook_unmarked``, ``plugin.hook_async``, ``plugin.hook_parameters``,
    ``plugin.hook_failed`` or ``plugin.hook_result``.
    """
    manager = pluggy.PluginManager(hooks.NAMESPACE)
    manager.add_hookspecs(hooks)
    specs = sorted(name for name in vars(hooks) if name.startswith(f"{hooks.NAMESPACE}_"))
    for name, entry_point in _chosen(allowed, list(entry_points)).items():
        plugin = _load(name, entry_point)
        _check_hooks(name, plugin, specs)
        try:
            manager.register(plugin, name)
        except ValueError as error:  # one module under two names
            raise Misuse(
                "plugin.duplicate",
                zh=f"插件 {name} 与另一个插件是同一个模块（{entry_point.value}）。请在设置 plugins 中只保留一个。",
                en=f"The plugin {name} is the same module ({entry_point.value}) as another one. "
                "Keep one of them in the setting plugins.",
                plugin=name,
            ) from error
    manager.check_pending()
    return [
        offer
        for spec in specs
        for implementation in getattr(manager.hook, spec).get_hookimpls()
        for offer in _ask(spec, implementation.plugin_name, implementation.function)
    ]


def _chosen(allowed: Iterable[str], entry_points: list[EntryPoint]) -> dict[str, EntryPoint]:
    chosen: dict[str, EntryPoint] = {}
    for name in allowed:
        found = [entry_point for entry_point in entry_points if entry_point.name == name]
        if not found:
            known = ", ".join(sorted({entry_point.name for entry_point in entry_points})) or "-"
            raise Misuse(
                "plugin.unknown",
                zh=f"设置 plugins 中的插件 {name} 没有安装。已安装的有：{known}。请更正名称或安装提供它的软件包。",
                en=f"The plugin {name} in the setting plugins is not installed. Installed are: {known}. "
                "Correct the name or install the package that brings it.",
                plugin=name,
                known=known,
            )
        if len(found) > 1:
            sources = ", ".join(sorted(_source(entry_point) for entry_point in found))
            raise Misuse(
                "plugin.duplicate",
                zh=f"有多个软件包提供名为 {name} 的插件：{sources}。请卸载其中之一。",
                en=f"More than one package brings a plugin named {name}: {sources}. Remove one of them.",
                plugin=name,
                sources=sources,
            )
        chosen[name] = found[0]
    return chosen


def _source(entry_point: EntryPoint) -> str:
    package = entry_point.dist.name if entry_point.dist else "?"
    return f"{package} ({entry_point.value})"


def _load(name: str, entry_point: EntryPoint) -> object:
    try:
        plugin: object = entry_point.load()
    except (Exception, SystemExit) as error:  # foreign code: whatever it raises at import is the answer
        raise Misuse(
            "plugin.broken",
            zh=f"插件 {name}（{_source(entry_point)}）无法导入：{_cause(error)}。请修复、更新或从设置 plugins 中移除。",
            en=f"The plugin {name} ({_source(entry_point)}) cannot be imported: {_cause(error)}. "
            "Repair or update it, or take it out of the setting plugins.",
            plugin=name,
        ) from error
    return plugin


def _check_hooks(name: str, plugin: object, specs: list[str]) -> None:
    marked = 0
    for attribute, value in inspect.getmembers_static(plugin):
        function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        options: dict[str, Any] | None = getattr(function, f"{hooks.NAMESPACE}_impl", None)
        if not isinstance(options, dict):
            if attribute.startswith(f"{hooks.NAMESPACE}_") and inspect.isroutine(function):
                raise Misuse(
                    "plugin.hook_unmarked",
                    zh=f"插件 {name} 的函数 {attribute} 没有 @hookimpl 标记，不会被调用。请加上标记或改名。",
                    en=f"The function {attribute} of the plugin {name} is not marked with @hookimpl and would never "
                    "be called. Mark it or give it another name.",
                    plugin=name,
                    hook=attribute,
                )
            continue
        _check_hook(name, options.get("specname") or attribute, function, options, specs)
        marked += 1
    if not marked:
        raise Misuse(
            "plugin.empty",
            zh=f"插件 {name} 没有实现任何挂钩。可用的挂钩：{', '.join(specs)}。",
            en=f"The plugin {name} implements no hook. Hooks are: {', '.join(specs)}.",
            plugin=name,
        )


def _check_hook(
    name: str, hook: str, function: Callable[..., Any], options: Mapping[str, Any], specs: list[str]
) -> None:
    if hook not in specs:
        near = difflib.get_close_matches(hook, specs, n=1)
        raise Misuse(
            "plugin.hook_unknown",
            zh=f"插件 {name} 实现了不存在的挂钩 {hook}。"
            + (f"是否应为 {near[0]}？" if near else f"可用的挂钩：{', '.join(specs)}。"),
            en=f"The plugin {name} implements a hook {hook} that does not exist. "
            + (f"Did you mean {near[0]}?" if near else f"Hooks are: {', '.join(specs)}."),
            plugin=name,
            hook=hook,
            near=near[0] if near else None,
        )
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise Misuse(
            "plugin.hook_async",
            zh=f"插件 {name} 的挂钩 {hook} 是异步函数，无法调用。挂钩只登记名称，请改为普通函数。",
            en=f"The hook {hook} of the plugin {name} is an async function and cannot be called. "
            "A hook only registers names: make it a plain function.",
            plugin=name,
            hook=hook,
        )
    parameters = [parameter for parameter in inspect.signature(function).parameters if parameter != "self"]
    if parameters or options.get("wrapper") or options.get("hookwrapper"):
        raise Misuse(
            "plugin.hook_parameters",
            zh=f"插件 {name} 的挂钩 {hook} 不能有参数（{', '.join(parameters)}），也不能是包装器。",
            en=f"The hook {hook} of the plugin {name} may have no parameters ({', '.join(parameters)}) "
            "and may not be a wrapper.",
            plugin=name,
            hook=hook,
        )


def _ask(hook: str, plugin: str, function: Callable[[], Any]) -> list[Offer]:
    try:
        offered = function()
    except (Exception, SystemExit) as error:  # foreign code
        raise Misuse(
            "plugin.hook_failed",
            zh=f"插件 {plugin} 的挂钩 {hook} 出错：{_cause(error)}。请修复、更新或从设置 plugins 中移除。",
            en=f"The hook {hook} of the plugin {plugin} failed: {_cause(error)}. "
            "Repair or update it, or take it out of the setting plugins.",
            plugin=plugin,
            hook=hook,
        ) from error
    if not isinstance(offered, Mapping) or not all(isinstance(name, str) for name in offered):
        raise Misuse(
            "plugin.hook_result",
            zh=f"插件 {plugin} 的挂钩 {hook} 应返回“名称 → 工厂”的映射，实际返回 {type(offered).__name__}。",
            en=f"The hook {hook} of the plugin {plugin} must return a mapping of name to factory, "
            f"not {type(offered).__name__}.",
            plugin=plugin,
            hook=hook,
        )
    return [Offer(hook, name, plugin, thing) for name, thing in offered.items()]


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
