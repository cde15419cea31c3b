"""Judges what was done to a file after a signature; comments and changed pages are changes, however they look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, DiffResult, ModificationLevel, SuspiciousModification
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from engine.trust.coverage import only_blank_after
from engine.trust.differences import Comparison, Unexplained
from engine.trust.entries import Entry
from engine.trust.looks import find_sneaky_look
from engine.trust.verdict import Finding, Integrity, worse_integrity


@dataclass(frozen=True, slots=True)
class Reviewed:
    """All that was done after a revision, found to be of allowed kinds."""

    revision: int
    change: DiffResult


def compare_later(
    entry: Entry,
    embedded: EmbeddedPdfSignature,
    reader: PdfFileReader,
    stream: IO[bytes],
    newer: Reviewed | None = None,
) -> Reviewed | None:
    """What happened to the file after this signature; ``newer``: what this gave for the next signature behind it."""
    if entry.coverage.oddity is not None:
        entry.worsen(Integrity.MODIFIED, _uncovered(entry.coverage.oddity))
        return None
    if entry.coverage.whole:
        if entry.revision < reader.xrefs.total_revisions - 1:
            return None  # it covers revisions behind its own, and whoever stands before them has to look at them
        return Reviewed(entry.revision, DiffResult(ModificationLevel.NONE, set()))
    reach = embedded.evaluate_signature_coverage()
    if reach < SignatureCoverageLevel.ENTIRE_REVISION:
        entry.worsen(Integrity.MODIFIED, _uncovered("it does not end with its revision"))
        return None
    if reader.xrefs.total_revisions - 1 <= entry.revision:
        if not only_blank_after(stream, entry.coverage.end):
            entry.worsen(Integrity.MODIFIED, _uncovered("bytes outside of any revision follow"))
        else:
            entry.integrity = worse_integrity(entry.integrity, Integrity.EXTENDED)
            entry.later.append(_blank())
        return None
    try:
        change = _review(entry.revision, embedded, reader, newer)
        permitted = embedded.docmdp_level
    except Exception:  # the library's comparison gives up on forms that others accept
        _compare_objects(entry, embedded, reader)
        return None
    if not isinstance(change, DiffResult):
        _compare_objects(entry, embedded, reader)
        return None
    if change.modification_level is ModificationLevel.OTHER or (
        permitted is not None and change.modification_level.value > permitted.value
    ):
        entry.worsen(Integrity.MODIFIED, _forbidden())
        return None
    if _refuse_sneaky(entry, reader):
        return None
    entry.integrity = worse_integrity(entry.integrity, Integrity.EXTENDED)
    entry.later.extend(_disclose(change))
    return Reviewed(entry.revision, change)


def _refuse_sneaky(entry: Entry, reader: PdfFileReader) -> bool:
    """A form may be filled and signed, but a field nobody filled or signed must not draw over the page."""
    try:
        name = find_sneaky_look(reader, entry.revision)
    except Exception as error:  # as in compare_later
        name = str(error) or type(error).__name__
    if name is not None:
        entry.worsen(Integrity.MODIFIED, _sneaky(name))
    return name is not None


def _review(
    revision: int, embedded: EmbeddedPdfSignature, reader: PdfFileReader, newer: Reviewed | None
) -> DiffResult | SuspiciousModification:
    """Compare with each later revision, or with those up to the next signature where its review tells the rest.

    What is allowed after a signature without locks stays allowed step by step, and a long row of signatures would
    otherwise take the cube of its length.
    """
    lock, permitted = embedded.fieldmdp, embedded.docmdp_level
    if newer is None or lock is not None or permitted is not None:
        return DEFAULT_DIFF_POLICY.review_file(reader, revision, field_mdp_spec=lock, doc_mdp=permitted)
    base = reader.get_historical_resolver(revision)
    level, fields = newer.change.modification_level, set(newer.change.changed_form_fields)
    for later in range(revision + 1, newer.revision + 1):
        step = DEFAULT_DIFF_POLICY.apply(base, reader.get_historical_resolver(later))
        level = max(level, step.modification_level)
        fields |= step.changed_form_fields
    return DiffResult(level, fields)


def _compare_objects(entry: Entry, embedded: EmbeddedPdfSignature, reader: PdfFileReader) -> None:
    """Second opinion where the library sees an unusual way of writing: is there any difference in substance?"""
    permitted = None
    try:
        lock, permitted = embedded.fieldmdp, embedded.docmdp_level
        frozen = permitted is MDPPerm.NO_CHANGES
        comparison = Comparison(reader, entry.revision, lock.is_locked if lock else lambda _: False, frozen=frozen)
        comparison.run()
    except Unexplained as difference:
        noted = permitted is MDPPerm.ANNOTATE and "/Annots" in str(difference)
        entry.worsen(Integrity.MODIFIED, _noted() if noted else _changed(str(difference)))
    except Exception as error:  # a comparison that fails cannot vouch for the changes
        entry.worsen(Integrity.MODIFIED, _changed(str(error) or type(error).__name__))
    else:
        if _refuse_sneaky(entry, reader):
            return
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


def _noted() -> Finding:
    return Finding(
        "signature.noted_later",
        "签署后添加或改动了批注。认证签名允许批注，但批注可以遮住所签内容，因此不视为未改动；请对照所签版本。",
        "A comment was added or changed after signing. The certification permits comments, yet one can cover what was "
        "signed, so the file does not count as unchanged; compare it with the signed revision.",
    )


def _blank() -> Finding:
    return Finding(
        "later.blank",
        "文件末尾之后还有空白字符，不影响内容。",
        "White space stands behind the end of the file; it shows nothing.",
    )


def _sneaky(name: str) -> Finding:
    return Finding(
        "signature.sneaky_look",
        f"签署后，既未签名也未填写的域“{name}”在页面上显示了新的内容。",
        f"After signing, the field “{name}”, which nobody signed or filled, shows something new on the page.",
    )


def _uncovered(why: str) -> Finding:
    return Finding(
        "signature.coverage",
        f"签名没有完整覆盖文件（{why}）。",
        f"The signature does not cover the file as it must ({why}).",
    )


_WORDS = (
    ("/AA", "自动执行的动作被改动", "what happens by itself was changed"),
    ("/Annots", "页面上添加、移除或改动了批注或表单域", "a note or field on a page was added, removed or changed"),
    ("/AcroForm", "表单被改动", "the form was changed"),
    ("/OpenAction", "打开文件时的动作被改动", "what happens at opening was changed"),
    ("/Names", "附件、脚本或命名目录被改动", "attachments, scripts or names were changed"),
    ("/AF", "附件被改动", "attachments were changed"),
    ("/OCProperties", "图层设置被改动", "layers were changed"),
    ("/Contents", "页面内容被改动", "what a page shows was changed"),
    ("/Resources", "页面所用的字体或图像被改动", "fonts or pictures of a page were changed"),
    ("/Kids[", "页面或其属性被改动", "a page or a property of it was changed"),
    ("/Kids", "页面被增加或移除", "pages were added or removed"),
    ("/Pages", "所有页面或其属性被改动", "the pages or a property of all of them were changed"),
)
"""What a place in the document means to a reader; the first that occurs in it is meant."""


def _changed(why: str) -> Finding:
    zh, en = next(((zh, en) for name, zh, en in _WORDS if name in why), ("文件结构被改动", "its structure was changed"))
    return Finding(
        "signature.changed_later",
        f"签署后文件被以不允许的方式修改：{zh}（{why}）。",
        f"After signing the file was changed in ways that are not allowed: {en} ({why}).",
    )


def _forbidden() -> Finding:
    return Finding(
        "signature.changed_later",
        "签署后填写了表单、添加了签名或改动了内容，而该签名不允许这样做。",
        "After signing, fields were filled, signatures added or content changed, and this signature forbids it.",
    )
