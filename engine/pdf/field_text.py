"""Draws the value of a form field or text note without a picture of itself; combs and rich text become plain lines."""

from __future__ import annotations

import re

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, String

from engine.pdf import page_boxes, text
from engine.pdf.faces import Glyph
from engine.pdf.fonts import FontBook

_FONT_SIZE = re.compile(rb"([\d.]+)\s+Tf")
_MULTILINE, _PASSWORD = 1 << 12, 1 << 13
_PADDING = 2.0
_DEFAULT_SIZE, _SMALLEST = 12.0, 4.0


def appearance(pdf: Pdf, widget: pikepdf.Object) -> pikepdf.Object | None:
    """A form XObject that shows the value of a field, or the words of a text note, in its rectangle.

    None if nothing can or should be shown.
    """
    rect = page_boxes.numbers(widget.get(Name.Rect), 4)
    note = widget.get(Name.Subtype) == Name.FreeText
    value = _value(page_boxes.inherited(widget, "/Contents" if note else "/V"))
    flags = _MULTILINE if note else _integer(page_boxes.inherited(widget, "/Ff"))
    if rect is None or not value or flags & _PASSWORD:
        return None
    width, height = abs(rect[2] - rect[0]), abs(rect[3] - rect[1])
    block = _block(value, _size(widget, height), width - 2 * _PADDING, height, bool(flags & _MULTILINE))
    if block is None:
        return None
    book = FontBook()
    book.add(glyph for line in block.lines for glyph in line.glyphs)
    fonts = book.embed(pdf, "Field")
    centred = _integer(page_boxes.inherited(widget, "/Q"))
    top = height - _PADDING if len(block.lines) > 1 else (height + block.height) / 2
    parts = []
    for number, line in enumerate(block.lines):
        left, _, right, _ = (edge * block.size / 1000 for edge in line.ink)
        x = _PADDING + (width - 2 * _PADDING - (right - left)) * {1: 0.5, 2: 1.0}.get(centred, 0.0) - left
        y = top - block.ascent - number * text.LEADING * block.size
        parts.append(f"1 0 0 1 {x:.3f} {y:.3f} Tm {book.show(line.glyphs, block.size)}")
    form = pdf.make_stream(("BT 0 g " + "\n".join(parts) + " ET").encode("ascii"))
    form[Name.Type], form[Name.Subtype] = Name.XObject, Name.Form
    form[Name.BBox] = Array([0, 0, width, height])
    form[Name.Resources] = Dictionary(Font=Dictionary(fonts))
    return form


def _block(value: str, size: float, width: float, height: float, multiline: bool) -> text.Block | None:
    lines = text.compose(value).splitlines()
    if width <= 0:
        return None
    glyphs = [_shape(line) for line in (lines if multiline else [" ".join(lines)])]
    if multiline:
        return text.wrap_text(glyphs, size, _SMALLEST, width, height)
    # A value wider than its field is shown whole and small rather than cut: what is signed must be read.
    return text.shrink_line(glyphs[0], size, 1.0, width, max(height, 1.5))


def _shape(line: str) -> list[Glyph]:
    """Glyphs of a line; a box stands for a character without one, because a value must not vanish for its sake."""
    glyphs, missing = text.shape(line, "sans")
    if missing:
        glyphs, _ = text.shape(line.translate({ord(sign): "□" for item in missing for sign in item}), "sans")
    return glyphs


def _size(widget: pikepdf.Object, height: float) -> float:
    style = page_boxes.inherited(widget, "/DA")
    found = _FONT_SIZE.search(bytes(style)) if isinstance(style, String) else None
    try:
        size = float(found.group(1)) if found else 0.0
    except ValueError:
        size = 0.0
    return min(size, 144.0) or min(_DEFAULT_SIZE, max(_SMALLEST, height * 0.7))


def _value(value: pikepdf.Object | None) -> str:
    if isinstance(value, Array):
        return ", ".join(str(item) for item in value if isinstance(item, String))
    return str(value) if isinstance(value, String) else ""


def _integer(value: pikepdf.Object | None) -> int:
    return int(value) if isinstance(value, pikepdf.Integer) else 0
