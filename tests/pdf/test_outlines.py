import subprocess
from pathlib import Path

import pikepdf
import pytest

from engine.pdf.outlines import embed_drawn_fonts
from tests.pdf.pictures_of_pages import picture, text
from tests.pdf.raw_documents import one_page, stream

_SQUARE = b"1000 0 100 -700 700 -100 d1 100 -100 m 700 -100 l 700 -700 l 100 -700 l h f"
_ROUND = b"1000 0 100 -700 700 -100 d1 100 -100 m 300 0 700 -300 700 -400 c 700 -600 400 -700 v 200 -700 100 -100 y h f"


def _document(procedure: bytes, matrix: bytes = b"[.001 0 0 -.001 0 0]") -> bytes:
    font = (
        b"<</Type/Font/Subtype/Type3/FontBBox[0 0 1000 -1000]/FontMatrix" + matrix + b"/FirstChar 65/LastChar 65"
        b"/Widths[1000]/Encoding<</Differences[65/g1]>>/CharProcs<</g1 6 0 R>>/ToUnicode 7 0 R>>"
    )
    return one_page(
        b"BT /F 100 Tf 72 700 Td (AA) Tj ET",
        page=b"/Resources<</Font<</F 5 0 R>>>>",
        more=(font, stream(procedure), stream(b"1 beginbfchar <41> <7532> endbfchar")),
    )


def _embedded(tmp_path: Path, content: bytes) -> int:
    (tmp_path / "source.pdf").write_bytes(content)
    with pikepdf.explicit_conversion(), pikepdf.open(tmp_path / "source.pdf") as pdf:
        count = embed_drawn_fonts(pdf)
        pdf.save(tmp_path / "target.pdf", deterministic_id=True)
    return count


@pytest.mark.parametrize("procedure", [_SQUARE, _ROUND])
def test_drawn_glyphs_become_a_font_that_looks_and_reads_the_same(tmp_path: Path, procedure: bytes) -> None:
    assert _embedded(tmp_path, _document(procedure)) == 1
    before, after = (picture(tmp_path / name).convert("L") for name in ("source.pdf", "target.pdf"))
    differing = sum(abs(a - b) > 100 for a, b in zip(before.tobytes(), after.tobytes(), strict=True))
    assert differing < 40  # of some 7,000 dark ones; edges round differently
    assert text(tmp_path / "target.pdf").strip() == "甲甲"
    read = subprocess.run(["pdftotext", tmp_path / "target.pdf", "-"], capture_output=True, check=True, text=True)
    assert read.stdout.strip() == "甲甲"
    fonts = subprocess.run(["pdffonts", tmp_path / "target.pdf"], capture_output=True, check=True, text=True)
    assert "TrueType" in fonts.stdout and "Type 3" not in fonts.stdout


@pytest.mark.parametrize(
    "content",
    [
        _document(b"1000 0 d0 1 0 0 rg 0 0 500 -500 re f"),
        _document(_SQUARE + b" 0 0 m 9 9 l S"),
        _document(_SQUARE, b"[.01 0 0 .01 0 0]"),
    ],
)
def test_coloured_stroked_or_oddly_scaled_glyphs_stay_as_they_are(tmp_path: Path, content: bytes) -> None:
    assert _embedded(tmp_path, content) == 0
    assert picture(tmp_path / "source.pdf").tobytes() == picture(tmp_path / "target.pdf").tobytes()
