"""Words are found as people read them, however the file spells, splits or breaks them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import Rejected
from engine.pdf import anchors
from engine.pdf.anchors import Match, comparable
from engine.pdf.control import Anchor, Control
from tests.pdf.blank_pages import fill, place, write_blank


def write_lines(folder: Path, *lines: tuple[str, float, float], pages: int = 1) -> Path:
    """Lines of 10 pt text at x, y (lower left of an 18 pt high box); page 1 only."""
    controls = [
        place(Control(name=f"{number}", kind="text", width=450, size=10), x, y)
        for number, (_, x, y) in enumerate(lines)
    ]
    source = write_blank(folder / "pages.pdf", pages)
    return fill(folder, {f"{number}": text for number, (text, _, _) in enumerate(lines)}, *controls, source=source)


def find(pdf: Path, text: str, occurrence: int | None = None) -> Match:
    return anchors.find(Anchor(text=text, occurrence=occurrence), "签", anchors.read_pages(pdf))


@pytest.mark.parametrize(
    "written",
    [
        "甲方（盖章）",
        "甲方(盖章)",
        "甲 方 （ 盖 章 ）",
        "⽢甲⽅（盖章）：",
        "合同甲方（盖章）乙方（签字）",
        "甲　方（盖　章）",
    ],
)
def test_widths_spaces_and_radicals_do_not_matter(tmp_path: Path, written: str) -> None:
    assert find(write_lines(tmp_path, (written, 100, 500)), "甲方（盖章）").page == 1


def test_a_match_says_where_its_words_are(tmp_path: Path) -> None:
    pdf = write_lines(tmp_path, ("致甲方（盖章）：", 100, 500))
    box = find(pdf, "甲方(盖章)").box
    assert (box.left, box.right) == pytest.approx((110, 170), abs=0.1)
    assert 495 < box.bottom < 509 < box.top < 523


def test_words_in_separate_runs_on_one_line_are_one_phrase(tmp_path: Path) -> None:
    pdf = write_lines(tmp_path, ("（盖章）", 140, 500), ("甲方", 100, 500.5))
    assert find(pdf, "甲方（盖章）").box.left == pytest.approx(100, abs=0.1)


def test_words_broken_over_two_lines_of_a_cell_are_found_by_their_last_line(tmp_path: Path) -> None:
    pdf = write_lines(
        tmp_path, ("法定代表人或", 100, 500), ("委托代理人", 100, 485), ("乙方", 300, 500), ("签字", 300, 485)
    )
    box = find(pdf, "法定代表人或委托代理人").box
    assert box.left == pytest.approx(100, abs=0.1) and box.top < 502


def test_a_choice_is_needed_when_words_repeat(tmp_path: Path) -> None:
    pdf = write_lines(tmp_path, ("签字：", 100, 300), ("签字：", 100, 500), ("签字：", 300, 500))
    with pytest.raises(Rejected) as caught:
        find(pdf, "签字")
    assert caught.value.code == "control.anchor_ambiguous" and caught.value.facts["occurrences"] == 3
    places = [(round(box.left), box.bottom > 400) for box in (find(pdf, "签字", number).box for number in (1, 2, 3))]
    assert places == [(100, True), (300, True), (100, False)], "reading order: down, then right"
    assert find(pdf, "签字", -1) == find(pdf, "签字", 3)
    with pytest.raises(Rejected) as caught:
        find(pdf, "签字", 4)
    assert caught.value.code == "control.anchor_not_found" and "3" in caught.value.text.zh


def test_absent_words_are_named_with_the_most_similar_ones(tmp_path: Path) -> None:
    pdf = write_lines(tmp_path, ("本合同自签订之日起生效。", 100, 600), ("甲方（公章）：", 100, 500))
    with pytest.raises(Rejected) as caught:
        find(pdf, "甲方（盖章）")
    error = caught.value
    assert error.code == "control.anchor_not_found" and error.facts["nearest"] == "甲方(公章)"
    assert "甲方（盖章）" in error.text.zh and "甲方(公章)" in error.text.en


def test_nothing_similar_means_no_hint(tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        find(write_lines(tmp_path, ("abc", 100, 500)), "甲方（盖章）")
    assert caught.value.facts["nearest"] is None


def test_only_the_wanted_pages_are_read(tmp_path: Path) -> None:
    pdf = write_lines(tmp_path, ("甲方", 100, 500), pages=3)
    assert [page.number for page in anchors.read_pages(pdf, [2, 3])] == [2, 3]


@pytest.mark.parametrize(
    "damage", [b"", b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 9 0 R>>endobj\ntrailer<</Root 1 0 R>>"]
)
def test_a_file_without_readable_pages_gives_a_refusal_or_nothing(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "bad.pdf").write_bytes(damage)
    try:
        assert anchors.read_pages(tmp_path / "bad.pdf") == []
    except Rejected as refusal:
        assert refusal.code == "document.damaged"


@given(st.text())
def test_the_comparable_form_is_stable(text: str) -> None:
    once = comparable(text)
    assert not any(one.isspace() for one in once)
    assert comparable("  ".join(text)) == comparable(text) or any(ord(one) >= 0x300 for one in text)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.sampled_from("天地玄黄宇宙洪荒（），。"), max_size=12),
    st.text(st.sampled_from("天地玄黄宇宙洪荒（），。"), max_size=12),
)
def test_unique_words_are_found_between_any_others(tmp_path: Path, before: str, after: str) -> None:
    pdf = write_lines(tmp_path, (before + "乙方（签字）" + after, 50, 500))
    assert find(pdf, "乙方(签字)").box.width == pytest.approx(60, abs=0.5)


def test_only_pages_that_can_hold_the_words_are_read_closely(tmp_path: Path) -> None:
    texts = {1: "甲方", 2: "章盖（方 甲）", 3: "乙方（盖章）", 4: "甲方（盖章）"}
    controls = [place(Control(name=f"{page}", kind="text"), page=page) for page in texts]
    pdf = fill(tmp_path, {f"{page}": text for page, text in texts.items()}, *controls)
    assert anchors.choose_pages(pdf, [Anchor(text="甲方(盖章)")], range(1, 5)) == [2, 4]
    assert anchors.choose_pages(pdf, [Anchor(text="甲方(盖章)"), Anchor(text="乙方")], [1, 3]) == [3]
    assert anchors.choose_pages(pdf, [Anchor(text="丙方")], range(1, 5)) == [1, 2, 3, 4], "something to hint at"
