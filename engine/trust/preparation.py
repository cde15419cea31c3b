"""Prepares a revision for a signature in an existing empty field; encrypted files are refused.

Everything here parses foreign bytes and belongs in a limited child. Only the new bytes are written; the source is never
changed, so what was signed before stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.form_tools import annot_width_height, get_single_field_annot
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.sign.fields import SigSeedSubFilter, ensure_sig_flags, enumerate_sig_fields
from pyhanko.sign.signers.pdf_byterange import SignatureObject

from engine.errors import Rejected
from engine.pdf.riding import SLICE
from engine.trust.embedding import Hole
from engine.trust.increments import append_container, open_appended
from engine.trust.inspection import examine_entries
from engine.trust.permissions import forbid_changes
from engine.trust.seals import Seal, SealLooks
from engine.trust.verdict import Integrity


@dataclass(frozen=True, slots=True)
class SignatureOrder:
    """What the new signature shall say.

    ``field``: fully qualified name of an existing empty signature field. ``claimed``: the signing time the signer's
    side claims, aware; only a timestamp proves one. ``reserve``: bytes of DER the hole must hold. ``sound``: earlier
    signatures were examined in these very bytes already. ``lock``: form fields that must not change any more.
    ``certify``: as the issuer (认证签名); others may still fill and sign.
    """

    field: str
    claimed: datetime
    reserve: int
    seal: Seal | None = None
    reason: str | None = None
    location: str | None = None
    sound: bool = False
    lock: tuple[str, ...] = ()
    certify: bool = False


def prepare_signature(source: Path, tail: Path, order: SignatureOrder) -> Hole:
    """Write the revision that carries an unfinished signature to ``tail``; source + tail is the prepared file.

    Raises Rejected ``document.unreadable``, ``document.encrypted``, ``signature.no_field``, ``signature.field_taken``
    ``signature.earlier_broken``, ``signature.no_lock`` or ``signature.certify_first``.
    """
    with revision_of(source, tail) as writer:
        if not order.sound:
            _refuse_broken(writer)
        references = _find_fields(writer, order.field)
        container = SignatureObject(
            timestamp=order.claimed,
            subfilter=SigSeedSubFilter.PADES,
            reason=order.reason,
            location=order.location,
            bytes_reserved=order.reserve * 2,
        )
        signature = writer.add_object(container)
        if order.lock or order.certify:
            forbid_changes(writer, references[0].get_object(), signature, order.lock, certify=order.certify)
        _place(writer, references, signature, order.seal)
        return append_container(writer, container)


@contextmanager
def revision_of(source: Path, tail: Path) -> Iterator[IncrementalPdfFileWriter]:
    """Open a file for one more revision, written to ``tail``; errors as ``reading``."""
    with reading(), open_appended(source, tail) as stream:
        writer = IncrementalPdfFileWriter(stream, strict=False)
        if writer.prev.encrypted:
            raise Rejected(
                "document.encrypted",
                zh="该 PDF 已加密，无法签署。请先取消密码保护后再试。",
                en="The PDF is encrypted and cannot be signed. Remove its password protection first.",
            )
        yield writer


@contextmanager
def reading() -> Iterator[None]:
    """Turn what a parser throws at foreign bytes into Rejected ``document.unreadable``."""
    try:
        yield
    except (PdfError, KeyError, ValueError, TypeError, AttributeError, IndexError, AssertionError) as error:
        raise Rejected(
            "document.unreadable",
            zh=f"该 PDF 的结构有误，无法处理（{error}）。请用原软件重新导出后再试。",
            en=f"The structure of the PDF is damaged ({error}). Export it anew from its source.",
        ) from error


def _refuse_broken(writer: IncrementalPdfFileWriter) -> None:
    """A signature must not vouch for a file whose earlier signatures no longer stand."""
    for entry in examine_entries(writer.prev, writer.prev.stream):
        if entry.integrity not in (Integrity.VALID, Integrity.EXTENDED):
            field = "、".join(entry.fields)
            why = entry.findings[0]
            raise Rejected(
                "signature.earlier_broken",
                zh=f"文件中已有的签名“{field}”无法通过验证（{why.zh}）不能继续签署。请从未被改动的文件重新开始。",
                en=f"An earlier signature, “{field}”, does not verify ({why.en}) "
                "and nothing can be signed on top of it. Start again from the unchanged document.",
                field=field,
                finding=why.code,
            )


def _find_fields(writer: IncrementalPdfFileWriter, name: str) -> list[generic.IndirectObject]:
    """The field ``name`` and those that show slices of its riding seal (骑缝章)."""
    fields: dict[str, tuple[object, generic.IndirectObject]] = {
        found: (value, reference) for found, value, reference in enumerate_sig_fields(writer)
    }
    if name not in fields:
        free = "、".join(sorted(found for found, (value, _) in fields.items() if value is None))
        raise Rejected(
            "signature.no_field",
            zh=f"文件中没有名为“{name}”的签名域。可用的空签名域：{free or '无'}。",
            en=f"The document has no signature field named “{name}”. Empty fields: {free or 'none'}.",
            field=name,
            free=free,
        )
    together = [found for found, (_, reference) in fields.items() if found == name or _rides_with(reference, name)]
    taken = next((str(found) for found in together if fields[found][0] is not None), None)
    if taken is not None:
        raise Rejected(
            "signature.field_taken",
            zh=f"签名域“{taken}”已签署，不能再次签署。",
            en=f"The signature field “{taken}” is signed already and cannot be signed again.",
            field=taken,
        )
    return [fields[found][1] for found in together]


def _rides_with(reference: generic.IndirectObject, name: str) -> bool:
    part = reference.get_object().get(SLICE, ())
    return len(part) == 3 and part[2] == name


def _place(
    writer: IncrementalPdfFileWriter,
    references: Sequence[generic.IndirectObject],
    signature: generic.IndirectObject,
    seal: Seal | None,
) -> None:
    """Give every field the one signature and its look."""
    looks = None if seal is None else SealLooks(writer, seal)
    for reference in references:
        field = reference.get_object()
        widget = get_single_field_annot(field)
        width, height = (float(side) for side in annot_width_height(widget))
        if width and height and (looks is not None or "/AP" not in widget):
            if looks is None:
                # PDF/A wants an appearance for every widget that has an area, also for one that shows nothing.
                appearance = writer.add_object(empty_form(width, height))
            elif SLICE in field:
                number, total = int(field[SLICE][0]), int(field[SLICE][1])
                appearance = looks.slice(number, total, width, height)
            else:
                appearance = looks.whole(width, height)
            widget[pdf_name("/AP")] = generic.DictionaryObject({pdf_name("/N"): appearance})
            writer.update_container(widget)
        field[pdf_name("/V")] = signature
        writer.mark_update(reference)
    ensure_sig_flags(writer=writer, lock_sig_flags=True)


def empty_form(width: float, height: float) -> generic.StreamObject:
    """Give an appearance that draws nothing; sizes in points."""
    return generic.StreamObject(
        {
            pdf_name("/Type"): pdf_name("/XObject"),
            pdf_name("/Subtype"): pdf_name("/Form"),
            pdf_name("/BBox"): generic.ArrayObject([generic.FloatObject(side) for side in (0, 0, width, height)]),
            pdf_name("/Resources"): generic.DictionaryObject(),
        },
        stream_data=b"",
    )
