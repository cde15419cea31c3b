from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from asn1crypto import parser
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from engine.errors import Rejected
from engine.sandbox import Sandbox
from engine.trust.inspection import inspect_file
from engine.trust.preparation import SignatureOrder
from engine.trust.signing import Surroundings, sign_document
from engine.trust.validation import verify
from engine.trust.verdict import Integrity, Report, SignatureVerdict, Trust
from tests.trust.paper import LocalStamper, Notebook, Rack, draw_paper, make_key, prove

pytestmark = pytest.mark.asyncio(loop_scope="module")
logging.getLogger("pyhanko").setLevel(logging.CRITICAL)

ROOT = make_key("ec", "Sample Root", usage="ca")
PERSON = make_key("ec", "Sample Person", ROOT)
AUTHORITY = make_key("rsa", "Sample Timestamps", ROOT, usage="stamp")
STRANGER = make_key("ec", "Another Root", usage="ca")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    door = Sandbox(preload=("engine.trust.inspection", "engine.trust.preparation"))
    yield door
    await door.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def signed(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signed by one party; a second field is still free."""
    folder = tmp_path_factory.mktemp("signed")
    around = Surroundings(sandbox, Rack(folder / "rack"), Notebook().once, "run", folder)
    order = SignatureOrder("party-a", datetime(2030, 1, 1, tzinfo=UTC), 0, reason="Agreed & <b>read</b>")
    source = draw_paper(folder / "paper.pdf")
    return await sign_document(
        source, folder / "signed.pdf", order, PERSON, LocalStamper(AUTHORITY), around, prove(source)
    )


def judge(file: Path, *anchors: bytes) -> Report:
    # In a thread, because it runs a loop of its own as it does in its child.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(inspect_file, file, "0" * 64, anchors, datetime.now(UTC)).result()


def change(source: Path, target: Path, how: str) -> Path:
    """Append a revision as a forger or a careless program would."""
    writer = IncrementalPdfFileWriter(io.BytesIO(source.read_bytes()))
    page = writer.root["/Pages"]["/Kids"][0]
    if how == "new page content":
        page["/Contents"] = writer.add_object(generic.StreamObject(stream_data=b"0 0 500 500 re f"))
        writer.update_container(page)
    elif how == "moved crop box":
        page["/CropBox"] = generic.ArrayObject(map(generic.NumberObject, (0, 0, 100, 100)))
        writer.update_container(page)
    elif how == "script at opening":
        action = {pdf_name("/S"): pdf_name("/JavaScript"), pdf_name("/JS"): generic.TextStringObject("app.alert(1)")}
        writer.root["/OpenAction"] = generic.DictionaryObject(action)
        writer.update_root()
    elif how == "note on the page":
        note = {pdf_name("/Subtype"): pdf_name("/FreeText"), pdf_name("/Contents"): generic.TextStringObject("void")}
        page["/Annots"].append(writer.add_object(generic.DictionaryObject(note)))
        writer.update_container(page["/Annots"])
    elif how == "signature moved":
        field = writer.root["/AcroForm"]["/Fields"][0]
        field["/Rect"] = generic.ArrayObject(map(generic.NumberObject, (0, 0, 500, 500)))
        writer.update_container(field)
    elif how == "signature removed":
        field = writer.root["/AcroForm"]["/Fields"][0]
        del field["/V"]
        writer.update_container(field)
    with target.open("wb") as stream:
        writer.write(stream)
    return target


async def test_a_signed_file_is_valid_and_trusted_with_its_anchor(signed: Path, sandbox: Sandbox) -> None:
    report = await verify(sandbox, signed, [ROOT.certificate])
    assert (report.integrity, report.trust, report.level) == (Integrity.VALID, Trust.TRUSTED, "B-T")
    (signature,) = report.signatures
    assert signature.whole_file and signature.fields == ("party-a",)
    assert signature.proven_at == signature.stamps[0].at
    assert signature.claimed_at == datetime(2030, 1, 1, tzinfo=UTC)


async def test_a_strangers_anchor_gives_no_trust_and_no_proven_time(signed: Path) -> None:
    report = judge(signed, STRANGER.certificate.dump())
    assert (report.integrity, report.trust, report.level) == (Integrity.VALID, Trust.UNTRUSTED, "B-B")
    assert report.signatures[0].proven_at is None


async def test_without_anchors_trust_is_unchecked(signed: Path) -> None:
    assert judge(signed).trust is Trust.UNCHECKED


async def test_an_unsigned_file_is_unsigned(tmp_path: Path) -> None:
    report = judge(draw_paper(tmp_path / "paper.pdf"))
    assert report.integrity is Integrity.UNSIGNED and report.level is None


@pytest.mark.parametrize(
    "how", ["new page content", "moved crop box", "script at opening", "note on the page", "signature moved"]
)
async def test_a_later_change_is_never_good(signed: Path, tmp_path: Path, how: str) -> None:
    report = judge(change(signed, tmp_path / "changed.pdf", how), ROOT.certificate.dump())
    assert report.integrity is Integrity.MODIFIED
    assert report.level is None


async def test_a_removed_signature_leaves_an_unsigned_file(signed: Path, tmp_path: Path) -> None:
    report = judge(change(signed, tmp_path / "changed.pdf", "signature removed"))
    assert report.integrity is Integrity.UNSIGNED and report.level is None


@pytest.mark.parametrize("rest", [b"x", b"%PDF-1.7\n", b"\n7 0 obj<<>>endobj\n", b"startxref\n0\n%%EOF\n"])
async def test_bytes_behind_the_end_are_never_good(signed: Path, tmp_path: Path, rest: bytes) -> None:
    file = tmp_path / "longer.pdf"
    file.write_bytes(signed.read_bytes() + rest)
    assert judge(file).integrity not in (Integrity.VALID, Integrity.EXTENDED)


async def test_a_file_that_no_parser_reads_is_told_not_raised(tmp_path: Path, sandbox: Sandbox) -> None:
    for content in (b"", b"not a PDF", b"%PDF-1.7\n%%EOF", b"/ByteRange [0 1 2 3]"):
        file = tmp_path / "odd.pdf"
        file.write_bytes(content)
        report = await verify(sandbox, file, [])
        assert report.integrity in (Integrity.INDETERMINATE, Integrity.BROKEN)
        assert report.findings


async def test_a_form_that_contains_itself_is_told_not_raised(tmp_path: Path) -> None:
    writer = IncrementalPdfFileWriter(io.BytesIO(draw_paper(tmp_path / "paper.pdf").read_bytes()))
    field = writer.root["/AcroForm"]["/Fields"].raw_get(0)
    field.get_object()["/Kids"] = generic.ArrayObject([field])
    writer.update_container(field.get_object())
    with (tmp_path / "cyclic.pdf").open("wb") as stream:
        writer.write(stream)
    assert judge(tmp_path / "cyclic.pdf").integrity not in (Integrity.VALID, Integrity.EXTENDED)


async def test_a_file_that_is_not_there_is_refused(tmp_path: Path, sandbox: Sandbox) -> None:
    with pytest.raises(Rejected) as refusal:
        await verify(sandbox, tmp_path / "nothing.pdf", [])
    assert refusal.value.code == "document.missing"


quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def told_of(verdict: SignatureVerdict) -> SignatureVerdict:
    """All it tells but the digest of the signature data itself, and that a blank stands where a zero stood."""
    kept = tuple(finding for finding in verdict.findings if finding.code != "signature.uneven_digits")
    return msgspec.structs.replace(verdict, findings=kept, cms_digest=None)


def digest_of_signature(content: bytes) -> str:
    """SHA-256 of the signature data as the file has it now, in hex."""
    start = content.rindex(b"/Contents <") + len(b"/Contents <")
    digits = b"".join(content[start : content.index(b">", start)].split())
    data = bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())
    return hashlib.sha256(data[: parser.peek(data)]).hexdigest()


async def test_a_blank_for_a_zero_behind_the_signature_is_told_and_changes_nothing_else(
    signed: Path, tmp_path: Path
) -> None:
    content = bytearray(signed.read_bytes())
    last = content.index(b">", content.rindex(b"/Contents <")) - 1
    content[last] = ord(" ")
    file = tmp_path / "blank.pdf"
    file.write_bytes(content)
    told, original = (judge(one, ROOT.certificate.dump()).signatures[0] for one in (file, signed))
    assert [finding.code for finding in told.findings] == ["signature.uneven_digits"]
    assert told_of(told) == told_of(original)


def check_changed_byte(signed: Path, file: Path, index: int, flip: int) -> None:
    content = bytearray(signed.read_bytes())
    content[index] ^= flip
    file.write_bytes(content)
    report = judge(file, ROOT.certificate.dump())
    if report.integrity is Integrity.VALID:  # no signature covers the frame around itself, so it must not matter
        assert content.rindex(b"/Contents <") < index < content.rindex(b"/ByteRange")
        told, original = report.signatures[0], judge(signed, ROOT.certificate.dump()).signatures[0]
        if report.trust is Trust.TRUSTED and told.level != "B-B":
            assert told_of(told) == told_of(original)
            assert told.cms_digest == digest_of_signature(content)
    assert report.integrity is not Integrity.EXTENDED


@quick
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@example(place=0.5, flip=16)
async def test_no_changed_byte_goes_unnoticed_or_alters_what_is_told(
    signed: Path, tmp_path: Path, place: float, flip: int
) -> None:
    check_changed_byte(signed, tmp_path / "flipped.pdf", int(place * signed.stat().st_size), flip)


async def test_no_changed_digit_of_the_signature_alters_what_is_told(signed: Path, tmp_path: Path) -> None:
    content = signed.read_bytes()
    start = content.rindex(b"/Contents <") + len(b"/Contents <")
    end = start + len(content[start : content.index(b">", start)].rstrip(b"0"))
    for index in range(start, end, 53):  # all of them, once, by hand: nothing else was told either
        check_changed_byte(signed, tmp_path / "flipped.pdf", index, 1)


@quick
@given(cut=st.floats(0, 1, exclude_max=True))
async def test_no_shortened_file_is_good(signed: Path, tmp_path: Path, cut: float) -> None:
    content = signed.read_bytes()
    file = tmp_path / "cut.pdf"
    file.write_bytes(content[: int(cut * len(content))])
    assert judge(file).integrity not in (Integrity.VALID, Integrity.EXTENDED)


@quick
@given(st.data())
async def test_scrambled_files_are_judged_and_never_crash_the_judge(
    signed: Path, tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(signed.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(content) - 1))
        content[start : start + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=30))
    file = tmp_path / "scrambled.pdf"
    file.write_bytes(content)
    assert judge(file).integrity in tuple(Integrity)
