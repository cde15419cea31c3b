"""The providers and stages of one installation, by name; built once from settings, nothing global."""

from __future__ import annotations

import contextlib
import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, TypeVar

import structlog

from engine.errors import Misuse, SealflowError
from engine.language import Text
from engine.settings import Settings
from engine.vendors import hooks
from engine.vendors.contracts import missing_from, stage_fault
from engine.vendors.discovery import Offer, discover
from engine.vendors.factories import build, factory_fault, produced_by

P = TypeVar("P")
_STAGES = "sealflow_stages"
_CAPABILITIES: Mapping[str, Text] = {
    "sealflow_storages": Text("内容存储", "storage"),
    "sealflow_sms_senders": Text("短信服务", "sms sender"),
    "sealflow_face_verifiers": Text("人脸核身服务", "face verifier"),
    "sealflow_ocr_engines": Text("文字识别引擎", "ocr engine"),
    "sealflow_certificate_issuers": Text("一次性证书签发服务", "certificate issuer"),
    _STAGES: Text("阶段", "stage"),
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of the list a person reads: what is offered under which name by which plugin."""

    capability: str
    name: str
    plugin: str
    development_only: bool


class Registry:
    """What the allow-listed plugins offer; each provider is made at its first use and kept."""

    def __init__(self, offers: Iterable[Offer], settings: Settings) -> None:
        self._settings = settings
        self._offers: dict[tuple[str, str], Offer] = {}
        self._built: dict[tuple[str, str], Any] = {}
        for offer in offers:
            self._add(offer)
        self._refuse_stray_tables()

    def provider(self, protocol: Callable[..., P], name: str) -> P:
        """Give the provider ``name`` of a Protocol; the same instance every time.

        Raises Misuse ``provider.unknown``, ``vendors.invalid``, ``provider.broken``, ``provider.unfit`` or
        ``provider.development_only``.
        """
        hook = _hook_of(protocol)
        offer = self._offers.get((hook, name))
        if offer is None:
            raise self._unknown(hook, name)
        if (hook, name) not in self._built:
            self._built[hook, name] = self._make(offer)
        made: P = self._built[hook, name]
        return made

    def stages(self) -> Mapping[str, type]:
        """Stage classes by name."""
        return MappingProxyType({offer.name: offer.thing for offer in self._offers.values() if offer.hook == _STAGES})

    def listed(self) -> list[Listed]:
        """Everything offered, for people."""
        return [
            Listed(
                _CAPABILITIES[offer.hook].en,
                offer.name,
                offer.plugin,
                _is_stand_in(offer.thing),
            )
            for offer in self._offers.values()
        ]

    def named(self, name: str) -> list[Listed]:
        """What a plugin or a single offer of this name is; raises Misuse ``provider.unknown``."""
        rows = self.listed()
        found = [row for row in rows if row.name == name] or [row for row in rows if row.plugin == name]
        if not found:
            known = sorted({word for row in rows for word in (row.name, row.plugin)})
            raise Misuse(
                "provider.unknown",
                zh=f"没有名为 {name} 的插件或服务。{_hint_zh(name, known)}",
                en=f"There is no plugin or provider named {name}. {_hint_en(name, known)}",
                name=name,
                known=", ".join(known),
            )
        return found

    async def close(self) -> None:
        """Close every provider that was made and has ``close``; all are tried, the first failure is raised."""
        async with contextlib.AsyncExitStack() as stack:
            for provider in self._built.values():
                if inspect.iscoroutinefunction(getattr(provider, "close", None)):
                    stack.push_async_callback(provider.close)
            self._built.clear()

    def _add(self, offer: Offer) -> None:
        # A provider's name is also the name of its settings table, so it is one of a kind over all capabilities.
        for other in self._offers.values():
            if other.name == offer.name and (other.hook == offer.hook or _STAGES not in (other.hook, offer.hook)):
                raise Misuse(
                    "provider.duplicate",
                    zh=f"插件 {other.plugin} 和 {offer.plugin} 都提供了名为 {offer.name} 的"
                    f"{_CAPABILITIES[offer.hook].zh}。请从设置 plugins 中移除其中之一。",
                    en=f"The plugins {other.plugin} and {offer.plugin} both offer {_CAPABILITIES[offer.hook].en} named "
                    f"{offer.name}. Take one of them out of the setting plugins.",
                    name=offer.name,
                )
        if offer.hook == _STAGES:
            fault = stage_fault(offer.thing, offer.name)
        else:
            fault = factory_fault(offer.thing) or _made_fault(offer)
        if fault:
            raise _unfit(offer, fault)
        self._refuse_in_production(offer, offer.thing)
        self._offers[offer.hook, offer.name] = offer

    def _make(self, offer: Offer) -> Any:
        try:
            made = build(offer.thing, offer.name, self._settings.vendors.get(offer.name), self._settings.home)
        except SealflowError:
            raise  # says already what to do
        except (Exception, SystemExit) as error:  # foreign code
            raise Misuse(
                "provider.broken",
                zh=f"插件 {offer.plugin} 提供的 {offer.name} 无法启动：{type(error).__name__}: {error}。",
                en=f"{offer.name} of the plugin {offer.plugin} cannot be made: {type(error).__name__}: {error}.",
                name=offer.name,
                plugin=offer.plugin,
            ) from error
        if fault := missing_from(made, hooks.PROTOCOLS[offer.hook]):
            raise _unfit(offer, fault)
        self._refuse_in_production(offer, made)
        if _is_stand_in(offer.thing) or _is_stand_in(made):
            structlog.get_logger("sealflow").warning(
                "STAND-IN IN USE: nothing it does is real", capability=_CAPABILITIES[offer.hook].en, provider=offer.name
            )
        return made

    def _refuse_in_production(self, offer: Offer, thing: object) -> None:
        if self._settings.environment == "production" and _is_stand_in(thing):
            raise Misuse(
                "provider.development_only",
                zh=f"{offer.name}（插件 {offer.plugin}）是开发用的替身，不能用于生产环境。"
                "请从设置 plugins 中移除并改用真实服务。",
                en=f"{offer.name} of the plugin {offer.plugin} is a stand-in for development and refuses production. "
                "Take it out of the setting plugins and use a real service.",
                name=offer.name,
                plugin=offer.plugin,
            )

    def _refuse_stray_tables(self) -> None:
        names = [offer.name for offer in self._offers.values() if offer.hook != _STAGES]
        for table in self._settings.vendors:
            if table not in names:
                raise Misuse(
                    "vendors.unknown",
                    zh=f"设置 [vendors.{table}] 不属于任何已启用的服务。{_hint_zh(table, names)}",
                    en=f"The settings table [vendors.{table}] belongs to no enabled provider. {_hint_en(table, names)}",
                    table=f"vendors.{table}",
                )

    def _unknown(self, hook: str, name: str) -> Misuse:
        names = [offer.name for offer in self._offers.values() if offer.hook == hook]
        return Misuse(
            "provider.unknown",
            zh=f"没有名为 {name} 的{_CAPABILITIES[hook].zh}。{_hint_zh(name, names)}",
            en=f"There is no {_CAPABILITIES[hook].en} named {name}. {_hint_en(name, names)}",
            name=name,
            known=", ".join(names),
        )


def load_registry(settings: Settings, installed: Iterable[EntryPoint] | None = None) -> Registry:
    """Load what the settings allow-list; ``installed`` stands for the installed entry points of our group.

    Raises Misuse as ``discover`` does, and ``provider.duplicate``, ``provider.unfit``, ``provider.development_only``
    and ``vendors.unknown``.
    """
    found = entry_points(group=hooks.GROUP) if installed is None else installed
    return Registry(discover(settings.plugins, found), settings)


def _made_fault(offer: Offer) -> str | None:
    made = produced_by(offer.thing)
    if made is None or made is hooks.PROTOCOLS[offer.hook]:
        return None  # known only when it is made; checked then
    return missing_from(made, hooks.PROTOCOLS[offer.hook])


def _unfit(offer: Offer, fault: str) -> Misuse:
    return Misuse(
        "provider.unfit",
        zh=f"插件 {offer.plugin} 提供的{_CAPABILITIES[offer.hook].zh} {offer.name} 不符合约定：{fault}。请更新该插件。",
        en=f"The {_CAPABILITIES[offer.hook].en} {offer.name} of the plugin {offer.plugin} does not fit its contract: "
        f"{fault}. Update the plugin.",
        name=offer.name,
        plugin=offer.plugin,
    )


def _hook_of(protocol: object) -> str:
    for hook, known in hooks.PROTOCOLS.items():
        if known is protocol:
            return hook
    raise TypeError(f"{protocol!r} is no vendor Protocol")


def _is_stand_in(thing: object) -> bool:
    return getattr(thing, "development_only", False) is True


def _hint_zh(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"是否应为 {near[0]}？"
    return f"可用的有：{', '.join(names) or '无'}。请更正名称，或在设置 plugins 中启用提供它的插件。"


def _hint_en(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"Did you mean {near[0]}?"
    return (
        f"Available: {', '.join(names) or 'none'}. Correct the name, or enable the plugin that offers it in the "
        "setting plugins."
    )
