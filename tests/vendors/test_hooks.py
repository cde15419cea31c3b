"""Hooks and Protocols stay small, described and in step: a fat interface is a tax on every vendor."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from engine.vendors import conformance, hooks, protocols
from engine.vendors.registry import load_registry  # noqa: F401  # the road the hooks are called by must import

HOOKS = {name: hook for name, hook in vars(hooks).items() if name.startswith("sealflow_")}
CONTRACTS: list[type] = [kind for kind in vars(protocols).values() if getattr(kind, "_is_protocol", False)]


def methods(protocol: type) -> dict[str, Any]:
    return {name: one for name, one in vars(protocol).items() if inspect.isfunction(one) and not name.startswith("_")}


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_described_takes_nothing_and_says_what_it_returns(name: str) -> None:
    assert inspect.getdoc(HOOKS[name])
    assert not inspect.signature(HOOKS[name]).parameters
    assert "Mapping" in str(get_type_hints(HOOKS[name])["return"])


def test_every_hook_is_tried_by_a_test() -> None:
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parents[1].rglob("test_*.py"))
    plugins = "".join(path.read_text("utf-8") for path in (Path(__file__).parents[2] / "plugins").rglob("*.py"))
    assert [name for name in HOOKS if f"def {name}" not in tests + plugins] == []


def test_the_guide_names_every_hook_and_every_method() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text("utf-8")
    names = [*HOOKS, *(method for protocol in hooks.PROTOCOLS.values() for method in methods(protocol))]
    assert [name for name in names if f"`{name}`" not in guide] == []


def test_every_hook_but_the_stages_has_its_protocol() -> None:
    assert set(hooks.PROTOCOLS) == set(HOOKS) - {"sealflow_stages"}
    assert set(hooks.PROTOCOLS.values()) == {kind for kind in CONTRACTS if kind.__name__ != "Protocol"}


@pytest.mark.parametrize("protocol", hooks.PROTOCOLS.values())
def test_no_protocol_asks_for_more_than_four_methods(protocol: type) -> None:
    assert 1 <= len(methods(protocol)) <= 4
    assert all(inspect.getdoc(method) for method in methods(protocol).values())


@pytest.mark.parametrize("protocol", hooks.PROTOCOLS.values())
def test_every_protocol_has_cases_in_the_kit(protocol: type) -> None:
    kits = (
        conformance.storage_cases,
        conformance.sms_cases,
        conformance.face_cases,
        conformance.ocr_cases,
        conformance.certificate_cases,
    )
    takers = {get_type_hints(cases[0].run)[next(iter(inspect.signature(cases[0].run).parameters))] for cases in kits}
    assert protocol in takers
