"""Judges what was done to a file after a signature; comments and changed pages are changes, however they look."""

from __future__ import annotations

from typing import IO

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, DiffResult, ModificationLevel
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from engine.trust.coverage import only_blank_after
from engine.trust.differences import Comparison, Unexplained
from engine.trust.entries import Entry
from engine.trust.verdict import Finding, Integrity, worse_integrity


def compare_later(entry: Entry, embedded: EmbeddedPdfSignature, reader: PdfFileReader, stream: IO[bytes]) -> None:
    """What happened to the file after this signature."""
    if entry.coverage.oddity is not None:
        entry.worsen(Integrity.MODIFIED, _uncovered(entry.coverage.oddity))
        return
    if entry.coverage.whole:
        return
    reach = embedded.evaluate_signature_coverage()
    if reach < SignatureCoverageLevel.ENTIRE_REVISION:
        entry.worsen(Integrity.MODIFIED, _uncovered("it does not end with its revision"))
        return
    if reader.xrefs.total_revisions - 1 <= entry.revision:
        if not only_blank_after(stream, entry.coverage.end):
            entry.worsen(Integrity.MODIFIED, _uncovered("bytes outside of any revision follow"))
        else:
            entry.worsen(Integrity.EXTENDED, _uncovered("white space follows"))
        return
    try:
        change = DEFAULT_DIFF_POLICY.review_file(
            reader, entry.revision, field_mdp_spec=embedded.fieldmdp, doc_mdp=embedded.docmdp_level
        )
        permitted = embedded.docmdp_level
    except Exception:  # the library's comparison gives up on forms that others accept
        _compare_objects(entry, embedded, reader)
        return
    if not isinstance(change, DiffResult):
        _compare_objects(entry, embedded, reader)
        return
    if change.modification_level is ModificationLevel.OTHER or (
        permitted is not None and change.modification_level.value > permitted.value
    ):
        entry.worsen(Integrity.MODIFIED, _changed("the signature forbids them"))
        return
    entry.integrity = worse_integrity(entry.integrity, Integrity.EXTENDED)
    entry.later.extend(_disclose(change))


def _compare_objects(entry: Entry, embedded: EmbeddedPdfSignature, reader: PdfFileReader) -> None:
    """Second opinion where the library sees an unusual way of writing: is there any difference in substance?"""
    try:
        lock = embedded.fieldmdp
        frozen = embedded.docmdp_level is MDPPerm.NO_CHANGES
        comparison = Comparison(reader, entry.revision, lock.is_locked if lock else lambda _: False, frozen=frozen)
        comparison.run()
    except Unexplained as difference:
        entry.worsen(Integrity.MODIFIED, _changed(str(difference)))
    except Exception as error:  # a comparison that fails cannot vouch for the changes
        entry.worsen(Integrity.MODIFIED, _changed(str(error) or type(error).__name__))
    else:
        entry.integrity = worse_integrity(entry.integrity, Integrity.EXTENDED)
        filled = (
            ModificationLevel.FORM_FILLING if comparison.fields or comparison.signed else ModificationLevel.LTA_UPDATES
        )
        entry.later.extend(_disclose(DiffResult(filled, comparison.fields)))


def _disclose(change: DiffResult) -> list[Finding]:
    told = []
    if change.modification_level is ModificationLevel.LTA_UPDATES:
        told.append(
            Finding(
                "later.evidence",
                "此后添加了验证数据或文档时间戳。",
                "Validation data or a document timestamp was added later.",
            )
        )
    if change.modification_level is ModificationLevel.FORM_FILLING:
        told.append(
            Finding("later.form", "此后填写了表单或添加了签名。", "Form fields were filled or signatures added later.")
        )
    if change.changed_form_fields:
        names = ", ".join(sorted(change.changed_form_fields))
        told.append(
            Finding("later.fields", f"此后变化的表单域：{names}。", f"Form fields that changed later: {names}.")
        )
    return told


def _uncovered(why: str) -> Finding:
    return Finding(
        "signature.coverage",
        f"签名没有完整覆盖文件（{why}）。",
        f"The signature does not cover the file as it must ({why}).",
    )


def _changed(why: str) -> Finding:
    return Finding(
        "signature.changed_later",
        f"签署后文件被以不允许的方式修改（{why}）。",
        f"After signing the file was changed in ways that are not allowed ({why}).",
    )
