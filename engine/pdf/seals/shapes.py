"""Outlines in millimetres, y upwards: what a seal is made of. Closed curves only; filled by the nonzero rule."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from fontTools.pens.recordingPen import RecordingPen

from engine.pdf.faces import FACES, Glyph

Command = tuple[str, tuple[float, ...]]
"""``m x y``, ``l x y``, ``c x1 y1 x2 y2 x y`` or ``h``, as in a PDF content stream (ISO 32000-2 table 58)."""
Outline = tuple[Command, ...]
Matrix = tuple[float, float, float, float, float, float]

_PULL = 4 / 3 * (math.sqrt(2) - 1)
"""Control points of a quarter circle, in radii."""
_OPERATORS = {"moveTo": "m", "lineTo": "l", "curveTo": "c", "closePath": "h"}


@dataclass(frozen=True, slots=True)
class Shape:
    """Outlines that are filled together and drawn around with a pen of ``stroke`` mm, which makes thin strokes bold."""

    outline: Outline
    stroke: float = 0.0


def transform(outline: Iterable[Command], matrix: Matrix) -> Outline:
    """Every point through ``a b c d e f`` (ISO 32000-2 8.3.3)."""
    a, b, c, d, e, f = matrix
    moved = []
    for operator, values in outline:
        points = zip(values[::2], values[1::2], strict=True)
        moved.append((operator, tuple(part for x, y in points for part in (a * x + c * y + e, b * x + d * y + f))))
    return tuple(moved)


def ellipse(x: float, y: float, a: float, b: float, *, clockwise: bool = False) -> Outline:
    """An ellipse around a point with semi-axes ``a`` and ``b``."""
    p, q = a * _PULL, b * (-_PULL if clockwise else _PULL)
    b = -b if clockwise else b
    return transform(
        (
            ("m", (a, 0)),
            ("c", (a, q, p, b, 0, b)),
            ("c", (-p, b, -a, q, -a, 0)),
            ("c", (-a, -q, -p, -b, 0, -b)),
            ("c", (p, -b, a, -q, a, 0)),
            ("h", ()),
        ),
        (1, 0, 0, 1, x, y),
    )


def ring(x: float, y: float, a: float, b: float, width: float) -> Outline:
    """A ring whose outer edge has the semi-axes ``a`` and ``b``."""
    return ellipse(x, y, a, b) + ellipse(x, y, a - width, b - width, clockwise=True)


def star(x: float, y: float, radius: float) -> Outline:
    """A five-pointed star; ``radius`` reaches its points, the inner corners lie where its sides cross."""
    inner = radius * math.sin(math.pi / 10) / math.sin(math.pi * 3 / 10)
    corners = [
        (x - length * math.sin(turn * math.pi / 5), y + length * math.cos(turn * math.pi / 5))
        for turn, length in enumerate((radius, inner) * 5)
    ]
    return (("m", corners[0]), *(("l", corner) for corner in corners[1:]), ("h", ()))


def rectangle(left: float, bottom: float, right: float, top: float, corner: float, *, clockwise: bool) -> Outline:
    """A rectangle with corners rounded by ``corner``."""
    r, k = corner, corner * (1 - _PULL)
    anticlockwise: Outline = (
        ("m", (left + r, bottom)),
        ("l", (right - r, bottom)),
        ("c", (right - k, bottom, right, bottom + k, right, bottom + r)),
        ("l", (right, top - r)),
        ("c", (right, top - k, right - k, top, right - r, top)),
        ("l", (left + r, top)),
        ("c", (left + k, top, left, top - k, left, top - r)),
        ("l", (left, bottom + r)),
        ("c", (left, bottom + k, left + k, bottom, left + r, bottom)),
        ("h", ()),
    )
    # Mirrored, the same points run the other way.
    return transform(anticlockwise, (-1, 0, 0, 1, left + right, 0)) if clockwise else anticlockwise


def glyph_outline(glyph: Glyph) -> Outline:
    """A character in thousandths of its size, from its origin on the baseline."""
    pen = RecordingPen()
    FACES[glyph.face].font.draw_glyph_with_pen(glyph.number, pen)
    return tuple((_OPERATORS[name], tuple(part for point in points for part in point)) for name, points in pen.value)
