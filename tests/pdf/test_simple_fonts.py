import subprocess
from pathlib import Path

import pikepdf
import pytest
from PIL import ImageChops

from engine.pdf.conformance import Verdict, check_conformance
from engine.pdf.normalization import normalize
from engine.pdf.standard_faces import BUILT_IN
from tests.pdf.pictures_of_pages import is_blank, picture, text
from tests.pdf.raw_documents import one_page, stream

_A4 = b"[0 0 595.276 841.89]"  # nothing is moved, so pictures can be compared
STANDARD = [
    *("Helvetica", "Helvetica-Bold", "Helvetica-Oblique", "Helvetica-BoldOblique"),
    *("Times-Roman", "Times-Bold", "Times-Italic", "Times-BoldItalic"),
    *("Courier", "Courier-Bold", "Courier-Oblique", "Courier-BoldOblique"),
]


def _document(font: bytes, shown: bytes, more: tuple[bytes, ...] = ()) -> bytes:
    return one_page(
        b"BT /F 16 Tf 40 700 Td <%s> Tj ET" % shown.hex().encode(),
        page=b"/Resources<</Font<</F 5 0 R>>>>",
        more=(b"<</Type/Font%s>>" % font, *more),
        box=_A4,
    )


def _normalized(tmp_path: Path, content: bytes) -> tuple[Path, Path]:
    source, target = tmp_path / "source.pdf", tmp_path / "target.pdf"
    source.write_bytes(content)
    normalize(source, target)
    assert check_conformance(target).verdict is Verdict.PASS, check_conformance(target).violations
    fonts = subprocess.run(["pdffonts", target], capture_output=True, check=True, text=True).stdout.splitlines()[2:]
    assert fonts and all(line.split()[-5] == "yes" for line in fonts)  # emb sub uni object generation
    return source, target


def _places(path: Path) -> list[str]:
    told = subprocess.run(["pdftotext", "-bbox", path, "-"], capture_output=True, check=True, text=True).stdout
    return [line.strip() for line in told.splitlines() if "<word" in line]


@pytest.mark.parametrize("name", STANDARD)
def test_a_standard_font_is_brought_along_and_nothing_moves(tmp_path: Path, name: str) -> None:
    words = "Employment “Agreement” & 40 % – naïve façade £4 …"
    font = b"/Subtype/Type1/BaseFont/%s/Encoding/WinAnsiEncoding" % name.encode()
    source, target = _normalized(tmp_path, _document(font, words.encode("cp1252")))
    assert text(target).strip() == text(source).strip() == words
    difference = ImageChops.difference(picture(source), picture(target))
    assert sum(difference.convert("L").histogram()[96:]) < 40  # a few pixels at edges of glyphs
    for before, after in zip(_places(source), _places(target), strict=True):
        assert before.split('xMax="')[1][:5] == after.split('xMax="')[1][:5]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_symbol_looks_as_a_reader_draws_the_named_font(tmp_path: Path, name: str) -> None:
    codes = sorted(BUILT_IN[name])
    lines = b" ".join(b"<%s> ' " % bytes(codes[at : at + 16]).hex().encode() for at in range(0, len(codes), 16))
    source, target = tmp_path / "source.pdf", tmp_path / "target.pdf"
    content = b"BT /F 20 Tf 40 700 Td 30 TL %s ET" % lines
    font = b"<</Type/Font/Subtype/Type1/BaseFont/%s>>" % name.encode()
    source.write_bytes(one_page(content, page=b"/Resources<</Font<</F 5 0 R>>>>", more=(font,), box=_A4))
    normalize(source, target)
    difference = ImageChops.difference(picture(source), picture(target)).convert("L")
    assert sum(difference.histogram()[128:]) < 240  # Symbol has ® © ™ twice, drawn with serifs here


def test_widths_that_the_document_gives_decide(tmp_path: Path) -> None:
    font = b"/Subtype/TrueType/BaseFont/Arial/Encoding/WinAnsiEncoding/FirstChar 65/LastChar 66/Widths[333 900]"
    _, target = _normalized(tmp_path, _document(font, b"AAAB"))
    with pikepdf.open(target) as pdf:
        assert list(pdf.pages[0].Resources.Font.F.Widths) == [333, 900]
    assert text(target).strip() == "AAAB"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (b"Arial,BoldItalic", "Helvetica-BoldOblique"),
        (b"TimesNewRomanPS-BoldMT", "Times-Bold"),
        (b"CourierNew", "Courier"),
        (b"Georgia-Italic", "Times-Italic"),
        (b"Unheard-Of", "Helvetica"),
    ],
)
def test_a_relative_of_the_named_font_is_taken(tmp_path: Path, given: bytes, taken: str) -> None:
    font = b"/Subtype/TrueType/BaseFont/%s/Encoding/WinAnsiEncoding" % given
    _, target = _normalized(tmp_path, _document(font, b"Seal"))
    with pikepdf.open(target) as pdf:
        assert str(pdf.pages[0].Resources.Font.F.BaseFont).partition("+")[2] == taken


def test_names_in_differences_decide_what_a_code_means(tmp_path: Path) -> None:
    font = b"/Subtype/Type1/BaseFont/Times-Roman/Encoding<</Differences[1/Euro/germandbls/uni7532/afii10017]>>"
    _, target = _normalized(tmp_path, _document(font, b"\x01\x02\x03\x04"))
    assert text(target).strip() == "€ß甲А"
    assert not is_blank(picture(target))


def test_symbols_and_ticks_stay_what_they_are(tmp_path: Path) -> None:
    for name, shown, words in (
        (b"Symbol", b"\xa3\xb1\x61", "≤±α"),
        (b"ZapfDingbats", b"\x33\x38\x6e", "✓✘■"),
        (b"Wingdings", b"\xfe\xfc\xa8", "☑✓□"),
    ):
        _, target = _normalized(tmp_path, _document(b"/Subtype/Type1/BaseFont/" + name, shown))
        assert text(target).strip() == words
        assert not is_blank(picture(target))


def test_a_text_map_of_the_document_wins(tmp_path: Path) -> None:
    cmap = b"1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfchar <41> <7532> endbfchar"
    font = b"/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R"
    _, target = _normalized(tmp_path, _document(font, b"A", (stream(cmap),)))
    assert text(target).strip() == "甲"


def test_a_code_nobody_can_draw_keeps_its_place_and_stays_blank(tmp_path: Path) -> None:
    font = b"/Subtype/Type1/BaseFont/Helvetica/Encoding<</Differences[1/g77]>>/FirstChar 1/LastChar 1/Widths[5000]"
    _, target = _normalized(tmp_path, _document(font, b"\x01\x01"))
    assert is_blank(picture(target))


def test_a_font_that_is_named_and_never_used_does_no_harm(tmp_path: Path) -> None:
    content = one_page(
        b"BT /F 9 Tf ET 0 0 9 9 re f",
        page=b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>/G 5 0 R>>>>",
        more=(
            b"<</Type/Font/Subtype/Type0/BaseFont/SimSun/Encoding/GBK-EUC-H/DescendantFonts[<</Type/Font/Subtype"
            b"/CIDFontType2/BaseFont/SimSun/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>>>]>>",
        ),
    )
    _normalized(tmp_path, content)


def test_the_same_text_gives_the_same_bytes(tmp_path: Path) -> None:
    content = _document(b"/Subtype/Type1/BaseFont/Helvetica", b"once and again")
    first = _normalized(tmp_path, content)[1].read_bytes()
    assert _normalized(tmp_path, content)[1].read_bytes() == first
