"""All faults of a form are found at once, before anything is drawn or sent."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any

import pytest

from engine.errors import Rejected
from engine.pdf import values
from engine.pdf.control import Control
from engine.pdf.values import Picture, check_values, format_date, require_values


def control(name: str = "姓名", kind: Any = "text", **options: Any) -> Control:
    return Control(name=name, kind=kind, page=1, x=1, y=1, **options)


def codes(given: Any, **options: Any) -> list[str]:
    one = control(**options)
    return [fault.code for fault in check_values([one], {one.name: given})]


def test_good_values_have_no_faults() -> None:
    controls = [control("a"), control("b", "date"), control("c", "checkbox"), control("d", "signature", required=True)]
    require_values(controls, {"a": "张三", "b": "2026-11-23", "c": True})


def test_all_missing_values_are_named_at_once() -> None:
    controls = [control(name, required=True) for name in ("甲", "乙", "丙")]
    with pytest.raises(Rejected) as caught:
        require_values(controls, {"乙": "有", "丙": "  "})
    error = caught.value
    assert (error.code, error.facts["controls"], error.facts["faults"]) == ("value.missing", "甲, 丙", 2)
    assert "甲" in error.text.zh and "丙" in error.text.en


def test_faults_of_different_kinds_come_in_one_error() -> None:
    controls = [control("甲", required=True), control("乙"), control("丙", "date")]
    with pytest.raises(Rejected) as caught:
        require_values(controls, {"乙": "🙂\u0007", "丙": "昨天", "丁": 1})
    error = caught.value
    assert error.code == "value.several" and error.facts["faults"] == 5
    assert error.facts["codes"] == "text.no_glyph, value.bad_date, value.missing, value.unknown_control"
    for words in ("U+1F642", "U+0007", "昨天", "丁"):
        assert words in error.text.zh and words in error.text.en


@pytest.mark.parametrize(
    ("kind", "given", "code"),
    [
        ("text", True, "value.wrong_kind"),
        ("text", ["a"], "value.wrong_kind"),
        ("text", {"a": 1}, "value.wrong_kind"),
        ("text", "两\n行", "value.line_break"),
        ("text", "长" * 11, "value.too_long"),
        ("text", "长" * 10_001, "value.too_long"),
        ("date", "2026-02-30", "value.bad_date"),
        ("date", 20261123, "value.bad_date"),
        ("checkbox", "yes", "value.wrong_kind"),
        ("checkbox", 1, "value.wrong_kind"),
        ("signature", "张三", "value.not_fillable"),
        ("image", "/etc/hostname", "value.bad_picture"),
        ("image", base64.b64encode(b"GIF89a").decode(), "value.bad_picture"),
        ("image", "A" * 12 * 1024 * 1024, "value.picture_too_large"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(kind: str, given: Any, code: str) -> None:
    assert codes(given, kind=kind, width=100) == [code]


def test_a_number_is_drawn_as_it_is_written() -> None:
    drawings, _ = values.lay_out([control("a"), control("b")], {"a": 8000, "b": 12.5})
    assert [drawings[name].lines[0].text for name in "ab"] == ["8000", "12.5"]  # type: ignore[union-attr]


def test_too_long_text_is_refused_with_what_was_measured() -> None:
    (fault,) = check_values([control(width=100, height=20, size=10)], {"姓名": "长" * 11})
    assert "110.0" in fault.zh and "100" in fault.zh and "长长" in fault.zh and "姓名" in fault.zh
    assert "110.0" in fault.en


def test_a_box_lower_than_its_text_is_refused() -> None:
    assert codes("张", height=5) == ["value.too_long"]


@pytest.mark.parametrize(("policy", "lines"), [("shrink", 1), ("wrap", 2)])
def test_policies_make_long_text_fit(policy: str, lines: int) -> None:
    one = control(width=100, height=30, size=10, overflow=policy)
    drawings, faults = values.lay_out([one], {"姓名": "长" * 14})
    assert not faults
    block = drawings["姓名"]
    assert not isinstance(block, Picture) and block is not None
    assert len(block.lines) == lines and block.width <= 100 and block.height <= 30


def test_wrapped_text_keeps_its_own_line_breaks() -> None:
    one = control(width=100, height=60, overflow="wrap")
    drawings, _ = values.lay_out([one], {"姓名": "一\r\n\n二"})
    assert [line.text for line in drawings["姓名"].lines] == ["一", "", "二"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("YYYY年M月D日", "2026年3月5日"),
        ("YYYY年MM月DD日", "2026年03月05日"),
        ("YYYY-MM-DD", "2026-03-05"),
        ("D/M/YYYY", "5/3/2026"),
        ("〇", "二〇二六年三月五日"),
    ],
)
def test_dates_are_written_the_chinese_way(pattern: str, written: str) -> None:
    assert format_date(date(2026, 3, 5), pattern) == written


@pytest.mark.parametrize(
    ("day", "written"),
    [(date(2026, 10, 10), "十月十日"), (date(2026, 11, 20), "十一月二十日"), (date(2026, 12, 31), "十二月三十一日")],
)
def test_chinese_numerals_count_in_tens(day: date, written: str) -> None:
    assert format_date(day, "〇") == f"二〇二六年{written}"


def test_an_unticked_box_and_an_empty_optional_value_draw_nothing() -> None:
    controls = [control("a", "checkbox"), control("b"), control("c", "image")]
    drawings, faults = values.lay_out(controls, {"a": False, "b": ""})
    assert drawings == {"a": None, "b": None, "c": None} and not faults


def test_a_mark_without_a_glyph_is_refused() -> None:
    assert codes(True, kind="checkbox", mark="🙂") == ["text.no_glyph"]


def test_a_data_address_is_a_picture_too() -> None:
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    drawings, faults = values.lay_out([control("a", "image")], {"a": f"data:image/png;base64,{png}"})
    assert drawings["a"] == Picture(b"\x89PNG\r\n\x1a\n") and not faults
