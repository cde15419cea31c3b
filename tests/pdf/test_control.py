"""Controls are read strictly; every mistake names its control."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.errors import Rejected
from engine.pdf.control import Anchor, Control, PlacedControl, check_controls, read_controls, read_placed

POINT = {"page": 1, "x": 10, "y": 10}


def refusal(*records: dict[str, Any]) -> Rejected:
    with pytest.raises(Rejected) as caught:
        read_controls(records)
    return caught.value


def test_plain_records_become_controls() -> None:
    anchor = {"text": "甲方（盖章）", "side": "below", "dx": 3}
    text, seal = read_controls(
        [{"name": "姓名", "kind": "text", **POINT}, {"name": "甲方", "kind": "signature", "anchor": anchor}]
    )
    assert text == Control(name="姓名", kind="text", page=1, x=10, y=10)
    assert seal.anchor == Anchor(text="甲方（盖章）", side="below", dx=3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "video"},
        {"kind": "text", "colour": "red"},
        {"kind": "text", "width": -1},
        {"kind": "text", "size": 400},
        {"kind": "text", "font": "kai"},
        {"kind": "text", "page": "one"},
        {"kind": "checkbox", "mark": "yes"},
        {"kind": "text", "anchor": {"text": ""}},
    ],
)
def test_what_is_not_understood_is_refused_by_name(wrong: dict[str, Any]) -> None:
    error = refusal({"name": "备注", **POINT, **wrong})
    assert error.code == "control.invalid"
    assert error.facts["control"] == "备注" and "备注" in error.text.zh and "备注" in error.text.en


def test_a_control_without_a_name_is_refused_by_its_number() -> None:
    assert refusal({"name": "a", "kind": "text", **POINT}, {"kind": "text"}).facts["control"] == "#2"


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"page": 1, "x": 1},
        {"page": 0, "x": 1, "y": 1},
        {"page": 1, "x": 1, "y": 1, "anchor": {"text": "甲方"}},
        {"anchor": {"text": "甲方", "occurrence": 0}},
        {"page": 0, "anchor": {"text": "甲方"}},
    ],
)
def test_a_control_needs_exactly_one_place(place: dict[str, Any]) -> None:
    assert refusal({"name": "a", "kind": "text", **place}).code == "control.no_place"


def test_names_are_unique() -> None:
    error = refusal(*({"name": name, "kind": "text", **POINT} for name in "abcab"))
    assert (error.code, error.facts["controls"]) == ("control.duplicate_name", "a, b")


def test_a_signature_name_has_no_full_stop_because_fields_nest_by_it() -> None:
    assert refusal({"name": "甲方.章", "kind": "signature", **POINT}).code == "control.bad_name"
    check_controls([Control(name="甲方.章", kind="text", page=1, x=1, y=1)])


def test_the_smallest_size_is_not_above_the_size() -> None:
    wrong = {"name": "a", "kind": "text", "overflow": "shrink", "size": 8, "min_size": 9, **POINT}
    assert refusal(wrong).code == "control.bad_size"


def test_placed_controls_survive_the_way_through_json() -> None:
    control = Control(name="签", kind="signature", anchor=Anchor(text="甲方", occurrence=-1), width=119, height=119)
    placed = PlacedControl(control=control, page=3, x=70.5, y=100)
    record = msgspec.json.decode(msgspec.json.encode(placed))
    assert read_placed([record]) == (placed,)
    assert (placed.right, placed.top) == (189.5, 219)


def test_a_damaged_fact_is_refused() -> None:
    with pytest.raises(Rejected) as caught:
        read_placed([{"control": {"name": "a", "kind": "text"}, "page": 1}])
    assert caught.value.code == "control.invalid"
