import re
from pathlib import Path

import pikepdf
import pytest
from asn1crypto import cms
from pikepdf import Array, Dictionary, Name, String

from engine.pdf.form_clauses import check_forms
from engine.trust.cms import signed_data
from tests.pdf.raw_documents import document, stream
from tests.trust.paper import make_key

_FORM = stream(b"", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]")


@pytest.fixture(scope="module")
def signature() -> bytes:
    """A CMS object of the usual make; nobody asks here what it signs."""
    certificate = make_key("p256", "Somebody").certificate
    mechanism = cms.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}).dump()
    return signed_data([certificate], b"\x31\x00", mechanism, b"\x00", None)


def _signed(contents: bytes, *, perms: bytes = b"", reference: bytes = b"") -> bytes:
    """A file with one signature whose ByteRange is right."""
    bodies = (
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R]/SigFlags 3>>%s>>" % perms,
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Annots[4 0 R]>>",
        b"<</Type/Annot/Subtype/Widget/FT/Sig/T(s)/F 132/Rect[9 9 99 99]/AP<</N 5 0 R>>/V 6 0 R>>",
        _FORM,
        b"<</Type/Sig/Filter/Adobe.PPKLite/ByteRange[0 00000 00000 00000]/Contents<%s>%s>>"
        % (contents.hex().encode() + b"00" * 64, reference),
    )
    data = document(*bodies)
    before = data.index(b"/Contents<") + len(b"/Contents")
    after = data.index(b">", before) + 1
    numbers = b"[0 %05d %05d %05d]" % (before, after, len(data) - after)
    return data.replace(b"[0 00000 00000 00000]", numbers)


def _clauses(data: bytes, tmp_path: Path) -> set[str]:
    (tmp_path / "a.pdf").write_bytes(data)
    with pikepdf.explicit_conversion(), pikepdf.open(tmp_path / "a.pdf") as pdf:
        return {violation.clause for violation in check_forms(pdf, data)}


def test_a_signature_in_a_visible_field_has_nothing_against_it(signature: bytes, tmp_path: Path) -> None:
    assert _clauses(_signed(signature), tmp_path) == set()


@pytest.mark.parametrize(
    ("clause", "before", "after"),
    [
        ("6.3.2", b"/F 132", b""),
        ("6.3.2", b"/F 132", b"/F 128"),
        ("6.3.2", b"/F 132", b"/F 134"),
        ("6.3.2", b"/F 132", b"/F 36"),
        ("6.3.2", b"/F 132", b"/F 5"),
        ("6.3.2", b"/F 132", b"/F 260"),
        ("6.3.3", b"/AP<</N 5 0 R>>", b""),
        ("6.3.3", b"/AP<</N 5 0 R>>", b"/AP<</N 5 0 R/D 5 0 R>>"),
        ("6.3.3", b"/AP<</N 5 0 R>>", b"/AP<</N<</On 5 0 R>>>>"),
        ("6.3.3", b"/FT/Sig", b"/FT/Btn"),
        ("6.3.1", b"/Subtype/Widget", b"/Subtype/Movie"),
        ("6.4.1", b"/F 132", b"/F 132/A<</S/GoTo/D[3 0 R/Fit]>>"),
        ("6.4.1", b"/F 132", b"/F 132/AA<<>>"),
        ("6.4.1", b"/SigFlags 3", b"/SigFlags 3/NeedAppearances true"),
        ("6.4.2", b"/SigFlags 3", b"/SigFlags 3/XFA[]"),
        ("6.4.2", b"/Type/Catalog", b"/Type/Catalog/NeedsRendering true"),
        ("6.5.1", b"/Subtype/Widget", b"/A<</S/JavaScript/JS(x)>>/Subtype/Link"),
        ("6.5.1", b"/Subtype/Widget", b"/A<</S/Named/N/Print>>/Subtype/Link"),
        ("6.1.12", b"/Type/Catalog", b"/Type/Catalog/Perms<</DocMDP 6 0 R/UR 6 0 R>>"),
    ],
)
def test_one_slip_breaks_one_clause(signature: bytes, tmp_path: Path, clause: str, before: bytes, after: bytes) -> None:
    data = _signed(signature)
    assert data.count(before) == 1
    assert clause in _clauses(data.replace(before, after), tmp_path) - {"6.4.3"}


