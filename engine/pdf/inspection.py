"""Says what in a PDF acts, hides, reaches outside or can change later; it judges structure, not what a picture shows.

Text drawn in white or under a picture is not found: only a person sees that. Everything found is either undone by
normalising (verdict ``rewrite``) or makes the document unfit to sign (verdict ``refuse``). After the shadow attacks on
signed PDFs (Mainka et al., NDSS 2021): what is not in the signed bytes as plain page content cannot be swapped later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream

from engine.errors import Rejected
from engine.language import Text
from engine.pdf import intake


class Verdict(StrEnum):
    """What becomes of a document with a finding."""

    REWRITE = "rewrite"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: stable ``code``, ``place`` (page, object or catalog) and ``verdict``; ``count`` of the same."""

    code: str
    place: str
    verdict: Verdict
    count: int = 1


@dataclass(frozen=True, slots=True)
class Inspection:
    """Report on one document (体检报告)."""

    pages: int
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        return not self.findings

    def to_facts(self) -> list[dict[str, str | int]]:
        """The findings as JSON values, for the fact ``inspection``."""
        return [
            {"code": item.code, "place": item.place, "verdict": item.verdict.value, "count": item.count}
            for item in self.findings
        ]


ACTIONS = {
    "/JavaScript": "action.script",
    "/Launch": "action.launch",
    "/URI": "action.link",
    "/SubmitForm": "action.submit",
    "/ResetForm": "action.form",
    "/ImportData": "action.import",
    "/GoToR": "action.other_file",
    "/GoToE": "action.other_file",
    "/GoToDp": "action.other_file",
    "/Thread": "action.other_file",
    "/Hide": "action.hide",
    "/SetOCGState": "action.hide",
    "/Named": "action.named",
    "/Rendition": "action.media",
    "/Movie": "action.media",
    "/Sound": "action.media",
    "/RichMediaExecute": "action.media",
    "/GoTo3DView": "action.media",
    "/Trans": "action.media",
    "/GoTo": "action.jump",
}
"""Action types (ISO 32000-2 table 201) and the code each is reported as."""

KEYS = {
    "/AA": "action.automatic",
    "/JS": "action.script",
    "/OpenAction": "action.automatic",
    "/EmbeddedFiles": "files.embedded",
    "/EF": "files.embedded",
    "/AF": "files.embedded",
    "/Collection": "files.portfolio",
    "/Ref": "files.external",
    "/OPI": "files.external",
    "/XFA": "form.xfa",
    "/AcroForm": "form.fields",
    "/OCProperties": "layers",
    "/OC": "layers",
    "/Alternates": "layers",
    "/AlternatePresentations": "layers",
    "/Requirements": "document.requirements",
    "/SpiderInfo": "files.external",
    "/RichMediaContent": "media",
    "/3DD": "media",
    "/Perms": "signature.permissions",
    "/Legal": "signature.permissions",
    "/PieceInfo": "private.data",
}
"""Dictionary keys that act, hide or reach outside, wherever they stand."""

ANNOTATIONS = {
    "/3D": "media",
    "/RichMedia": "media",
    "/Movie": "media",
    "/Sound": "media",
    "/Screen": "media",
    "/FileAttachment": "files.embedded",
    "/Widget": "form.fields",
    "/Link": "action.jump",
}
"""Annotation types with a code of their own; all others are ``annotations``: they lie over the page and can change."""

NAMED = frozenset(
    {
        "/Font",
        "/XObject",
        "/ExtGState",
        "/ColorSpace",
        "/Pattern",
        "/Shading",
        "/Properties",
        "/CharProcs",
        "/Colorants",
    }
)
"""Dictionaries whose keys are names chosen by the producer: /XObject << /AA 5 0 R >> is a picture, not an action."""

_REFUSED = {"files.portfolio": "portfolio", "form.xfa_dynamic": "xfa", "structure.too_deep": "deep"}
_NESTING = 200


def inspect(source: Path, page_limit: int = intake.PAGE_LIMIT) -> Inspection:
    """Inspect a PDF; raises Rejected where it cannot be opened at all (see ``engine.pdf.intake``)."""
    with intake.reading(source.name), intake.open_pdf(source, page_limit) as pdf:
        return inspect_pdf(pdf)


def inspect_pdf(pdf: pikepdf.Pdf) -> Inspection:
    """Inspect an open document within ``intake.reading``; equal findings are counted under their first place."""
    found: dict[str, tuple[str, int]] = {}
    for code, place in _findings(pdf):
        first, count = found.get(code, (place, 0))
        found[code] = (first, count + 1)
    findings = tuple(
        Finding(code, place, Verdict.REFUSE if code in _REFUSED else Verdict.REWRITE, count)
        for code, (place, count) in sorted(found.items())
    )
    return Inspection(len(pdf.pages), findings)


