import io
from pathlib import Path

import pikepdf
import pytest
from fontTools.ttLib import TTFont
from pikepdf import Array, Dictionary, Name

from engine.pdf import font_repairs, truetype
from engine.pdf.conformance import Verdict, check_conformance
from engine.pdf.normalization import normalize
from tests.pdf.pictures_of_pages import picture
from tests.pdf.raw_documents import one_page


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    """A page in an embedded composite TrueType font, as our own normalising writes it."""
    raw, path = tmp_path / "raw.pdf", tmp_path / "embedded.pdf"
    font = b"<</Type/Font/Subtype/Type0/BaseFont/SimSun/Encoding/Identity-H/DescendantFonts[6 0 R]>>"
    inner = (
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/SimSun"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>>>"
    )
    raw.write_bytes(
        one_page(
            b"BT /F 24 Tf 72 700 Td <0FA20FA3> Tj ET",
            page=b"/Resources<</Font<</F 5 0 R>>>>",
            more=(font, inner),
        )
    )
    normalize(raw, path)
    assert check_conformance(path).verdict is Verdict.PASS
    return path


def _spoiled(path: Path, spoil: object, target: Path) -> Path:
    with pikepdf.open(path) as pdf:
        spoil(pdf, pdf.pages[0].Resources.Font.F)  # type: ignore[operator]
        pdf.save(target)
    return target


def _drop_map(pdf: pikepdf.Pdf, font: pikepdf.Object) -> None:
    del font.DescendantFonts[0]["/CIDToGIDMap"]
    # Glyphs by number: let the text name those that exist.
    pdf.pages[0].Contents = pdf.make_stream(b"BT /F 24 Tf 72 700 Td <00010002> Tj ET")
    font.DescendantFonts[0]["/W"] = Array([1, Array([1000, 1000])])


def _private_keys(_pdf: pikepdf.Pdf, font: pikepdf.Object) -> None:
    font["/ICUID"] = 7
    font.DescendantFonts[0]["/WinCharSet"] = 134


def _wrong_set(pdf: pikepdf.Pdf, font: pikepdf.Object) -> None:
    font.DescendantFonts[0].FontDescriptor["/CIDSet"] = pdf.make_stream(b"\xff")


def _gbk_name(_pdf: pikepdf.Pdf, font: pikepdf.Object) -> None:
    font.BaseFont = pikepdf.Object.parse(b"/#cb#ce#cc#e5")
    font.DescendantFonts[0].BaseFont = pikepdf.Object.parse(b"/#cb#ce#cc#e5")


def _short_widths(_pdf: pikepdf.Pdf, font: pikepdf.Object) -> None:
    program = font.DescendantFonts[0].FontDescriptor.FontFile2
    face = TTFont(io.BytesIO(program.read_bytes()))
    table = face.getTableData("hmtx")
    # A directory entry that ends two bytes early, as subsetters write it that forget unused glyphs.
    data = program.read_bytes()
    at = data.index(b"hmtx")
    program.write(data[: at + 12] + (len(table) - 2).to_bytes(4, "big") + data[at + 16 :])


@pytest.mark.parametrize("spoil", [_drop_map, _private_keys, _wrong_set, _gbk_name, _short_widths])
def test_what_archives_object_to_is_mended_and_looks_the_same(embedded: Path, tmp_path: Path, spoil: object) -> None:
    spoiled = _spoiled(embedded, spoil, tmp_path / "spoiled.pdf")
    assert check_conformance(spoiled).verdict is not Verdict.PASS
    normalize(spoiled, tmp_path / "mended.pdf")
    found = check_conformance(tmp_path / "mended.pdf")
    assert found.verdict is Verdict.PASS, found.violations
    assert picture(spoiled).tobytes() == picture(tmp_path / "mended.pdf").tobytes()


def test_differences_without_a_name_go_and_the_others_keep_their_codes() -> None:
    with pikepdf.explicit_conversion(), pikepdf.new() as pdf:
        program = truetype.build({}, {})
        font = pdf.make_indirect(
            Dictionary(
                Type=Name.Font,
                Subtype=Name.TrueType,
                Encoding=Dictionary(
                    BaseEncoding=Name.WinAnsiEncoding,
                    Differences=Array([3, Name("/.notdef"), Name.A, Name("/g12"), 9, Name.B]),
                ),
                FontDescriptor=truetype.describe(pdf, Name.X, program, serif=False),
            )
        )
        pdf.add_blank_page().obj.Resources = Dictionary(Font=Dictionary(F=font))
        font_repairs.repair(pdf)
        assert font.Encoding.Differences.unparse() == b"[ 4 /A 9 /B ]"
