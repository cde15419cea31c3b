"""The registry: providers by name, every mistake of a plugin said aloud before anything starts."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from engine.errors import Misuse
from engine.settings import Settings
from engine.vendors.protocols import OcrEngine, SmsSender, Storage
from engine.vendors.registry import Registry, load_registry
from tests.vendors.conftest import Install

OFFER = """
@hookimpl
def sealflow_storages():
    return {"acme": Memory}
"""


def load(*entry_points: EntryPoint, home: Path = Path("/nowhere"), **settings: Any) -> Registry:
    names = settings.pop("plugins", tuple(dict.fromkeys(entry_point.name for entry_point in entry_points)))
    return load_registry(Settings(home=home, plugins=names, **settings), entry_points)


def refusal(*entry_points: EntryPoint, **settings: Any) -> Misuse:
    with pytest.raises(Misuse) as caught:
        load(*entry_points, **settings)
    return caught.value


def test_a_provider_is_found_by_its_name_and_made_once(install: Install) -> None:
    registry = load(install(OFFER))
    storage = registry.provider(Storage, "acme")
    assert isinstance(storage, Storage)
    assert registry.provider(Storage, "acme") is storage


def test_two_registries_share_nothing(install: Install) -> None:
    entry_point = install(OFFER)
    assert load(entry_point).provider(Storage, "acme") is not load(entry_point).provider(Storage, "acme")


def test_a_plugin_that_is_not_allowed_is_not_even_imported(install: Install) -> None:
    registry = load(install(OFFER), install("raise SystemExit('imported')", "evil"), plugins=("acme",))
    assert [row.name for row in registry.listed()] == ["acme"]


def test_an_unknown_plugin_is_refused_with_the_installed_ones(install: Install) -> None:
    error = refusal(install(OFFER), plugins=("acne",))
    assert error.code == "plugin.unknown"
    assert "acne" in error.text.en
    assert "acme" in error.text.zh


def test_two_packages_with_one_plugin_name_are_refused(install: Install) -> None:
    assert refusal(install(OFFER), install(OFFER)).code == "plugin.duplicate"


def test_one_module_under_two_names_is_refused(install: Install) -> None:
    first = install(OFFER)
    assert refusal(first, EntryPoint("again", first.value, first.group)).code == "plugin.duplicate"


def test_two_providers_of_one_name_are_refused_with_both_plugins(install: Install) -> None:
    error = refusal(install(OFFER), install(OFFER, "other"))
    assert error.code == "provider.duplicate"
    assert "acme" in error.text.en
    assert "other" in error.text.en


def test_one_name_in_two_capabilities_is_refused_because_settings_go_by_name(install: Install) -> None:
    sms = """
    class Sender:
        async def send(self, message, key): ...
        async def status(self, key, phone, sent_after): ...

    @hookimpl
    def sealflow_sms_senders():
        return {"acme": Sender}
    """
    assert refusal(install(OFFER), install(sms, "other")).code == "provider.duplicate"


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("import nowhere_to_be_found", "plugin.broken", "nowhere_to_be_found"),
        ("1 / 0", "plugin.broken", "ZeroDivisionError"),
        ("raise SystemExit(0)", "plugin.broken", "SystemExit"),
        ("@hookimpl\ndef sealflow_storages(): raise SystemExit(0)", "plugin.hook_failed", "SystemExit"),
        ("x = 1", "plugin.empty", "sealflow_storages"),
        ("def sealflow_storages(): return {}", "plugin.hook_unmarked", "sealflow_storages"),
        ("@hookimpl\ndef sealflow_storage(): return {}", "plugin.hook_unknown", "sealflow_storages"),
        ("@hookimpl\ndef brew_coffee(): return {}", "plugin.hook_unknown", "brew_coffee"),
        ("@hookimpl(specname='sealflow_storagez')\ndef f(): return {}", "plugin.hook_unknown", "sealflow_storages"),
        ("@hookimpl(optionalhook=True)\ndef sealflow_ocr(): return {}", "plugin.hook_unknown", "sealflow_ocr"),
        ("@hookimpl\nasync def sealflow_storages(): return {}", "plugin.hook_async", "sealflow_storages"),
        ("@hookimpl\nasync def sealflow_storages(): yield {}", "plugin.hook_async", "sealflow_storages"),
        ("@hookimpl\ndef sealflow_storages(settings): return {}", "plugin.hook_parameters", "settings"),
        ("@hookimpl(wrapper=True)\ndef sealflow_storages(): return (yield)", "plugin.hook_parameters", "wrapper"),
        ("@hookimpl\ndef sealflow_storages(): return {}['x']", "plugin.hook_failed", "KeyError"),
        ("@hookimpl\ndef sealflow_storages(): return [Memory]", "plugin.hook_result", "list"),
        ("@hookimpl\ndef sealflow_storages(): return {1: Memory}", "plugin.hook_result", "dict"),
        ("@hookimpl\ndef sealflow_storages(): return None", "plugin.hook_result", "NoneType"),
    ],
)
def test_mistakes_that_pluggy_lets_pass_stop_the_start(install: Install, source: str, code: str, words: str) -> None:
    error = refusal(install(source))
    assert error.code == code
    assert words in error.text.en
    assert "acme" in error.text.en
    assert "acme" in error.text.zh


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ("put = None", "put is missing"),
        ("put = 5", "put must be an ordinary method"),
        ("def put(self, source): return ''", "put must be async"),
        ("async def put(self): ...", "put must take (source)"),
        ("async def put(self, path): ...", "put must take (source)"),
        ("async def put(self, source, mode): ...", "put must take (source)"),
        ("async def put(self, *, source): ...", "put must take (source)"),
        ("async def get(self, workspace, digest): ...", "get must take (digest, workspace)"),
        ("async def digests(self, stored_before): return []", "digests must give an async iterator"),
        ("@staticmethod\n    async def put(source): ...", "put must be an ordinary method"),
    ],
)
def test_a_provider_that_is_not_what_it_says_is_refused_at_the_start(install: Install, member: str, words: str) -> None:
    error = refusal(
        install(f"class Odd(Memory):\n    {member}\n\n@hookimpl\ndef sealflow_storages(): return {{'odd': Odd}}")
    )
    assert error.code == "provider.unfit"
    assert words in error.text.en
    assert "acme" in error.text.zh


def test_more_parameters_with_defaults_are_no_fault(install: Install) -> None:
    source = """
    class Wide(Memory):
        async def put(self, source: Path, tier: str = "cold", *rest: int, **more: int) -> str: return tier

    @hookimpl
    def sealflow_storages(): return {"wide": Wide}
    """
    assert load(install(source)).provider(Storage, "wide")


def test_what_an_untyped_factory_makes_is_checked_when_it_is_made(install: Install) -> None:
    registry = load(install("@hookimpl\ndef sealflow_storages(): return {'odd': lambda home: home}"))
    with pytest.raises(Misuse) as caught:
        registry.provider(Storage, "odd")
    assert caught.value.code == "provider.unfit"


@pytest.mark.parametrize("thing", ["5", "'plugins.storage'", "Memory()"])
def test_something_that_cannot_be_called_is_no_factory(install: Install, thing: str) -> None:
    error = refusal(install(f"@hookimpl\ndef sealflow_storages(): return {{'odd': {thing}}}"))
    assert error.code == "provider.unfit"


def test_a_provider_that_cannot_start_is_named_with_its_cause(install: Install) -> None:
    source = """
    class Broken(Memory):
        def __init__(self, home: Path) -> None: raise RuntimeError("no licence")

    @hookimpl
    def sealflow_storages(): return {"broken": Broken}
    """
    with pytest.raises(Misuse) as caught:
        load(install(source)).provider(Storage, "broken")
    assert caught.value.code == "provider.broken"
    assert "no licence" in caught.value.text.zh


def test_an_unknown_provider_is_refused_with_the_nearest_name(install: Install) -> None:
    registry = load(install(OFFER))
    with pytest.raises(Misuse) as near:
        registry.provider(Storage, "acne")
    assert "Did you mean acme?" in near.value.text.en
    with pytest.raises(Misuse) as none:
        registry.provider(OcrEngine, "acme")
    assert none.value.code == "provider.unknown"
    assert "none" in none.value.text.en


STAND_IN = """
class Toy(Memory):
    development_only = True