def refuse(file: str, inspection: Inspection) -> None:
    """Raise Rejected ``document.unsafe`` if a finding cannot be undone by rewriting."""
    refused = [finding for finding in inspection.findings if finding.verdict is Verdict.REFUSE]
    if refused:
        what = _REFUSALS[_REFUSED[refused[0].code]]
        raise Rejected(
            "document.unsafe",
            zh=f"文件 {file} {what.zh}",
            en=f"{file} {what.en}",
            file=file,
            finding=refused[0].code,
            place=refused[0].place,
        )


def _findings(pdf: pikepdf.Pdf) -> Iterator[tuple[str, str]]:
    trailer = pdf.trailer
    seen = pikepdf.ObjectSet()
    if pdf.is_encrypted:
        yield "encryption.permissions", "trailer"
        seen.add(trailer[Name.Encrypt])
    if Name.XRefStm in trailer:
        yield "structure.hybrid_xref", "trailer"
    root = pdf.Root
    form = root.get(Name.AcroForm)
    if isinstance(form, Dictionary) and Name.XFA in form and _is_dynamic(root, form):
        yield "form.xfa_dynamic", "catalog"
    uri = root.get(Name.URI)
    if isinstance(uri, Dictionary):
        yield "action.link", "catalog"
    for number, page in enumerate(pdf.pages, start=1):
        yield from _walk(page.obj, f"page {number}", seen)
    yield from _walk(root, "catalog", seen)
    # What nothing refers to is not drawn today and could be tomorrow: the raw material of a replace attack.
    for item in pdf.objects:
        if isinstance(item, (Dictionary, Stream, Array)):
            yield from _walk(item, f"object {item.objgen[0]}", seen)


def _walk(start: pikepdf.Object, place: str, seen: pikepdf.ObjectSet) -> Iterator[tuple[str, str]]:
    """Everything reachable from ``start`` that no earlier walk has seen; flat, as documents can be deeply nested."""
    stack: list[tuple[pikepdf.Object, int, bool]] = [(start, 0, False)]
    while stack:
        item, depth, named = stack.pop()
        if not isinstance(item, (Dictionary, Stream, Array)):
            continue
        if item.is_indirect:
            if not seen.add(item):
                continue
            depth = 0
        elif depth > _NESTING:
            yield "structure.too_deep", place
            continue
        if isinstance(item, Array):
            stack.extend((value, depth + 1, False) for value in item)
            continue
        if not named:
            yield from ((code, place) for code in codes(item))
        entries = item.stream_dict if isinstance(item, Stream) else item
        for key, value in entries.items():
            # Pages name their place themselves; the way back up must not give a page's parts to its neighbour.
            if key not in ("/Parent", "/P", "/Kids") or place == "catalog":
                stack.append((value, depth + 1, not named and key in NAMED))


def codes(item: pikepdf.Object) -> Iterator[str]:
    """Codes of what one dictionary or stream does by itself."""
    entries = item.stream_dict if isinstance(item, Stream) else item
    keys = set(entries.keys())
    for key in keys & KEYS.keys():
        yield KEYS[key]
    kind, subtype = intake.name_of(entries.get(Name.Type)), intake.name_of(entries.get(Name.Subtype))
    action = ACTIONS.get(intake.name_of(entries.get(Name.S)))
    if action and kind in ("", "/Action") and not keys & {"/K", "/Pg"}:  # a structure element has /S too
        yield action
    if isinstance(item, Stream) and keys & {"/F", "/FFilter", "/FDecodeParms"}:
        yield "files.external"
    if kind == "/Filespec" or (keys & {"/UF", "/DOS", "/Unix", "/Mac"} and "/F" in keys):
        yield "files.external" if "/EF" not in keys else "files.embedded"
    if "/Rect" in keys and subtype and subtype not in ("/Form", "/Image"):
        yield ANNOTATIONS.get(subtype, "annotations")
    if subtype == "/PS" or intake.name_of(entries.get(Name.Subtype2)) == "/PS":
        yield "postscript"
    if "/ByteRange" in keys and "/Contents" in keys:
        yield "signature"
    if kind in ("/OCG", "/OCMD"):
        yield "layers"


def _is_dynamic(root: pikepdf.Object, form: pikepdf.Object) -> bool:
    """A form that only an XFA program can lay out; its PDF page says "please wait"."""
    fields = form.get(Name.Fields)
    needs = root.get(Name.NeedsRendering)
    return not (isinstance(fields, Array) and len(fields)) or (needs is not None and str(needs) in ("True", "true"))


_REFUSALS = {
    "portfolio": Text(
        zh="是一个 PDF 文件包，真正的文件在附件中。请把其中的每个文件单独导出后上传。",
        en="is a PDF portfolio whose real documents are attachments. Save each of them and upload those.",
    ),
    "xfa": Text(
        zh="是动态 XFA 表单，只有 Adobe 软件能显示其内容。请在 Adobe Reader 中打印为 PDF 后上传。",
        en="is a dynamic XFA form that only Adobe software can show. Print it to PDF in Adobe Reader and upload that.",
    ),
    "deep": Text(
        zh="内部结构嵌套过深，可能含有恶意内容。请打印为 PDF 后上传。",
        en="is nested too deeply inside and may be hostile. Print it to PDF and upload that.",
    ),
}
