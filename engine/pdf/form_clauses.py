"""Tests the clauses on fields, annotations, permissions and signatures that no validator at hand judges.

ISO 19005-2 6.1.12, 6.3, 6.4 and 6.5.1. Whether a signature is genuine is not asked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pikepdf
from asn1crypto import cms
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String

from engine.pdf import intake, page_boxes
from engine.pdf.clauses import Violation
from engine.pdf.syntax import Buffer

_ANNOTATIONS = frozenset(
    f"/{kind}"
    for kind in [
        *("Text", "Link", "FreeText", "Line", "Square", "Circle", "Polygon", "PolyLine", "Highlight", "Underline"),
        *("Squiggly", "StrikeOut", "Stamp", "Caret", "Ink", "Popup", "FileAttachment", "Widget", "PrinterMark"),
        *("TrapNet", "Watermark", "Redact"),
    ]
)
_ACTIONS = frozenset({"/GoTo", "/GoToR", "/GoToE", "/URI", "/Thread", "/SubmitForm", "/Named"})
_NAMED = frozenset({"/NextPage", "/PrevPage", "/FirstPage", "/LastPage"})
_PRINT, _NOT_SHOWN = 4, 1 | 2 | 32 | 256
"""Flags Print; Invisible, Hidden, NoView, ToggleNoView (ISO 32000-1 table 165)."""
_HEX = re.compile(rb"<[0-9A-Fa-f\s]*>")
_DEPTH = 64


def check_forms(pdf: Pdf, data: Buffer) -> list[Violation]:
    """Violations of an open file whose bytes are ``data``; nothing is changed."""
    violations = [*_check_catalogue(pdf)]
    seen = pikepdf.ObjectSet()
    for number, page in enumerate(pdf.pages, 1):
        annotations = page.obj.get(Name.Annots)
        for annotation in annotations if isinstance(annotations, Array) else ():
            if isinstance(annotation, Dictionary) and (not annotation.is_indirect or seen.add(annotation)):
                violations += _check_annotation(annotation, _place(annotation, f"page {number}"))
    values = pikepdf.ObjectSet()
    for field in _fields(pdf):
        place = _place(field, "AcroForm")
        if Name.A in field or Name.AA in field:
            violations.append(
                Violation("6.4.1", place, "表单域带有动作（A 或 AA）", "a field carries an action (A or AA)")
            )
        if field.get(Name.Subtype) == Name.Widget and seen.add(field):
            violations += _check_annotation(field, place)
        value = field.get(Name.V)
        if isinstance(value, Dictionary) and Name.ByteRange in value and (not value.is_indirect or values.add(value)):
            violations += _check_signature(value, data, _place(value, place))
    return violations


def _check_catalogue(pdf: Pdf) -> Iterator[Violation]:
    root = pdf.Root
    if Name.NeedsRendering in root:
        yield Violation("6.4.2", "catalog", "目录含 NeedsRendering", "the catalogue has NeedsRendering")
    form = root.get(Name.AcroForm)
    if isinstance(form, Dictionary):
        if str(form.get(Name.NeedAppearances)) in ("True", "true"):
            yield Violation("6.4.1", "AcroForm", "NeedAppearances 为 true", "NeedAppearances is true")
        if Name.XFA in form:
            yield Violation("6.4.2", "AcroForm", "含有 XFA 表单", "there is an XFA form")
    permissions = root.get(Name.Perms)
    if isinstance(permissions, Dictionary):
        for key in sorted(set(permissions.keys()) - {"/UR3", "/DocMDP"}):
            yield Violation("6.1.12", "Perms", f"权限字典含 {key}", f"the permissions dictionary has {key}")
        if Name.DocMDP in permissions:
            yield from _check_references(pdf)


def _check_references(pdf: Pdf) -> Iterator[Violation]:
    for field in _fields(pdf):
        value = field.get(Name.V)
        references = value.get(Name.Reference) if isinstance(value, Dictionary) else None
        for reference in references if isinstance(references, Array) else ():
            digests = {"/DigestLocation", "/DigestMethod", "/DigestValue"}
            for key in sorted(digests & set(reference.keys())) if isinstance(reference, Dictionary) else ():
                yield Violation(
                    "6.1.12", _place(field, "field"), f"签名引用含 {key}", f"a signature reference has {key}"
                )


def _check_annotation(annotation: pikepdf.Object, place: str) -> Iterator[Violation]:
    kind = intake.name_of(annotation.get(Name.Subtype))
    if kind not in _ANNOTATIONS:
        yield Violation("6.3.1", place, f"不允许的注释类型 {kind}", f"annotations of type {kind} are not allowed")
    flags = annotation.get(Name.F)
    bits = int(flags) if isinstance(flags, pikepdf.Integer) else None
    if kind != "/Popup" and bits is None:
        yield Violation("6.3.2", place, "注释没有 F 标志", "the annotation has no flags F")
    if bits is not None and (not bits & _PRINT or bits & _NOT_SHOWN):
        yield Violation("6.3.2", place, f"注释标志 F={bits} 不可打印或不可见", f"flags F={bits} do not print or hide")
    if kind == "/Widget" and (Name.A in annotation or Name.AA in annotation):
        yield Violation("6.4.1", place, "控件带有动作（A 或 AA）", "a widget carries an action (A or AA)")
    yield from _check_action(annotation.get(Name.A), place)
    yield from _check_appearance(annotation, kind, place)


def _check_action(action: pikepdf.Object | None, place: str) -> Iterator[Violation]:
    if not isinstance(action, Dictionary):
        return
    kind = intake.name_of(action.get(Name.S))
    if kind not in _ACTIONS or (kind == "/Named" and intake.name_of(action.get(Name.N)) not in _NAMED):
        yield Violation("6.5.1", place, f"不允许的动作 {kind}", f"actions of type {kind} are not allowed")


def _check_appearance(annotation: pikepdf.Object, kind: str, place: str) -> Iterator[Violation]:
    states = annotation.get(Name.AP)
    if not isinstance(states, Dictionary):
        box = page_boxes.numbers(annotation.get(Name.Rect), 4)
        flat = box is not None and box[0] == box[2] and box[1] == box[3]
        if not flat and kind not in ("/Popup", "/Link"):
            yield Violation("6.3.3", place, "注释没有外观（AP）", "the annotation has no appearance (AP)")
        return
    if set(states.keys()) != {"/N"}:
        yield Violation("6.3.3", place, "外观字典应只含 N", "the appearance dictionary must hold N alone")
    picture = states.get(Name.N)
    button = kind == "/Widget" and page_boxes.inherited(annotation, "/FT") == Name.Btn
    if isinstance(picture, Stream) == button:
        yield Violation("6.3.3", place, "外观 N 的类型不合规", "the appearance N is of the wrong kind")


def _check_signature(value: pikepdf.Object, data: Buffer, place: str) -> Iterator[Violation]:
    """Clause 6.4.3: digest over all but Contents; DER with one signer and the signer's certificate."""
    contents = value.get(Name.Contents)
    signed = bytes(contents) if isinstance(contents, String) else b""
    numbers = page_boxes.numbers(value.get(Name.ByteRange), 4)
    if numbers is None or not _covers([int(number) for number in numbers], data, signed):
        yield Violation("6.4.3", place, "ByteRange 未覆盖除签名值外的全部字节", "ByteRange is not all but Contents")
    try:
        content = cms.ContentInfo.load(signed)["content"]
        signers, certificates = list(content["signer_infos"]), list(content["certificates"])
        lacking = [signer for signer in signers if not any(_is_of(one.chosen, signer["sid"]) for one in certificates)]
    except (ValueError, TypeError, KeyError, AttributeError):
        yield Violation("6.4.3", place, "签名值不是合规的 CMS", "the signature is no proper CMS object")
        return
    if len(signers) != 1:
        yield Violation("6.4.3", place, f"签名值含 {len(signers)} 个签名人", f"it has {len(signers)} signers, not one")
    if lacking:
        yield Violation("6.4.3", place, "签名值不含签名人的证书", "it lacks the certificate of its signer")


