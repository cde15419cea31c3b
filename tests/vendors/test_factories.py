"""Settings of a provider: only its own table, typed, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import Misuse
from engine.settings import Settings
from engine.vendors.protocols import Storage
from engine.vendors.registry import load_registry
from tests.vendors.conftest import Install

TYPED = """
@dataclass(frozen=True)
class Options:
    bucket: str
    folder: Path | None = None
    parts: int = 8

class Bucket(Memory):
    def __init__(self, settings: Options, home: Path) -> None:
        self.settings, self.home = settings, home

@hookimpl
def sealflow_storages(): return {"bucket": Bucket}
"""
STRUCT = TYPED.replace(
    "@dataclass(frozen=True)\nclass Options:", "import msgspec\nclass Options(msgspec.Struct, frozen=True):"
)
INHERITED = TYPED.replace('{"bucket": Bucket}', '{"bucket": type("Child", (Bucket,), {})}')
FUNCTION = TYPED.replace('{"bucket": Bucket}', '{"bucket": open_bucket}') + (
    "\ndef open_bucket(home: Path, settings: Options) -> Bucket: return Bucket(settings, home)\n"
)
FORMS = pytest.mark.parametrize("source", [TYPED, STRUCT, INHERITED, FUNCTION])


def make(install: Install, source: str, table: dict[str, Any] | None) -> Any:
    vendors = {} if table is None else {"bucket": table}
    registry = load_registry(Settings(home=Path("/home"), plugins=("acme",), vendors=vendors), [install(source)])
    return registry.provider(Storage, "bucket")


@FORMS
def test_a_factory_receives_its_own_table_typed_and_the_home(install: Install, source: str) -> None:
    made = make(install, source, {"bucket": "contracts", "folder": "/srv"})
    assert (made.settings.bucket, made.settings.folder, made.settings.parts) == ("contracts", Path("/srv"), 8)
    assert made.home == Path("/home")


@FORMS
@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"bucket": "x", "part": 1}, "did you mean parts"),
        ({"bucket": "x", "secret": 1}, "no key secret"),
        ({"bucket": 5}, "str"),
        ({"bucket": "x", "parts": "8"}, "int"),
        ({}, "bucket"),
        (None, "bucket"),
    ],
)
def test_a_wrong_table_is_refused_with_table_and_key(
    install: Install, source: str, table: dict[str, Any] | None, words: str
) -> None:
    with pytest.raises(Misuse) as caught:
        make(install, source, table)
    assert caught.value.code == "vendors.invalid"
    assert "[vendors.bucket]" in caught.value.text.zh
    assert words in caught.value.text.en


def test_a_provider_without_settings_refuses_a_table(install: Install) -> None:
    with pytest.raises(Misuse) as caught:
        make(install, "@hookimpl\ndef sealflow_storages(): return {'bucket': Memory}", {"parts": 1})
    assert caught.value.code == "vendors.invalid"


def test_a_table_that_belongs_to_nobody_is_refused_with_the_nearest_name(install: Install) -> None:
    with pytest.raises(Misuse) as caught:
        load_registry(Settings(plugins=("acme",), vendors={"buckt": {}}), [install(TYPED)])
    assert caught.value.code == "vendors.unknown"
    assert "Did you mean bucket?" in caught.value.text.en


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("settings: Options, home: Path", "settings, home: Path", "annotated"),
        ("settings: Options, home: Path", "settings: dict, home: Path", "annotated"),
        ("settings: Options, home: Path", "settings: Unheard, home: Path", "annotated"),
        ("frozen=True", "frozen=False", "annotated"),
        ("settings: Options, home: Path", "settings: Options, database: str", "not database"),
        ('{"bucket": Bucket}', '{"bucket": connect}\nasync def connect(): ...', "async"),
    ],
)
def test_a_factory_of_the_wrong_shape_is_refused_at_the_start(install: Install, old: str, new: str, words: str) -> None:
    with pytest.raises(Misuse) as caught:
        make(install, TYPED.replace(old, new), {"bucket": "x"})
    assert caught.value.code == "provider.unfit"
    assert words in caught.value.text.en
