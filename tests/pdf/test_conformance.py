from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from engine.pdf.clauses import title
from engine.pdf.conformance import MOST_VIOLATIONS, Verdict, check_conformance
from engine.pdf.control import Control
from engine.pdf.normalization import normalize
from engine.pdf.placement import place_controls
from tests.pdf.raw_documents import one_page

_FIELD = Control(name="seal", kind="signature", page=1, x=100, y=100, width=90, height=90)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A normalised page with an empty signature field."""
    (tmp_path / "source.pdf").write_bytes(one_page())
    normalize(tmp_path / "source.pdf", tmp_path / "normal.pdf")
    place_controls(tmp_path / "normal.pdf", tmp_path / "base.pdf", (_FIELD,))
    assert check_conformance(tmp_path / "base.pdf").verdict is Verdict.PASS
    return tmp_path / "base.pdf"


def _appended(base: Path, *objects: tuple[int, bytes]) -> tuple[Path, int]:
    """``base`` with a revision that redefines objects; gives the file and the size of the base."""
    data = base.read_bytes()
    previous = int(data[data.rindex(b"startxref") + 9 :].split()[0])
    out, places = bytearray(data), {}
    for number, body in objects:
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%d 1\n%010d 00000 n \n" % item for item in sorted(places.items()))
    with pikepdf.open(base) as pdf:
        root, identity = pdf.Root.objgen[0], pdf.trailer.ID.unparse()
        size = max(pdf.trailer.Size, *(number + 1 for number in places))
    trailer = b"<</Size %d/Root %d 0 R/Prev %d/ID %s>>" % (size, root, previous, identity)
    out += b"xref\n%strailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (table, trailer, len(out))
    target = base.with_name("appended.pdf")
    target.write_bytes(out)
    return target, len(data)


def _field(base: Path) -> int:
    with pikepdf.open(base) as pdf:
        return int(pdf.pages[0].Annots[0].objgen[0])


_WIDGET = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(seal)/F 132/Rect[100 100 190 190]/AP<</N 900 0 R>>>>"
_DRAWN = b"<</Type/XObject/Subtype/Form/BBox[0 0 90 90]/Resources<<%s>>/Length %d>>\nstream\n%s\nendstream"


def _look(resources: bytes, content: bytes) -> bytes:
    return _DRAWN % (resources, len(content), content)


def test_a_plain_picture_in_a_field_passes_both_ways(base: Path) -> None:
    file, size = _appended(base, (_field(base), _WIDGET), (900, _look(b"", b"1 0 0 rg 0 0 90 90 re f")))
    assert check_conformance(file).verdict is Verdict.PASS
    shortened = check_conformance(file, proven=size)
    assert (shortened.verdict, bool(shortened.appearances)) == (Verdict.PASS, True)


@pytest.mark.parametrize(
    ("clause", "look"),
    [
        (
            "6.2.11.4.1",
            _look(b"/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Courier>>>>", b"BT /F 9 Tf (Signed) Tj ET"),
        ),
        ("6.2.4.3", _look(b"", b"0 1 1 0 k 0 0 9 9 re f")),
        ("6.2.2", _look(b"", b"0 0 9 9 re nonsense")),
    ],
)
def test_a_picture_in_a_field_is_judged_like_a_page_both_ways(base: Path, clause: str, look: bytes) -> None:
    file, size = _appended(base, (_field(base), _WIDGET), (900, look))
    for found in (check_conformance(file), check_conformance(file, proven=size)):
        assert found.verdict is not Verdict.PASS
        assert clause in {violation.clause for violation in found.violations}


def test_pictures_that_passed_are_not_judged_again_and_others_are(base: Path) -> None:
    good, size = _appended(base, (_field(base), _WIDGET), (900, _look(b"", b"0 0 90 90 re f")))
    known = check_conformance(good, proven=size).appearances
    assert known
    assert check_conformance(good, "PDF/A-2b", size, (known,)).appearances == known
    bad, size = _appended(base, (_field(base), _WIDGET), (900, _look(b"", b"0 0 90 90 re bad")))
    assert check_conformance(bad, "PDF/A-2b", size, (known,)).verdict is Verdict.FAIL
    assert check_conformance(good, "PDF/A-3b", size, (known,)).appearances != known


def test_who_changes_more_than_fields_has_the_whole_file_judged(base: Path) -> None:
    with pikepdf.open(base) as pdf:
        page = pdf.pages[0].obj
        content = page.Contents[0].objgen[0] if isinstance(page.Contents, Array) else page.Contents.objgen[0]
    swapped, size = _appended(base, (content, b"<</Length 11>>\nstream\n0 0 0 0 k f\nendstream"))
    found = check_conformance(swapped, proven=size)
    assert found.appearances is None
    assert "6.2.4.3" in {violation.clause for violation in found.violations}


@pytest.mark.parametrize("page", [b"null", b"<</Type/Page/#ff#fe 7>>", b"[]", b"<</Type/Page>>"])
def test_a_page_redefined_beyond_recognition_has_the_whole_file_judged(base: Path, page: bytes) -> None:
    with pikepdf.open(base) as pdf:
        number = pdf.pages[0].objgen[0]
    broken, size = _appended(base, (number, page))
    assert check_conformance(broken, proven=size).appearances is None


def test_a_file_cut_short_cannot_be_proven_by_its_size(base: Path) -> None:
    assert check_conformance(base, proven=base.stat().st_size).appearances is None
    assert check_conformance(base, proven=10**9).verdict is Verdict.PASS


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"no PDF at all", b"%PDF-1.7\n" + b"1 0 obj<<" * 3000])
def test_no_bytes_are_an_error_of_ours(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pdf").write_bytes(data)
    found = check_conformance(tmp_path / "a.pdf")
    assert found.verdict is Verdict.FAIL
    assert all(violation.zh and violation.en for violation in found.violations)


def test_encryption_and_a_missing_identifier_are_told(base: Path, tmp_path: Path) -> None:
    with pikepdf.open(base) as pdf:
        pdf.save(tmp_path / "locked.pdf", encryption=pikepdf.Encryption(user="", owner="x"))
    clauses = {violation.clause for violation in check_conformance(tmp_path / "locked.pdf").violations}
    assert "6.1.3" in clauses
    (tmp_path / "bare.pdf").write_bytes(one_page())
    assert "6.1.3" in {violation.clause for violation in check_conformance(tmp_path / "bare.pdf").violations}


def test_a_forbidden_filter_is_not_made_good_by_reading_it(base: Path, tmp_path: Path) -> None:
    with pikepdf.open(base) as pdf:
        page = pdf.pages[0].obj
        # LZW of nothing: clear table, end of data.
        empty = pdf.make_stream(b"\x80\x40\x40")
        empty.stream_dict[Name.Filter] = Name.LZWDecode
        page.Contents = Array([*page.Contents, empty])
        pdf.save(tmp_path / "lzw.pdf", compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)
    assert b"LZWDecode" in (tmp_path / "lzw.pdf").read_bytes()
    assert "6.1.7.2" in {violation.clause for violation in check_conformance(tmp_path / "lzw.pdf").violations}


def test_attached_files_are_for_part_3_alone(base: Path, tmp_path: Path) -> None:
    with pikepdf.open(base) as pdf:
        pdf.attachments["evidence.json"] = pikepdf.AttachedFileSpec(
            pdf, b"{}", filename="evidence.json", mime_type="application/json", relationship=Name.Data
        )
        spec = pdf.Root.Names.EmbeddedFiles.Names[1]
        pdf.Root[Name.AF] = Array([spec])
        with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as metadata:
            metadata["pdfaid:part"] = "3"
        pdf.save(tmp_path / "three.pdf")
    assert check_conformance(tmp_path / "three.pdf", "PDF/A-3b").verdict is Verdict.PASS
    assert check_conformance(tmp_path / "three.pdf", "PDF/A-2b").verdict is Verdict.FAIL


def test_a_file_full_of_faults_gives_the_first_of_them(base: Path, tmp_path: Path) -> None:
    with pikepdf.open(base) as pdf:
        for _ in range(MOST_VIOLATIONS + 20):
            link = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9]))
            pdf.pages[0].Annots.append(pdf.make_indirect(link))
        pdf.save(tmp_path / "full.pdf")
    found = check_conformance(tmp_path / "full.pdf")
    assert len(found.violations) == MOST_VIOLATIONS
    assert {violation.clause for violation in found.violations} == {"6.3.2"}


def test_a_subclause_is_called_after_the_nearest_title() -> None:
    assert (
        title("6.2.11.3.1").en == "fonts"
        and title("6.2.11.4.1").zh == "字体嵌入"
        and title("").en == "unknown construct"
    )