def _is_of(certificate: cms.Certificate, sid: cms.SignerIdentifier) -> bool:
    """Whether a signer is the holder of a certificate (RFC 5652, 5.3)."""
    if sid.name == "subject_key_identifier":
        return bool(certificate.key_identifier == sid.chosen.native)
    body, wanted = certificate["tbs_certificate"], sid.chosen
    same_number = body["serial_number"].contents == wanted["serial_number"].contents
    return same_number and bool(body["issuer"].dump() == wanted["issuer"].dump())


def _covers(numbers: list[int], data: Buffer, signed: bytes) -> bool:
    start, before, resume, after = numbers
    end = resume + after
    if start or not 0 < before < resume <= end <= len(data) or resume - before > 2 * len(signed) + 4096:
        return False
    # It covers the file as it was then: to the end of a revision.
    ends = re.search(rb"%%EOF[\r\n]*\Z", data[max(0, end - 16) : end]) is not None
    return ends and _HEX.fullmatch(data, before, resume) is not None


def _fields(pdf: Pdf) -> Iterator[pikepdf.Object]:
    """Every field and widget of the form, each once."""
    form = pdf.Root.get(Name.AcroForm)
    roots = form.get(Name.Fields) if isinstance(form, Dictionary) else None
    seen = pikepdf.ObjectSet()
    stack = [(item, 0) for item in roots] if isinstance(roots, Array) else []
    while stack:
        field, depth = stack.pop()
        if not isinstance(field, Dictionary) or depth > _DEPTH or (field.is_indirect and not seen.add(field)):
            continue
        yield field
        kids = field.get(Name.Kids)
        stack += [(kid, depth + 1) for kid in kids] if isinstance(kids, Array) else []


def _place(item: pikepdf.Object, otherwise: str) -> str:
    return f"object {item.objgen[0]}" if item.is_indirect else otherwise
