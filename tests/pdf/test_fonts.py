"""What is drawn can be read back, by every reader, exactly as it was given."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pikepdf import pdfa

from engine.pdf import text
from engine.pdf.control import Control
from engine.pdf.faces import FACES
from tests.pdf.blank_pages import READERS, fill, place, read_with_pdfium, read_with_poppler, squeeze

LINE = Control(name="line", kind="text", width=400, height=20, overflow="shrink", min_size=4)


@cache
def covered() -> str:
    """Every character of the bundled faces that can be drawn."""
    points = set().union(*(face.face.unicodes for face in FACES.values()))
    characters = (chr(point) for point in sorted(points))
    return "".join(one for one in characters if text.compose(one) == one and not text.shape(one, "serif")[1])


words = st.deferred(lambda: st.text(st.sampled_from(covered()), min_size=1, max_size=24).map(text.compose)).filter(
    squeeze
)


def test_the_faces_cover_what_chinese_names_need() -> None:
    assert len(covered()) > 44_000
    assert set("张王李刘陈𠮷䶮㛃龘㐂叕喆犇堃囍〇") <= set(covered())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words, words, st.sampled_from(["serif", "sans"]))
def test_any_covered_text_is_extracted_unchanged_by_three_readers(
    tmp_path: Path, one: str, other: str, font: str
) -> None:
    upper = place(Control(name="upper", kind="text", width=500, height=20, overflow="shrink", min_size=4), 20, 700)
    lower = place(
        Control(name="lower", kind="text", width=500, height=20, overflow="shrink", min_size=4, font=font), 20, 200
    )
    filled = fill(tmp_path, {"upper": one, "lower": other}, upper, lower)
    for read in READERS:
        assert squeeze(read(filled)) == squeeze(one) + squeeze(other), read.__name__


@pytest.mark.parametrize(
    "value",
    [
        "𠮷野䶮㛃",  # outside the basic plane; rare
        "一⼀丨⼁",  # characters and radicals that share an outline
        "兀\ufe00嗀兀",  # a standardised variant beside its base
        "﨏﨑﨓羽羽",  # compatibility ideographs stay what they are
        "①②③㈱℃％￥＄",
        "Ångström naïve ÀÉÎÕÜ",
        "（甲方）：“合同”—‘附件’……《劳动法》",
        "ABC abc 0123456789 ~!@#$%^&*()_+",
    ],
)
def test_difficult_text_is_extracted_unchanged(tmp_path: Path, value: str) -> None:
    filled = fill(tmp_path, {"line": value}, place(LINE))
    for read in READERS:
        assert squeeze(read(filled)) == squeeze(value), read.__name__


def test_a_decomposed_letter_is_drawn_composed_and_a_ligature_apart(tmp_path: Path) -> None:
    filled = fill(tmp_path, {"line": unicodedata.normalize("NFD", "José") + " ﬁn"}, place(LINE))
    assert read_with_poppler(filled).split() == ["José", "fin"]


def test_only_the_faces_in_use_are_embedded_and_only_their_glyphs(tmp_path: Path) -> None:
    filled = fill(tmp_path, {"line": "甲𠮷甲"}, place(LINE))
    with pikepdf.open(filled) as pdf:
        fonts = pdf.pages[0].Resources.Font
        programs = [font.DescendantFonts[0].FontDescriptor.FontFile3 for font in fonts.values()]
        names = sorted(str(font.DescendantFonts[0].BaseFont) for font in fonts.values())
        assert [name[8:] for name in names] == ["NotoSansCJKsc", "NotoSerifSC"] or len(names) == 2
        assert all(program.Subtype == "/CIDFontType0C" and len(program.read_bytes()) < 8000 for program in programs)
    assert filled.stat().st_size < 12_000


def test_the_same_values_give_the_same_bytes(tmp_path: Path) -> None:
    control = place(LINE)
    first = fill(tmp_path, {"line": "张三 𠮷 2026"}, control).read_bytes()
    assert fill(tmp_path, {"line": "张三 𠮷 2026"}, control).read_bytes() == first
    assert fill(tmp_path, {"line": "张四 𠮷 2026"}, control).read_bytes() != first


def test_fonts_pass_the_archive_rules(tmp_path: Path) -> None:
    filled = fill(tmp_path, {"line": "合同 Contract 𠮷⼀一 ①"}, place(LINE))
    with pikepdf.open(filled) as pdf:
        report = pdfa.check(pdf, "2b")
    assert not [str(finding) for finding in report.findings if ":6.2.11" in finding.rule]


def test_wide_texts_show_their_widths_to_readers(tmp_path: Path) -> None:
    """Selecting text in a viewer needs the widths in the file to be those of the outlines."""
    filled = fill(tmp_path, {"line": "iiiWWW一"}, place(LINE))
    with pikepdf.open(filled) as pdf:
        (font,) = pdf.pages[0].Resources.Font.values()
        widths = sorted(int(width) for width in font.DescendantFonts[0].W[1])
    glyphs, _ = text.shape("iW一", "serif")
    assert widths == sorted(glyph.advance for glyph in glyphs)


def test_every_single_covered_character_is_extracted(tmp_path: Path) -> None:
    """All 44,800 of them, on one long document; the slowest of the readers is asked by samples above."""
    visible = [one for one in covered() if not one.isspace()]
    rows = ["".join(visible[start : start + 25]) for start in range(0, len(visible), 25)]
    controls = [
        place(
            Control(name=f"{number}", kind="text", width=560, height=18, overflow="shrink"),
            20,
            815 - number % 40 * 20,
            number // 40 + 1,
        )
        for number in range(len(rows))
    ]
    filled = fill(tmp_path, {f"{number}": row for number, row in enumerate(rows)}, *controls)
    for read in (read_with_poppler, read_with_pdfium):
        lines = [squeeze(line) for line in read(filled).replace("\f", "\n").splitlines() if line.strip()]
        assert [(told, row) for told, row in zip(lines, rows, strict=True) if told != row] == [], read.__name__
