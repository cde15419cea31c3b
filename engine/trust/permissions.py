"""What a signature forbids afterwards: locked fields (FieldMDP) and the issuer's certification (DocMDP, P = 2)."""

from __future__ import annotations

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.form_tools import enumerate_fields_in
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec, MDPPerm, enumerate_sig_fields
from pyhanko.sign.signers.cms_embedder import SigMDPSetup

from engine.errors import Rejected
from engine.trust.evidence import value_at

FILLED = ("*",)
"""A lock on every form field that is no signature; a field of this name cannot be locked alone."""
_KINDS = ("/Tx", "/Btn", "/Ch")


def forbid_changes(
    writer: IncrementalPdfFileWriter,
    field: generic.DictionaryObject,
    signature: generic.IndirectObject,
    lock: tuple[str, ...],
    *,
    certify: bool,
) -> None:
    """Write into an unfinished signature what must not change any more (ISO 32000-2, 12.8.2.2 and 12.8.2.4).

    A lock names fields (Include) and never all: that would forbid the others' signatures. Certified, the file may
    still be filled and signed. Raises Rejected ``signature.no_lock`` or ``signature.certify_first``.
    """
    first = not any(True for _ in enumerate_sig_fields(writer, filled_status=True))
    if certify and not first:
        raise Rejected(
            "signature.certify_first",
            zh="认证签名必须是文件的第一个签名，而文件已有签名。请改为普通签名，或从未签署的文件开始。",
            en="A certification must be the first signature and the document has one already. Sign without certify, "
            "or start from the unsigned document.",
        )
    names = _lockable(writer)
    wanted = names if lock == FILLED else list(lock)
    missing = [name for name in wanted if not any(known == name or known.startswith(f"{name}.") for known in names)]
    if missing:
        raise Rejected(
            "signature.no_lock",
            zh=f"要锁定的表单域不存在：{'、'.join(missing)}。文件中可锁定的表单域：{'、'.join(names) or '无'}。",
            en=f"There are no form fields to lock named {', '.join(missing)}. Fields: {', '.join(names) or 'none'}.",
            missing=", ".join(missing),
        )
    specification = FieldMDPSpec(FieldMDPAction.INCLUDE, wanted) if wanted else None
    if specification is not None and first:  # a field that gets a lock later voids the signatures before it
        field[pdf_name("/Lock")] = writer.add_object(specification.as_sig_field_lock())
    permission = MDPPerm.FILL_FORMS if certify else None
    SigMDPSetup("sha256", certify, specification, permission).apply(signature, writer)
    if certify:
        writer.update_root()


def _lockable(writer: IncrementalPdfFileWriter) -> list[str]:
    form = value_at(writer.root, "/AcroForm")
    fields = value_at(form, "/Fields") if isinstance(form, generic.DictionaryObject) else None
    if not isinstance(fields, generic.ArrayObject):
        return []
    found = (enumerate_fields_in(fields, refs_seen=set(), target_field_type=kind) for kind in _KINDS)
    return sorted({str(name) for kind in found for name, _, _ in kind})
