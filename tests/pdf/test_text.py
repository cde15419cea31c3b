"""Lines keep every character, fit their box and break where a Chinese typesetter would."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.pdf import text
from engine.pdf.faces import Glyph
from engine.pdf.text import Block

chinese = st.text(st.sampled_from("甲乙丙丁，。、；：（）《》“”！？ab 12.%A々—"), min_size=1, max_size=60)


def wrap(value: str, width: float, height: float = 1000, size: float = 10, min_size: float = 10) -> Block | None:
    glyphs, missing = text.shape(value, "serif")
    assert not missing
    return text.wrap_text([glyphs], size, min_size, width, height)


def lines_of(value: str, width: float) -> list[str]:
    block = wrap(value, width)
    assert block
    return [line.text for line in block.lines]


@settings(max_examples=200, deadline=None)
@given(chinese, st.integers(40, 200))
def test_wrapping_loses_nothing_but_spaces_at_line_ends(value: str, width: int) -> None:
    lines = lines_of(value, width)
    assert "".join(lines).replace(" ", "") == value.replace(" ", "")


@settings(max_examples=200, deadline=None)
@given(chinese, st.integers(40, 200))
def test_every_line_stays_within_the_width(value: str, width: int) -> None:
    block = wrap(value, width)
    assert block is not None and block.width <= width + 1e-6
    for line in block.lines:
        left, _, right, _ = line.ink
        assert (right - left) * block.size / 1000 <= width + 1e-6


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("甲乙丙丁，。、；：）》”！？（《“"), min_size=2, max_size=60))
def test_no_line_starts_with_closing_or_ends_with_opening_punctuation(value: str) -> None:
    lines = lines_of(value, 80)
    for before, after in pairwise(lines):
        forced = all(mark in "，。、；：）》”！？（《“" for mark in before + after)
        joint = before + after[:1]
        whole_unit_is_too_long = not any(text._may_break(one, other) for one, other in pairwise(joint))
        if not forced and not whole_unit_is_too_long:
            assert after[0] not in "，。、；：）》”！？", lines
            assert before[-1] not in "（《“", lines


def test_a_full_stop_takes_its_character_along_to_the_next_line() -> None:
    assert lines_of("甲乙丙丁戊己庚辛壬。癸", 90.5) == ["甲乙丙丁戊己庚辛", "壬。癸"]


def test_numbers_and_words_are_not_torn_apart() -> None:
    assert lines_of("工资为人民币12345.67元", 95) == ["工资为人民币", "12345.67元"]
    assert lines_of("see example.com now", 75) == ["see", "example.com", "now"]


def test_a_word_longer_than_a_line_is_cut_rather_than_lost() -> None:
    lines = lines_of("A" * 40, 60)
    assert len(lines) > 3 and "".join(lines) == "A" * 40


def test_wrapped_text_shrinks_only_as_far_as_it_must() -> None:
    value = "甲" * 30
    block = wrap(value, 100, 30, size=10, min_size=6)
    assert block is not None and 6 < block.size < 10 and block.height <= 30
    assert wrap(value, 100, 30, size=10, min_size=9.5) is None


def test_one_line_shrinks_until_it_fits_and_gives_up_below_the_smallest_size() -> None:
    glyphs, _ = text.shape("甲" * 12, "sans")
    block = text.shrink_line(glyphs, 10, 6, 100, 20)
    assert block is not None and block.size == 8.25 and block.width <= 100
    assert text.shrink_line(glyphs, 10, 9, 100, 20) is None
    assert text.shrink_line(glyphs, 10, 6, 100, 5) is None, "too high even at the smallest size"


@pytest.mark.parametrize(
    ("value", "missing"),
    [
        ("好🙂", ["🙂"]),
        ("\ue000", ["\ue000"]),
        ("a\tb", ["\t"]),
        ("\u200b零宽", ["\u200b"]),
        ("\u202e反", ["\u202e"]),
        ("שלום", list("שלום")),
        ("葛\U000e0100", ["葛\U000e0100"]),
        ("x\u0331", ["\u0331"]),
        ("\u3164", ["\u3164"]),
        ("\ud800", ["\ud800"]),
        ("👨‍👩‍👧", ["👨", "\u200d", "👩", "👧"]),
        ("甲🙂乙🙂", ["🙂"]),
    ],
)
def test_what_cannot_be_drawn_right_is_named(value: str, missing: list[str]) -> None:
    assert text.shape(text.compose(value), "serif")[1] == missing


def test_a_variation_the_face_knows_is_one_glyph() -> None:
    glyphs, missing = text.shape("、\ufe01", "serif")
    assert not missing
    assert [glyph.text for glyph in glyphs] == ["、\ufe01"]
    assert glyphs[0].number != text.shape("、", "serif")[0][0].number


def test_composing_keeps_compatibility_ideographs() -> None:
    assert text.compose("e\u0301\uf9dc") == "é\uf9dc"


def test_a_very_long_text_is_refused_quickly() -> None:
    """What is checked while a person waits must not try every size on ten thousand characters."""
    glyphs, _ = text.shape("长" * 10_000, "serif")
    tried = 0

    class Counted(list[Glyph]):
        def __iter__(self) -> Iterator[Glyph]:
            nonlocal tried
            tried += 1
            return super().__iter__()

    assert text.wrap_text([Counted(glyphs)], 72, 4, 300, 60) is None
    assert tried <= 3
