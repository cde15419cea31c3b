"""Stages of third parties: the shape is checked before a pipeline file can name them."""

from __future__ import annotations

import pytest

from engine.errors import Misuse
from engine.settings import Settings
from engine.vendors.registry import load_registry
from tests.vendors.conftest import Install

GOOD = """
@dataclass(frozen=True)
class Staple:
    name: ClassVar[str] = "staple"
    version: ClassVar[int] = 1
    effect: ClassVar[str] = "appends"
    reads: ClassVar[frozenset[str]] = frozenset()
    corner: str = "upper-left"

    async def run(self, work): ...

@hookimpl
def sealflow_stages(): return {"staple": Staple}
"""


def test_a_stage_is_offered_by_its_name(install: Install) -> None:
    stages = load_registry(Settings(plugins=("acme",)), [install(GOOD)]).stages()
    assert list(stages) == ["staple"]
    assert stages["staple"].__name__ == "Staple"


def test_the_stages_cannot_be_changed_by_whoever_reads_them(install: Install) -> None:
    stages = load_registry(Settings(plugins=("acme",)), [install(GOOD)]).stages()
    with pytest.raises(TypeError):
        stages["other"] = object  # type: ignore[index]  # that is the point


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("@dataclass(frozen=True)", "", "not a dataclass"),
        ("frozen=True", "frozen=False", "not frozen"),
        ('"staple"\n', '"stapler"\n', "its name is 'stapler'"),
        ("= 1", "= '1'", "version"),
        ("= 1", "= True", "version"),
        ('"appends"', '"improves"', "appends, rewrites, signs"),
        ("= frozenset()", "= ('values',)", "reads"),
        ("= frozenset()", "= frozenset({1})", "reads"),
        ("async def run", "def run", "not an async method"),
        ("async def run", "async def walk", "not an async method"),
        ("run(self, work)", "run(self)", "exactly one argument"),
        ("run(self, work)", "run(self, work, more)", "exactly one argument"),
        ('{"staple": Staple}', '{"staple": Staple()}', "not a dataclass"),
    ],
)
def test_a_stage_of_the_wrong_shape_is_refused_with_the_reason(
    install: Install, old: str, new: str, words: str
) -> None:
    assert old in GOOD
    with pytest.raises(Misuse) as caught:
        load_registry(Settings(plugins=("acme",)), [install(GOOD.replace(old, new, 1))])
    assert caught.value.code == "provider.unfit"
    assert words in caught.value.text.en


def test_two_stages_of_one_name_are_refused(install: Install) -> None:
    with pytest.raises(Misuse) as caught:
        load_registry(Settings(plugins=("acme", "other")), [install(GOOD), install(GOOD, "other")])
    assert caught.value.code == "provider.duplicate"