def test_lawful_ways_of_saying_it_break_nothing(signature: bytes, tmp_path: Path) -> None:
    for before, after in (
        (b"/Rect[9 9 99 99]/AP<</N 5 0 R>>", b"/Rect[0 0 0 0]"),
        (b"/SigFlags 3", b"/SigFlags 3/NeedAppearances false"),
        (b"/Type/Catalog", b"/Type/Catalog/Perms<</DocMDP 6 0 R>>"),
    ):
        assert _clauses(_signed(signature).replace(before, after), tmp_path) <= {"6.4.3"}  # the bytes moved


@pytest.mark.parametrize("key", [b"DigestMethod/MD5", b"DigestValue(x)", b"DigestLocation[0 1]"])
def test_a_certifying_signature_names_no_digest_of_its_own(signature: bytes, tmp_path: Path, key: bytes) -> None:
    reference = b"/Reference[<</TransformMethod/DocMDP/%s>>]" % key
    certified = _signed(signature, perms=b"/Perms<</DocMDP 6 0 R>>", reference=reference)
    assert _clauses(certified, tmp_path) == {"6.1.12"}
    assert _clauses(_signed(signature, reference=reference), tmp_path) == set()


def test_the_range_is_everything_but_the_signature(signature: bytes, tmp_path: Path) -> None:
    data = _signed(signature)
    numbers = re.search(rb"(?<=ByteRange)\[0 (\d+) (\d+) (\d+)\]", data)
    assert numbers is not None
    before, resume, after = (int(group) for group in numbers.groups())
    for wrong in ((before - 1, resume, after), (before, resume + 1, after - 1), (before, resume, after - 6)):
        spoiled = data.replace(numbers.group(), b"[0 %05d %05d %05d]" % wrong)
        assert _clauses(spoiled, tmp_path) == {"6.4.3"}
    assert _clauses(data.replace(b"[0 %05d" % before, b"[1 %05d" % before), tmp_path) == {"6.4.3"}


def test_there_is_one_signer_and_the_certificate_is_the_signers(signature: bytes, tmp_path: Path) -> None:
    whole = cms.ContentInfo.load(signature)
    two, none, stranger = (cms.ContentInfo.load(signature) for _ in range(3))
    two["content"]["signer_infos"].append(whole["content"]["signer_infos"][0])
    none["content"]["certificates"] = []
    other = make_key("p256", "Another").certificate
    stranger["content"]["certificates"] = [cms.CertificateChoices("certificate", other)]
    for spoiled in (two, none, stranger):
        assert _clauses(_signed(spoiled.dump(force=True)), tmp_path) == {"6.4.3"}
    assert _clauses(_signed(b"\x30\x03\x02\x01\x05"), tmp_path) == {"6.4.3"}
    assert _clauses(_signed(b""), tmp_path) == {"6.4.3"}


def test_every_widget_of_a_signature_on_many_pages_is_looked_at(tmp_path: Path) -> None:
    with pikepdf.explicit_conversion(), pikepdf.new() as pdf:
        field = pdf.make_indirect(Dictionary(FT=Name.Sig, T=String("riding"), Kids=Array()))
        for number in range(3):
            page = pdf.add_blank_page().obj
            look = pdf.make_stream(b"", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 9, 9]))
            widget = pdf.make_indirect(
                Dictionary(
                    Type=Name.Annot, Subtype=Name.Widget, Parent=field, F=132 if number < 2 else 0,
                    Rect=Array([9, 9, 18, 18]), AP=Dictionary(N=look),
                )
            )  # fmt: skip
            page[Name.Annots] = Array([widget])
            field.Kids.append(widget)
        pdf.Root[Name.AcroForm] = Dictionary(Fields=Array([field]))
        (fault,) = check_forms(pdf, b"")
        assert (fault.clause, fault.place) == ("6.3.2", f"object {field.Kids[2].objgen[0]}")


def test_fields_that_lead_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    data = document(
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R 4 0 R 7]>>>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Annots[4 0 R (x) 4 0 R]>>",
        b"<</FT/Sig/T(a)/Kids[4 0 R 5 0 R]/Parent 5 0 R/Subtype/Widget/V 4 0 R/ByteRange(x)>>",
        b"<</Kids[4 0 R]/Parent 4 0 R/AP[]/F(x)/Rect(x)>>",
    )
    assert "6.4.3" in _clauses(data, tmp_path)
