"""Sets the characters of a seal: along an ellipse, in a row, or each into a cell; sizes in millimetres.

Characters along a ring are compressed before they are made lower, as engravers do; what is still too long is refused.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate, pairwise

from engine.errors import Rejected
from engine.pdf.faces import FACES, FontName, Glyph
from engine.pdf.seals.shapes import Outline, Shape, glyph_outline, transform
from engine.pdf.text import compose, shape

_CHINESE, _CAPITAL = 0.92, 0.733
"""Height of a Chinese character's ink and of a capital or figure, in font sizes."""
_FOOT = 0.07
"""How far Chinese ink reaches below the baseline, in font sizes."""
_BRACKETS = frozenset("（）()【】〔〕")
_STEPS = 720


@dataclass(frozen=True, slots=True)
class Letters:
    """Characters to set, with the room each takes along the line in font sizes."""

    glyphs: tuple[Glyph, ...]
    widths: tuple[float, ...]
    latin: bool

    @property
    def rise(self) -> float:
        """Height of the ink in font sizes."""
        return _CAPITAL if self.latin else _CHINESE

    @property
    def foot(self) -> float:
        return 0.0 if self.latin else _FOOT


def read(text: str, font: FontName) -> Letters:
    """Look up every character; raises Rejected ``seal.no_glyph`` and names those no font has."""
    glyphs, missing = shape(compose(" ".join(text.split())), font)
    if missing or not glyphs:
        named = "、".join(f"{one}（U+{ord(one[0]):04X}）" for one in missing) or "–"
        raise Rejected(
            "seal.no_glyph",
            zh=f"印章文字“{text}”中有字体未收录的字符：{named}。请核对文字，或改用印章图片。",
            en=f"The seal's words “{text}” hold characters that no font has: {named}. "
            "Check the words, or use a picture of the seal.",
            characters="".join(missing),
        )
    latin = all(ord(one.text[0]) < 0x2000 for one in glyphs)
    widths = tuple(
        0.56 if one.text in _BRACKETS else one.advance / 1000 if latin else max(one.advance / 1000, 0.55)
        for one in glyphs
    )
    return Letters(tuple(glyphs), widths, latin)


@dataclass(frozen=True, slots=True)
class Ring:
    """An ellipse along which characters stand; ``a`` and ``b`` are those of its outer side, in mm."""

    x: float
    y: float
    a: float
    b: float

    def below(self, depth: float) -> Curve:
        return Curve(self.x, self.y, self.a - depth, self.b - depth)


class Curve:
    """An ellipse by the length along it from its top, clockwise."""

    def __init__(self, x: float, y: float, a: float, b: float) -> None:
        self._x, self._y, self._a, self._b = x, y, a, b
        turns = [math.pi * step / _STEPS for step in range(_STEPS + 1)]
        points = [(a * math.sin(turn), b * math.cos(turn)) for turn in turns]
        self._turns = turns
        self._lengths = [0.0, *accumulate(math.dist(one, other) for one, other in pairwise(points))]

    def length(self, degrees: float) -> float:
        """Length of the part that ``degrees`` around the centre take, half on each side of the top."""
        turn = math.radians(degrees / 2)
        # The angle seen from the centre, not the parameter of the ellipse.
        parameter = math.atan2(math.sin(turn) * self._b, math.cos(turn) * self._a)
        return 2 * self._at_parameter(parameter)

    def place(self, along: float) -> tuple[float, float, float]:
        """Point and direction outwards (radians from upright, anticlockwise) at a length from the top."""
        index = min(max(bisect_left(self._lengths, abs(along)), 1), _STEPS)
        before, after = self._lengths[index - 1], self._lengths[index]
        turn = self._turns[index - 1] + math.pi / _STEPS * (abs(along) - before) / (after - before)
        turn = math.copysign(turn, along)
        x, y = self._a * math.sin(turn), self._b * math.cos(turn)
        outwards = math.atan2(-self._b * math.sin(turn), self._a * math.cos(turn))
        return self._x + x, self._y + y, outwards

    def _at_parameter(self, turn: float) -> float:
        return self._lengths[round(turn / math.pi * _STEPS)]


