"""Draws seals (印章) as outlines in true millimetres; crisp, in one red, rare characters in sans.

A drawn seal is a picture; what binds is the signature it belongs to. A company seal that is registered with the police
was cut by its engraver: give that one as a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.pdf.faces import FontName, Glyph
from engine.pdf.seals import lettering
from engine.pdf.seals.design import USUAL, SealDesign, with_values
from engine.pdf.seals.lettering import Ring
from engine.pdf.seals.shapes import Outline, Shape, rectangle, ring, star

RED = (204, 18, 24)
"""sRGB of the ink: the vermilion of an ink pad on white paper."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A seal in mm from its lower left corner; nothing is drawn beyond ``width`` and ``height``."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


def draw(design: SealDesign) -> Drawing:
    """Draw a seal; raises Rejected ``seal.no_value``, ``seal.no_glyph`` or ``seal.too_long``."""
    design = with_values(design, {})
    usual = USUAL[design.kind]
    width = design.size or usual.width
    name, number = str(design.name), str(design.number)
    if design.kind == "name":
        return _draw_name(name, design.text, width, white=design.style == "white")
    text = usual.text if design.text is None else design.text
    if design.kind in ("oval", "invoice"):
        return _draw_oval(name, number, text, width, usual.height * width / usual.width)
    return _draw_round(name, number, text, width)


def _draw_round(name: str, number: str, text: str, width: float) -> Drawing:
    radius = width / 2
    scale = radius / 20
    border = 1.2 if width >= 42 else 1.0
    latin = name.isascii()
    inside = Ring(radius, radius, radius - border - 0.95 * scale, radius - border - 0.95 * scale)
    degrees = 244 if text else 256 if number else 268  # what stands below needs its room
    heights = (3.5 * scale, 2.2 * scale) if latin else (5.6 * scale, 3.3 * scale)
    shapes = [
        Shape(ring(radius, radius, radius, radius, border)),
        Shape(star(radius, radius, width / 6)),
        lettering.along_top(name, inside, degrees, heights=heights),
    ]
    if text:
        shapes.append(lettering.in_row(text, radius, radius - 9.8 * scale, 17.5 * scale, 4.0 * scale))
    if number:
        shapes.append(lettering.along_bottom(number, inside, 76, 1.75 * scale))
    return Drawing(width, width, tuple(shapes))


def _draw_oval(name: str, number: str, text: str, width: float, height: float) -> Drawing:
    x, y = width / 2, height / 2
    scale = height / 30
    latin = name.isascii()
    inside = Ring(x, y, x - 1 - 0.8 * scale, y - 1 - 0.8 * scale)
    heights = (3.2 * scale, 2.2 * scale) if latin else (4.2 * scale, 2.8 * scale)
    shapes = [
        Shape(ring(x, y, x, y, 1.0)),
        lettering.along_top(name, inside, 216 if text and number else 250, heights=heights, bold=0.025),
    ]
    if number:
        # Figures of 3.7 mm on 26 mm, the words' heads 4.2 mm below the middle: as the notice on invoice seals has it.
        shapes.append(lettering.in_row(number, x, y, 26 * scale, 3.7 * scale, font="sans", narrow=0.86))
    if text:
        middle = y - (6.5 * scale if number else 1.5 * scale)
        shapes.append(lettering.in_row(text, x, middle, (16.5 if number else 26) * scale, 4.6 * scale))
    return Drawing(width, height, tuple(shapes))


def _draw_name(name: str, following: str | None, width: float, *, white: bool) -> Drawing:
    font: FontName = "sans" if white else "serif"  # in red, hairlines would run full of it
    glyphs = lettering.read(name, font).glyphs
    if following is None:
        following = {1: "印", 2: "之印", 3: "印"}.get(len(glyphs), "")
    if following:
        glyphs += lettering.read(following, font).glyphs
    if len(glyphs) > 6:
        raise lettering.too_long(name)
    border = 0.05 * width
    corner = 0.045 * width
    frame = rectangle(0, 0, width, width, corner, clockwise=white)
    cut = _cells(glyphs, width, border * (1.5 if white else 2.1))
    if white:
        return Drawing(width, width, (Shape(frame + cut),))
    inner = rectangle(border, border, width - border, width - border, corner * 0.6, clockwise=True)
    return Drawing(width, width, (Shape(frame + inner), Shape(cut, 0.012 * width)))


def _cells(glyphs: tuple[Glyph, ...], width: float, margin: float) -> Outline:
    """Columns from right to left, read downwards; the right one has as many characters as the left or one fewer."""
    columns = [glyphs] if len(glyphs) < 3 else [glyphs[: len(glyphs) // 2], glyphs[len(glyphs) // 2 :]]
    gap = 0.045 * width
    room = width - 2 * margin
    wide = (room - gap * (len(columns) - 1)) / len(columns)
    outline: list[Outline] = []
    for place, column in enumerate(columns):
        left = width - margin - wide - place * (wide + gap)
        high = (room - gap * (len(column) - 1)) / len(column)
        for row, glyph in enumerate(column):
            outline.append(lettering.in_cell(glyph, left, width - margin - high - row * (high + gap), wide, high))
    return tuple(command for one in outline for command in one)
