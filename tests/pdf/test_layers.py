from pathlib import Path

import pytest

from engine.pdf.normalization import normalize
from tests.pdf.pictures_of_pages import colour_at, picture, text
from tests.pdf.raw_documents import one_page, stream

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)
_GROUPS = (b"<</Type/OCG/Name(a)>>", b"<</Type/OCG/Name(b)>>")  # objects 5 and 6

_FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
_BOTH = b"<</Type/OCMD/OCGs[5 0 R 6 0 R]%s>>"


def _layered(content: bytes, default: bytes, properties: bytes, *more: bytes, page: bytes = b"") -> bytes:
    return one_page(
        content,
        catalog=b"/OCProperties<</OCGs[5 0 R 6 0 R]/D<<%s>>>>" % default,
        page=b"/Resources<</Properties<<%s>>/XObject<</X 7 0 R>>/Font<</F%s>>>>" % (properties, _FONT) + page,
        more=(*_GROUPS, *(more or (b"null",))),
    )


def _target(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "source.pdf").write_bytes(content)
    normalize(tmp_path / "source.pdf", tmp_path / "target.pdf")
    return tmp_path / "target.pdf"


_TWO = b"/OC /A BDC 1 0 0 rg 100 100 50 50 re f EMC /OC /B BDC 0 1 0 rg 300 100 50 50 re f EMC"


@pytest.mark.parametrize(
    ("default", "properties", "shown"),
    [
        (b"", b"/A 5 0 R/B 6 0 R", (True, True)),
        (b"/OFF[5 0 R]", b"/A 5 0 R/B 6 0 R", (False, True)),
        (b"/BaseState/OFF", b"/A 5 0 R/B 6 0 R", (False, False)),
        (b"/BaseState/OFF/ON[6 0 R]", b"/A 5 0 R/B 6 0 R", (False, True)),
        (
            b"/OFF[5 0 R]",
            b"/A" + _BOTH % b"" + b"/B" + _BOTH % b"/P/AllOn",
            (True, False),
        ),
        (
            b"/OFF[5 0 R]",
            b"/A<</Type/OCMD/OCGs[5 0 R]/P/AllOff>>/B<</Type/OCMD/OCGs[5 0 R 6 0 R]/P/AnyOff>>",
            (True, True),
        ),
        (b"/OFF[5 0 R]", b"/A<</Type/OCMD/VE[/Not 5 0 R]>>/B<</Type/OCMD/VE[/And 5 0 R 6 0 R]>>", (True, False)),
        (b"/OFF[5 0 R]", b"/A<</Type/OCMD/VE[/Or 5 0 R[/Not 6 0 R]]>>/B<</Type/OCMD>>", (False, True)),
    ],
)
def test_what_the_screen_hides_is_gone_and_what_it_shows_stays(
    tmp_path: Path, default: bytes, properties: bytes, shown: tuple[bool, bool]
) -> None:
    source = _layered(_TWO, default, properties)
    target = _target(tmp_path, source)
    for path in (tmp_path / "source.pdf", target):  # PDFium agrees on what the source shows
        image = picture(path)
        assert (colour_at(image, 125, 125) == RED, colour_at(image, 325, 125) == GREEN) == shown


def test_hidden_words_cannot_be_extracted_and_visible_ones_can(tmp_path: Path) -> None:
    content = (
        b"/OC /A BDC BT /F 12 Tf 100 700 Td (hidden clause) Tj T* (more) ' ET EMC "
        b"BT /F 12 Tf 100 600 Td (visible clause) Tj ET"
    )
    target = _target(tmp_path, _layered(content, b"/OFF[5 0 R]", b"/A 5 0 R"))
    assert text(target).strip() == "visible clause"


def test_state_set_within_a_hidden_layer_still_holds_after_it(tmp_path: Path) -> None:
    content = b"/OC /A BDC 0 1 0 rg 10 10 20 20 re f EMC 100 100 50 50 re f"
    image = picture(_target(tmp_path, _layered(content, b"/OFF[5 0 R]", b"/A 5 0 R")))
    assert colour_at(image, 125, 125) == GREEN
    assert colour_at(image, 20, 20) == WHITE


def test_a_layer_that_only_prints_is_gone(tmp_path: Path) -> None:
    rules = b"/AS[<</Event/View/Category[/View]/OCGs[5 0 R]>>]"
    source = _layered(_TWO, rules, b"/A 5 0 R/B 6 0 R").replace(
        b"<</Type/OCG/Name(a)>>", b"<</Type/OCG/Name(a)/Usage<</View<</ViewState/OFF>>>>>>"
    )
    image = picture(_target(tmp_path, source))
    assert colour_at(image, 125, 125) == WHITE
    assert colour_at(image, 325, 125) == GREEN


def test_hidden_pictures_forms_and_annotations_are_not_drawn(tmp_path: Path) -> None:
    form = stream(b"1 0 0 rg 0 0 50 50 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 50 50]/OC 5 0 R")
    stamp = stream(b"1 0 0 rg 0 0 50 50 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 50 50]")
    annotation = b"/Annots[<</Subtype/Stamp/OC 5 0 R/Rect[300 300 350 350]/AP<</N 8 0 R>>>>]"
    source = _layered(b"q 1 0 0 1 100 100 cm /X Do Q", b"/OFF[5 0 R]", b"", form, stamp, page=annotation)
    image = picture(_target(tmp_path, source))
    assert {colour_at(image, 125, 125), colour_at(image, 325, 325)} == {WHITE}


def test_layers_within_a_form_are_settled_too(tmp_path: Path) -> None:
    form = stream(
        _TWO,
        b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</Properties<</A 5 0 R/B 6 0 R>>>>",
    )
    image = picture(_target(tmp_path, _layered(b"/X Do", b"/OFF[5 0 R]", b"", form)))
    assert (colour_at(image, 125, 125), colour_at(image, 325, 125)) == (WHITE, GREEN)