def along_top(
    text: str,
    ring: Ring,
    degrees: float,
    *,
    heights: tuple[float, float],
    font: FontName = "serif",
    bold: float = 0.03,
) -> Shape:
    """Characters with their heads to the ring, the middle one at its top, on at most ``degrees`` of it.

    ``heights``: of the ink, at best and at least. Raises Rejected ``seal.no_glyph`` or ``seal.too_long``.
    """
    letters = read(text, font)
    narrowest, usual, widest = (0.62, 0.9, 1.12) if letters.latin else (0.56, 0.84, 1.12)
    total = sum(letters.widths) - (letters.widths[0] + letters.widths[-1]) / 2
    height, least = heights
    while True:
        size = height / letters.rise
        curve = ring.below(height)
        pitch = min(widest * size, curve.length(degrees) / total) if total else size
        narrow = min(usual, pitch * 0.98 / size)
        if narrow >= narrowest:
            break
        if height <= least:
            if narrow >= narrowest * 0.72:
                break
            raise too_long(text)
        height = max(least, height * 0.97)
    start = -pitch * total / 2 - pitch * letters.widths[0] / 2
    outline: list[Outline] = []
    for glyph, width in zip(letters.glyphs, letters.widths, strict=True):
        x, y, turn = curve.place(start + pitch * width / 2)
        start += pitch * width
        outline.append(_turned(glyph, size * narrow, size, letters.foot, x, y, turn))
    return Shape(tuple(command for one in outline for command in one), bold * height * min(1, narrow + 0.25))


def along_bottom(text: str, ring: Ring, degrees: float, height: float) -> Shape:
    """Figures with their feet to the ring, the middle one at its bottom; raises as ``along_top``."""
    letters = read(text, "sans")
    size = height / letters.rise
    curve = ring.below(0)
    total = sum(letters.widths) - (letters.widths[0] + letters.widths[-1]) / 2
    pitch = min(1.32 * size, curve.length(degrees) / total) if total else size
    narrow = min(1.0, pitch / size)
    if narrow < 0.6:
        raise too_long(text)
    start = -pitch * total / 2 - pitch * letters.widths[0] / 2
    outline: list[Outline] = []
    for glyph, width in zip(letters.glyphs, letters.widths, strict=True):
        x, y, turn = curve.place(start + pitch * width / 2)
        start += pitch * width
        y = 2 * ring.y - y  # the top mirrored: the curve runs from left to right below the centre as well
        outline.append(_turned(glyph, size * narrow, size, letters.foot, x, y, -turn))
    return Shape(tuple(command for one in outline for command in one), 0.02 * height)


def in_row(
    text: str, x: float, y: float, width: float, height: float, *, font: FontName = "serif", narrow: float = 0.8
) -> Shape:
    """One row around ``x`` with its middle at ``y``, at most ``width`` wide; raises as ``along_top``."""
    letters = read(text, font)
    size = height / letters.rise
    total = sum(letters.widths)
    pitch = min(narrow * 1.12 * size, width / total)
    if pitch < 0.42 * size:
        raise too_long(text)
    wide = min(narrow * size, pitch * 0.98)
    start = x - pitch * total / 2
    outline: list[Outline] = []
    for glyph, share in zip(letters.glyphs, letters.widths, strict=True):
        outline.append(_turned(glyph, wide, size, letters.foot, start + pitch * share / 2, y - height / 2, 0))
        start += pitch * share
    return Shape(tuple(command for one in outline for command in one), 0.03 * height)


def in_cell(glyph: Glyph, left: float, bottom: float, width: float, height: float) -> Outline:
    """A character that fills a cell with its ink, drawn out to at most one and a half of its proportions."""
    ink = FACES[glyph.face].extents(glyph.number)
    wide, high = max(ink.right - ink.left, 700), max(ink.top - ink.bottom, 700)  # 一 stays a thin stroke
    across, up = width / wide, height / high
    across, up = min(across, up * 1.5), min(up, across * 1.5)
    x = left + width / 2 - (ink.left + ink.right) / 2 * across
    y = bottom + height / 2 - (ink.bottom + ink.top) / 2 * up
    return transform(glyph_outline(glyph), (across, 0, 0, up, x, y))


def _turned(glyph: Glyph, wide: float, high: float, foot: float, x: float, y: float, turn: float) -> Outline:
    """A character whose foot stands at a point, turned around it; ``wide`` and ``high`` are its font sizes in mm."""
    middle = glyph.advance / 2
    if glyph.text in _BRACKETS:  # its ink stands at one side of a wide square
        ink = FACES[glyph.face].extents(glyph.number)
        middle = (ink.left + ink.right) / 2
    upright = transform(glyph_outline(glyph), (wide / 1000, 0, 0, high / 1000, -middle * wide / 1000, foot * high))
    cos, sin = math.cos(turn), math.sin(turn)
    return transform(upright, (cos, sin, -sin, cos, x, y))


def too_long(text: str) -> Rejected:
    """The refusal of words that do not fit."""
    return Rejected(
        "seal.too_long",
        zh=f"印章文字“{text}”过长，无法清晰地排入印章。请使用规范简称、增大尺寸，或改用印章图片。",
        en=f"The words “{text}” are too long to be legible in the seal. Use the registered short form, a larger size, "
        "or a picture of the seal.",
        text=text,
    )
