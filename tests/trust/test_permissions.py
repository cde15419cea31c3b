"""What a signature forbids: values it locks, a document its issuer certified; and what it leaves to the others."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from pyhanko.pdf_utils.generic import pdf_name, pdf_string
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import (
    DEFAULT_DIFF_POLICY,
    FormUpdatingRule,
    GenericFieldModificationRule,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
)
from pyhanko.sign.fields import SigFieldSpec, append_signature_field
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from reportlab.pdfgen.canvas import Canvas

from engine.errors import Rejected
from engine.trust.embedding import digest_around, embed
from engine.trust.evidence import Evidence
from engine.trust.inspection import inspect_file
from engine.trust.permissions import FILLED
from engine.trust.preparation import SignatureOrder
from engine.trust.revisions import ArchiveOrder, prepare_archive
from engine.trust.signing import Surroundings, sign_document
from engine.trust.verdict import Integrity
from tests.trust.paper import LocalStamper, Notebook, Rack, make_key, prove, valid_signatures

ROOT = make_key("ec", "Sample Root", usage="ca")
PERSON = make_key("ec", "Sample Person", ROOT)
AUTHORITY = make_key("rsa", "Sample Timestamps", ROOT, usage="stamp")
GOOD = (Integrity.VALID, Integrity.EXTENDED)


QUIET = StandardDiffPolicy(
    DEFAULT_DIFF_POLICY.global_rules,
    FormUpdatingRule(
        [SigFieldCreationRule(), SigFieldModificationRule(), GenericFieldModificationRule(False)],
    ),
)
"""Unlike the library's default, it does not take the look of a locked field for changed because it could be."""


class Here:
    """Calls what belongs in a limited child in this process: the bytes are our own."""

    async def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)


@pytest.fixture
def form(tmp_path: Path) -> Path:
    """Two values to fill and two fields to sign."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for number, name in enumerate(("wage", "remark")):
        canvas.acroForm.textfield(name=name, value="1", x=72, y=700 - 40 * number, width=120, height=20)
    canvas.showPage()
    canvas.save()
    writer = IncrementalPdfFileWriter(buffer)
    for number, name in enumerate(("a", "b")):
        append_signature_field(writer, SigFieldSpec(name, box=(72 + 150 * number, 100, 172 + 150 * number, 160)))
    file = tmp_path / "form.pdf"
    with file.open("wb") as target:
        writer.write(target)
    return file


def sign(source: Path, field: str, **order: Any) -> Path:
    folder = source.with_name(f"{source.stem}-{field}")
    folder.mkdir()
    around = Surroundings(Here(), Rack(folder / "rack"), Notebook().once, field, folder)
    wanted = SignatureOrder(field, datetime.now(UTC), 0, **order)
    signing = sign_document(
        source, folder / f"{field}.pdf", wanted, PERSON, LocalStamper(AUTHORITY), around, prove(source)
    )
    return asyncio.run(signing)


def fill(source: Path, name: str, value: str) -> Path:
    writer = IncrementalPdfFileWriter(io.BytesIO(source.read_bytes()), strict=False)
    for reference in writer.root["/AcroForm"]["/Fields"]:
        field = reference.get_object()
        if field["/T"] == name:
            field[pdf_name("/V")] = pdf_string(value)
            writer.mark_update(reference)
    target = source.with_name(f"{source.stem}-{name}.pdf")
    with target.open("wb") as out:
        writer.write(out)
    return target


def archive(source: Path) -> Path:
    """Evidence and a document timestamp, as archiving and renewing append them."""
    tail = source.with_suffix(".tail")
    hole = prepare_archive(source, tail, ArchiveOrder(Evidence((PERSON.certificate.dump(),)), 8192))
    assert hole is not None
    digest = asyncio.run(digest_around(source, tail, hole))
    token = asyncio.run(LocalStamper(AUTHORITY).stamp(digest))
    return asyncio.run(embed(source, tail, hole, token, source.with_name(f"{source.stem}-archived.pdf")))


def ours(file: Path) -> dict[str, Integrity]:
    report = inspect_file(file, "", (), datetime.now(UTC))
    return {verdict.fields[0]: verdict.integrity for verdict in report.signatures if verdict.kind == "signature"}


def pyhanko(file: Path) -> dict[str, bool]:
    """The same by the library's own validation."""
    context = ValidationContext(trust_roots=[ROOT.certificate], allow_fetching=False)
    with file.open("rb") as stream:
        reader = PdfFileReader(stream)
        return {
            signature.field_name: bool(validate_pdf_signature(signature, context, diff_policy=QUIET).bottom_line)
            for signature in reader.embedded_regular_signatures
        }


@pytest.mark.parametrize(
    "first", [{}, {"lock": ("wage",)}, {"lock": FILLED}, {"certify": True}, {"certify": True, "lock": FILLED}]
)
def test_later_signers_evidence_and_timestamps_void_no_lock_and_no_certification(
    form: Path, first: dict[str, Any]
) -> None:
    file = archive(sign(sign(form, "a", **first), "b"))
    assert set(ours(file).values()) <= set(GOOD)
    assert pyhanko(file) == {"a": True, "b": True}
    assert valid_signatures(file) == 2


def test_a_later_signer_may_lock_too(form: Path) -> None:
    file = archive(sign(sign(form, "a"), "b", lock=("wage", "remark")))
    assert set(ours(file).values()) <= set(GOOD)
    assert pyhanko(file) == {"a": True, "b": True}


@pytest.mark.parametrize(
    ("lock", "name", "stands"),
    [(("wage",), "wage", False), (("wage",), "remark", True), (FILLED, "remark", False), ((), "wage", True)],
)
def test_a_locked_value_that_changes_breaks_the_signature_and_another_one_does_not(
    form: Path, lock: tuple[str, ...], name: str, stands: bool
) -> None:
    file = fill(sign(form, "a", lock=lock), name, "999")
    assert (ours(file)["a"] in GOOD) is stands
    assert pyhanko(file)["a"] is stands


def test_the_lock_stands_in_the_field_and_in_the_signature(form: Path) -> None:
    with pikepdf.open(sign(form, "a", lock=("wage",))) as pdf:
        (field,) = (field for field in pdf.Root.AcroForm.Fields if field.T == "a")
        (reference,) = field.V.Reference
        for place in (field.Lock, reference.TransformParams):
            assert (place.Action, [str(name) for name in place.Fields]) == ("/Include", ["wage"])
        assert reference.TransformMethod == "/FieldMDP"


def test_a_certified_document_says_so_and_lets_others_fill_and_sign_only(form: Path) -> None:
    certified = sign(form, "a", certify=True)
    with pikepdf.open(certified) as pdf:
        (field,) = (field for field in pdf.Root.AcroForm.Fields if field.T == "a")
        assert pdf.Root.Perms.DocMDP.objgen == field.V.objgen
        assert field.V.Reference[0].TransformParams.P == 2
    assert set(ours(fill(certified, "wage", "2")).values()) <= set(GOOD)


def test_only_the_first_signature_certifies(form: Path) -> None:
    with pytest.raises(Rejected) as refusal:
        sign(sign(form, "a"), "b", certify=True)
    assert refusal.value.code == "signature.certify_first"


def test_a_field_that_is_not_there_cannot_be_locked(form: Path) -> None:
    with pytest.raises(Rejected) as refusal:
        sign(form, "a", lock=("wages",))
    assert refusal.value.code == "signature.no_lock"
    assert "remark, wage" in str(refusal.value.text.en)
