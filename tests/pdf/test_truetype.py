import io

import pikepdf
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

from engine.pdf import truetype


def _box(left: int, right: int) -> object:
    pen = TTGlyphPen(None)
    pen.moveTo((left, 0))
    pen.lineTo((left, 700))
    pen.lineTo((right, 700))
    pen.lineTo((right, 0))
    pen.closePath()
    return pen.glyph()


def test_a_program_keeps_outlines_advances_and_true_bearings() -> None:
    made = TTFont(io.BytesIO(truetype.build({"a": (_box(40, 400), 500.4), "b": (_box(-20, 9), -3)}, {65: "a"})))
    assert made.getGlyphOrder()[0] == ".notdef"
    assert [made["hmtx"][name] for name in (".notdef", *made.getGlyphOrder()[1:])] == [(1000, 0), (500, 40), (0, -20)]
    assert list(made["cmap"].getcmap(3, 0).cmap) == [0xF041]
    assert made["head"].unitsPerEm == 1000


def test_equal_outlines_give_equal_bytes() -> None:
    assert truetype.build({"a": (_box(0, 9), 10)}, {}) == truetype.build({"a": (_box(0, 9), 10)}, {})


def test_the_description_embeds_the_program_and_says_whether_it_has_serifs() -> None:
    with pikepdf.new() as pdf:
        serif, sans = (
            truetype.describe(pdf, pikepdf.Name("/AAAAAA+X"), b"program", serif=serif) for serif in (True, False)
        )
        assert (int(serif.Flags), int(sans.Flags)) == (6, 4)
        assert serif.FontFile2.read_bytes() == b"program"
        assert int(serif.FontFile2.Length1) == 7
        assert str(serif.FontName) == "/AAAAAA+X"
