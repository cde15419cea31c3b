from pathlib import Path

import pikepdf
import pytest
from PIL import ImageStat

from engine.pdf.marks import complete
from engine.pdf.normalization import normalize
from tests.pdf.pictures_of_pages import colour_at, is_blank, picture, text
from tests.pdf.raw_documents import one_page

QUADS = b"/QuadPoints[100 200 300 200 100 100 300 100]"


def _with_note(tmp_path: Path, kind: bytes, look: bytes, flags: int = 4) -> Path:
    note = b"<</Type/Annot/Subtype/%s/Rect[100 100 300 200]/F %d%s>>" % (kind, flags, look)
    (tmp_path / "source.pdf").write_bytes(one_page(b"", page=b"/Annots[5 0 R]", more=(note,)))
    return tmp_path / "source.pdf"


@pytest.mark.parametrize(
    ("kind", "look"),
    [
        (b"Highlight", b"/C[1 1 0]" + QUADS),
        (b"Underline", b"/C[1 0 0]" + QUADS),
        (b"StrikeOut", b"/C[1 0 0]" + QUADS),
        (b"Squiggly", b"/C[1 0 0]" + QUADS),
        (b"Square", b"/C[1 0 0]"),
        (b"Circle", b"/C[1 0 0]/IC[0 1 0]"),
        (b"Ink", b"/C[1 0 0]/InkList[[110 110 150 190 290 120]]"),
    ],
)
def test_a_mark_without_a_picture_is_drawn_as_a_viewer_shows_it(tmp_path: Path, kind: bytes, look: bytes) -> None:
    source = _with_note(tmp_path, kind, look)
    normalize(source, tmp_path / "target.pdf")
    before, after = picture(source), picture(tmp_path / "target.pdf")
    assert not is_blank(after)
    inks = [255 - ImageStat.Stat(page.convert("L").resize((595, 842))).mean[0] for page in (before, after)]
    assert inks[1] == pytest.approx(inks[0], rel=0.1)


def test_the_words_of_a_text_note_are_drawn_in_any_script(tmp_path: Path) -> None:
    words = "补充约定".encode("utf-16")[2:]
    contents = b"/DA(/Helv 14 Tf)/Contents<FEFF%s>" % b"".join(
        b"%02X%02X" % (b, a) for a, b in zip(words[::2], words[1::2], strict=True)
    )
    normalize(_with_note(tmp_path, b"FreeText", contents), tmp_path / "target.pdf")
    assert text(tmp_path / "target.pdf").strip() == "补充约定"


def test_a_hidden_mark_stays_hidden(tmp_path: Path) -> None:
    normalize(_with_note(tmp_path, b"Square", b"/C[1 0 0]", flags=2), tmp_path / "target.pdf")
    assert is_blank(picture(tmp_path / "target.pdf"))


def test_a_mark_with_a_picture_of_its_own_keeps_it(tmp_path: Path) -> None:
    own = b"<</Type/Annot/Subtype/Square/Rect[100 100 300 200]/C[1 0 0]/AP<</N 4 0 R>>>>"
    source = tmp_path / "source.pdf"
    source.write_bytes(one_page(b"0 1 0 rg 0 0 9 9 re f", page=b"/Annots[5 0 R]", more=(own,)))
    with pikepdf.open(source) as pdf:
        complete(pdf)
        assert pdf.pages[0].Annots[0].AP.N.objgen == (4, 0)


def test_marks_of_the_wrong_kind_are_left_alone(tmp_path: Path) -> None:
    for look in (b"/InkList(x)", b"/InkList[[1]]/C(x)", b"/BS 3 0 R/Border[/A]"):
        normalize(_with_note(tmp_path, b"Ink", look), tmp_path / "target.pdf")
    rects = b"/Annots[<</Subtype/Square/Rect(x)>> null 3 <</Subtype/Circle>>]"
    (tmp_path / "source.pdf").write_bytes(one_page(b"1 0 0 rg 0 0 99 99 re f", page=rects))
    normalize(tmp_path / "source.pdf", tmp_path / "target.pdf")
    assert colour_at(picture(tmp_path / "target.pdf"), 50, 50) == (255, 0, 0)