@hookimpl
def sealflow_storages(): return {"toy": Toy}
"""


def test_a_stand_in_refuses_production(install: Install) -> None:
    error = refusal(install(STAND_IN), environment="production")
    assert error.code == "provider.development_only"


def test_a_stand_in_hidden_behind_a_function_refuses_production_too(install: Install) -> None:
    hidden = STAND_IN.replace('"toy": Toy', '"toy": lambda: Toy()')
    registry = load(install(hidden), environment="production")
    with pytest.raises(Misuse) as caught:
        registry.provider(Storage, "toy")
    assert caught.value.code == "provider.development_only"


def test_a_stand_in_shouts_once_when_it_is_used(install: Install) -> None:
    registry = load(install(STAND_IN))
    with capture_logs() as logs:
        registry.provider(Storage, "toy")
        registry.provider(Storage, "toy")
    assert [(entry["log_level"], entry["provider"]) for entry in logs] == [("warning", "toy")]


async def test_providers_that_were_made_are_closed(install: Install) -> None:
    source = """
    class Closing(Memory):
        closed = 0
        async def close(self) -> None: self.closed += 1

    @hookimpl
    def sealflow_storages(): return {"first": Closing, "second": Closing, "plain": Memory}
    """
    registry = load(install(source))
    first: Any = registry.provider(Storage, "first")
    registry.provider(Storage, "plain")
    await registry.close()
    await registry.close()
    assert first.closed == 1


def test_asking_for_something_that_is_no_vendor_protocol_is_a_mistake_of_the_caller(install: Install) -> None:
    with pytest.raises(TypeError, match="no vendor Protocol"):
        load(install(OFFER)).provider(dict, "acme")


def test_the_list_for_people_names_capability_plugin_and_stand_ins(install: Install) -> None:
    rows = load(install(OFFER), install(STAND_IN, "toys")).listed()
    assert [(row.capability, row.name, row.plugin, row.development_only) for row in rows] == [
        ("storage", "acme", "acme", False),
        ("storage", "toy", "toys", True),
    ]


def test_sms_senders_and_storages_are_told_apart(install: Install) -> None:
    with pytest.raises(Misuse) as caught:
        load(install(OFFER)).provider(SmsSender, "acme")
    assert "sms sender" in caught.value.text.en


def test_readers_of_page_images_are_offered_too(install: Install) -> None:
    source = """
    class Reader:
        async def recognize(self, image: Path, languages: tuple[str, ...]): ...

    @hookimpl
    def sealflow_ocr_engines(): return {"reader": Reader}
    """
    assert load(install(source)).provider(OcrEngine, "reader")


def test_an_object_of_a_module_can_be_the_plugin(install: Install) -> None:
    source = """
    class Plugin:
        @hookimpl
        def sealflow_storages(self): return {"acme": Memory}

    plugin = Plugin()
    """
    written = install(source)
    entry_point = EntryPoint(written.name, f"{written.value}:plugin", written.group)
    assert load(entry_point).provider(Storage, "acme")
