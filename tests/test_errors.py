import inspect

import pytest

from engine import errors
from engine.errors import Defect, SealflowError, from_dict
from engine.language import Text, preferred_language

TREE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, SealflowError)]


@pytest.mark.parametrize("kind", TREE)
def test_the_tree_drawn_on_top_is_the_tree(kind: type[SealflowError]) -> None:
    assert errors.__doc__ is not None
    line = next(line for line in errors.__doc__.splitlines() if kind.__name__ in line)
    if kind not in (SealflowError, errors.StaleClaim):
        assert f"exit {kind.exit_status}" in line
        assert f"HTTP {kind.http_status}" in line


@pytest.mark.parametrize("kind", [kind for kind in TREE if kind is not SealflowError])
def test_an_error_survives_being_written_down(kind: type[SealflowError]) -> None:
    error = kind("area.reason", zh="出了问题", en="something happened", page=3)
    back = from_dict(error.to_dict())
    assert type(back) is kind
    assert (back.code, back.facts, back.say("zh"), back.say("en")) == (
        "area.reason",
        {"page": 3},
        "出了问题",
        "something happened",
    )


def test_an_unknown_class_is_never_taken_for_a_harmless_one() -> None:
    assert type(from_dict({"class": "Forgiven", "code": "x.y", "zh": "一", "en": "one"})) is Defect


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "SEALFLOW_LANG": "en"}, "en"),
        ({"LC_MESSAGES": "zh_TW", "LANG": "en_US"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh_CN"}, "zh"),
        ({"LANG": "C.UTF-8"}, "en"),
    ],
)
def test_the_locale_chooses_the_language(environ: dict[str, str], language: str) -> None:
    assert preferred_language(environ) == language


def test_a_text_speaks_the_callers_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALFLOW_LANG", "zh")
    assert str(Text(zh="中文", en="English")) == "中文"
