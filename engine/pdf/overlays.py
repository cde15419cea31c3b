"""Draws what lies over a page (annotations, fields, signature pictures) into the page; notes behind icons are lost.

An annotation without an appearance of its own gets one if it shows text or a mark (``engine.pdf.marks``); what viewers
would make up for others differs from viewer to viewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, Stream

from engine.pdf import field_text, page_boxes

_INVISIBLE = 1 | 2 | 32
"""Flags Invisible, Hidden and NoView (ISO 32000-2 table 167)."""


@dataclass(slots=True)
class Flattened:
    """What was drawn and what was left out."""

    drawn: int = 0
    dropped: int = 0


def appearance_commands(pdf: Pdf, page: pikepdf.Object, result: Flattened, *, stale: bool) -> bytes:
    """Content that draws the page's visible annotations in page space; adds their forms to the page's resources.

    ``stale``: the document says that its form fields need new appearances (NeedAppearances).
    """
    annotations = page.get(Name.Annots)
    if not isinstance(annotations, Array):
        return b""
    commands: list[bytes] = []
    target: pikepdf.Object | None = None
    drawn = pikepdf.ObjectSet()
    for annotation in annotations:
        if not isinstance(annotation, Dictionary) or (annotation.is_indirect and not drawn.add(annotation)):
            continue
        if not _is_visible(annotation):
            continue
        form = _appearance(pdf, annotation, stale)
        matrix = None if form is None else _matrix(annotation, form)
        if form is None or matrix is None:
            result.dropped += annotation.get(Name.Subtype) not in (Name.Link, Name.Popup, Name.Widget)
            continue
        target = forms(page) if target is None else target
        name = _free_name(target, len(commands))
        target[f"/{name}"] = form
        numbers = " ".join(f"{number:.6f}" for number in matrix)
        commands.append(f"q {numbers} cm /{name} Do Q\n".encode("ascii"))
        result.drawn += 1
    return b"".join(commands)


def forms(page: pikepdf.Object) -> pikepdf.Object:
    """The XObject resources of a page, made if it has none and its own if it shared them with other pages."""
    resources = page.get(Name.Resources)
    # A shallow copy: a name added for one page must not appear on another.
    own = page[Name.Resources] = _copy(resources)
    pictures = own[Name.XObject] = _copy(own.get(Name.XObject))
    return pictures


def _copy(entries: pikepdf.Object | None) -> pikepdf.Object:
    return Dictionary(dict(entries.items())) if isinstance(entries, Dictionary) else Dictionary()


def _is_visible(annotation: pikepdf.Object) -> bool:
    flags = annotation.get(Name.F)
    bits = int(flags) if isinstance(flags, pikepdf.Integer) else 0
    return not bits & _INVISIBLE and annotation.get(Name.Subtype) != Name.Popup


def _free_name(target: pikepdf.Object, number: int) -> str:
    name = f"Over{number}"
    while f"/{name}" in target:
        name += "x"
    return name


def _appearance(pdf: Pdf, annotation: pikepdf.Object, stale: bool) -> pikepdf.Object | None:
    is_text = annotation.get(Name.Subtype) == Name.Widget and _field(annotation, "/FT") in (Name.Tx, Name.Ch)
    if is_text and stale:
        written = field_text.appearance(pdf, annotation)
        if written is not None:
            return written
    states = annotation.get(Name.AP)
    form = states.get(Name.N) if isinstance(states, Dictionary) else None
    if isinstance(form, Dictionary):
        state = annotation.get(Name.AS)
        form = form.get(state) if isinstance(state, Name) else None
    if isinstance(form, Stream):
        form[Name.Type], form[Name.Subtype] = Name.XObject, Name.Form
        return form
    return field_text.appearance(pdf, annotation) if is_text or annotation.get(Name.Subtype) == Name.FreeText else None


def _matrix(annotation: pikepdf.Object, form: pikepdf.Object) -> tuple[float, ...] | None:
    """Matrix from form to page space that maps the transformed BBox onto Rect (ISO 32000-2 12.5.5, algorithm 8)."""
    rect = page_boxes.numbers(annotation.get(Name.Rect), 4)
    bbox = page_boxes.numbers(form.get(Name.BBox), 4)
    own = page_boxes.numbers(form.get(Name.Matrix), 6) or [1, 0, 0, 1, 0, 0]
    if rect is None or bbox is None:
        return None
    a, b, c, d, e, f = own
    corners = [(a * x + c * y + e, b * x + d * y + f) for x in bbox[::2] for y in bbox[1::2]]
    left, right = min(x for x, _ in corners), max(x for x, _ in corners)
    bottom, top = min(y for _, y in corners), max(y for _, y in corners)
    if right - left < 1e-6 or top - bottom < 1e-6:
        return None
    scale_x = abs(rect[2] - rect[0]) / (right - left)
    scale_y = abs(rect[3] - rect[1]) / (top - bottom)
    return scale_x, 0, 0, scale_y, min(rect[0], rect[2]) - left * scale_x, min(rect[1], rect[3]) - bottom * scale_y


def _field(annotation: pikepdf.Object, key: str) -> pikepdf.Object | None:
    """An attribute of a form field, which a widget may inherit (ISO 32000-2 12.7.4.1)."""
    return page_boxes.inherited(annotation, key)
