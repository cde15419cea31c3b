"""Gives fonts that a converter drew glyph by glyph (Type 3) a real TrueType program; coloured glyphs stay as they are.

The Skia library writes OpenType fonts with CFF outlines so. Such text prints and extracts well, yet archive checkers
refuse it and small sizes look ragged. Shapes, widths and codes stay the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import pikepdf
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from pikepdf import Array, Dictionary, Name, Pdf, Stream

from engine.pdf import intake, page_boxes, truetype

_Segment = tuple[str, tuple[float, ...]]


def embed_drawn_fonts(pdf: Pdf) -> int:
    """Replace every Type 3 font of plain outlines; returns how many were."""
    return sum(_replace(pdf, font) for font in pdf.objects if _is_drawn(font))


def _is_drawn(font: pikepdf.Object) -> bool:
    if not isinstance(font, Dictionary) or font.get(Name.Subtype) != Name.Type3:
        return False
    matrix = page_boxes.numbers(font.get(Name.FontMatrix), 6)
    wanted = (0.001, 0, 0, -0.001, 0, 0)
    return matrix is not None and all(abs(a - b) < 1e-6 for a, b in zip(matrix, wanted, strict=True))


def _replace(pdf: Pdf, font: pikepdf.Object) -> int:
    procedures, encoding = font.get(Name.CharProcs), font.get(Name.Encoding)
    differences = encoding.get(Name.Differences) if isinstance(encoding, Dictionary) else None
    if not isinstance(procedures, Dictionary) or not isinstance(differences, Array):
        return 0
    drawn: dict[int, tuple[float, list[_Segment]]] = {}
    for code, name in _codes(differences):
        procedure = procedures.get(name)
        glyph = _read(procedure) if isinstance(procedure, Stream) else None
        if glyph is None:
            return 0
        drawn[code] = glyph
    if not drawn:
        return 0
    program = _program(drawn)
    first, last = min(drawn), max(drawn)
    given = font.get(Name.FontDescriptor)
    label = intake.name_of(given.get(Name.FontName)) if isinstance(given, Dictionary) else ""
    base = Name(label if label.isascii() and len(label) > 1 else "/AAAAAA+Drawn")
    for key in (Name.CharProcs, Name.Encoding, Name.FontMatrix, Name.FontBBox, Name.Resources, Name.CIDToGIDMap):
        if key in font:
            del font[key]
    font[Name.Subtype], font[Name.BaseFont] = Name.TrueType, base
    font[Name.FirstChar], font[Name.LastChar] = first, last
    font[Name.Widths] = Array([round(drawn[code][0]) if code in drawn else 0 for code in range(first, last + 1)])
    font[Name.FontDescriptor] = truetype.describe(pdf, base, program, serif=False)
    return 1


def _codes(differences: pikepdf.Object) -> Iterator[tuple[int, str]]:
    """Codes and glyph names; a code whose glyph stands for "none" (g0) is as good as any other."""
    code = 0
    for item in differences:
        if isinstance(item, Name):
            if 0 <= code <= 255:
                yield code, intake.name_of(item)
            code += 1
        else:
            code = int(page_boxes.number(item) or 0)


def _read(procedure: Stream) -> tuple[float, list[_Segment]] | None:
    """Width and outline of a glyph procedure, or None if it does more than fill one outline."""
    width, segments = None, list[_Segment]()
    for instruction in pikepdf.parse_content_stream(procedure):
        operator = str(instruction.operator)
        values = tuple(page_boxes.number(value) or 0.0 for value in instruction.operands)
        if operator == "d1" and len(values) == 6:
            width = values[0]
        elif (operator, len(values)) in {("m", 2), ("l", 2), ("c", 6), ("v", 4), ("y", 4), ("h", 0)}:
            segments.append((operator, values))
        elif operator != "f":
            return None
    return None if width is None else (width, segments)


def _program(drawn: dict[int, tuple[float, list[_Segment]]]) -> bytes:
    glyphs = {}
    for code, (width, segments) in sorted(drawn.items()):
        pen = TTGlyphPen(None)
        _draw(segments, Cu2QuPen(pen, max_err=0.5))
        glyphs[f"code{code:03d}"] = (pen.glyph(), width)
    return truetype.build(glyphs, {code: f"code{code:03d}" for code in drawn})


def _draw(segments: list[_Segment], pen: Cu2QuPen) -> None:
    is_open, here = False, (0.0, 0.0)
    for operator, values in segments:
        # Skia counts downwards, a font upwards.
        points = [(values[at], -values[at + 1]) for at in range(0, len(values), 2)]
        if operator == "m":
            if is_open:
                pen.closePath()
            pen.moveTo(points[0])
            is_open = True
        elif operator == "l" and is_open:
            pen.lineTo(points[0])
        elif operator in ("c", "v", "y") and is_open:
            # v and y leave out the first or the last control point (ISO 32000-2 table 58).
            full = {"c": points, "v": [here, *points], "y": [*points, *points[-1:]]}[operator]
            pen.curveTo(*full)
        elif operator == "h" and is_open:
            pen.closePath()
            is_open = False
        here = points[-1] if points else here
    if is_open:
        pen.closePath()
