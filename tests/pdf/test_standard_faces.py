import pytest
from fontTools.pens.boundsPen import BoundsPen
from pdfminer.fontmetrics import FONT_METRICS

from engine.pdf.standard_faces import BUILT_IN, standard_face

LATIN = [
    *("Helvetica", "Helvetica-Bold", "Helvetica-Oblique", "Helvetica-BoldOblique"),
    *("Times-Roman", "Times-Bold", "Times-Italic", "Times-BoldItalic"),
    *("Courier", "Courier-Bold", "Courier-Oblique", "Courier-BoldOblique"),
]


@pytest.mark.parametrize("name", LATIN)
def test_every_character_of_windows_latin_has_an_outline_and_its_published_width(name: str) -> None:
    face = standard_face(name)
    for sign in bytes(range(0x21, 0x100)).decode("cp1252", "ignore").replace("\x7f", ""):
        pen = BoundsPen(None)
        assert face.draw(sign, pen), sign
        assert face.width(sign) == pytest.approx(FONT_METRICS[name][1].get(sign, face.width(sign)))
        assert pen.bounds is not None or sign == "\xa0", sign


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_code_of_the_symbol_fonts_has_an_outline_and_a_width(name: str) -> None:
    face = standard_face(name)
    assert len(BUILT_IN[name]) > 160
    for code, sign in BUILT_IN[name].items():
        assert face.draw(sign, BoundsPen(None)), hex(code)
        assert face.width(sign), hex(code)


def test_a_character_no_latin_typeface_has_is_told_apart() -> None:
    face = standard_face("Helvetica")
    assert face.width("甲") is None and not face.draw("甲", BoundsPen(None))
