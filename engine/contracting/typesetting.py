"""Sets text, tables and rules on A4 pages from top to bottom; one typeface weight, left to right, no hyphenation.

Positions are in points from the lower left corner. A character no bundled face has is shown as its code point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pikepdf import Array, Dictionary, Name, Pdf

from engine.pdf import page_layer
from engine.pdf.faces import FontName, Glyph
from engine.pdf.fonts import FontBook
from engine.pdf.text import LEADING, Line, compose, shape, wrap_text

WIDTH, HEIGHT = 595.276, 841.89
MARGIN, FOOT, HEAD = 54.0, 62.0, 50.0
INNER = WIDTH - 2 * MARGIN
Colour = tuple[float, float, float]
INK: Colour = (0.13, 0.15, 0.19)
BLUE: Colour = (0.09, 0.23, 0.45)
GREY: Colour = (0.42, 0.45, 0.5)
RED: Colour = (0.72, 0.1, 0.1)
PALE: Colour = (0.945, 0.957, 0.976)
HAIR: Colour = (0.82, 0.85, 0.9)
_ENDLESS = 1e9


@dataclass(frozen=True, slots=True)
class Type:
    """How a piece of text looks; ``strength`` thickens strokes, for headings."""

    size: float = 9.0
    font: FontName = "sans"
    colour: Colour = INK
    strength: float = 0.0


BODY = Type()
LABEL = Type(colour=GREY)
SMALL = Type(7.6, colour=GREY)
HEADING = Type(11.5, colour=BLUE, strength=0.35)
CARD = Type(10.0, colour=BLUE, strength=0.25)
TITLE = Type(23.0, "serif", INK, 0.5)


@dataclass(slots=True)
class _Run:
    x: float
    y: float
    glyphs: tuple[Glyph, ...]
    type: Type


@dataclass(slots=True)
class _Page:
    shapes: list[str] = field(default_factory=list)
    runs: list[_Run] = field(default_factory=list)


class Sheet:
    """Pages being filled; ``y`` is where the next thing begins, going down."""

    def __init__(self) -> None:
        self._pages = [_Page()]
        self.y = HEIGHT - HEAD

    @property
    def page_count(self) -> int:
        return len(self._pages)

    def room(self, height: float) -> None:
        """Begin a page unless so much is left on this one."""
        if self.y - height < FOOT:
            self._pages.append(_Page())
            self.y = HEIGHT - HEAD

    def fill(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        self._shape(f"{_numbers(*colour)} rg {_numbers(x, y, width, height)} re f")

    def rule(self, x: float, y: float, width: float, colour: Colour = HAIR, weight: float = 0.5) -> None:
        line = f"{_numbers(x, y)} m {_numbers(x + width, y)} l S"
        self._shape(f"{_numbers(*colour)} RG {_numbers(weight)} w {line}")

    def text(self, x: float, baseline: float, words: str, type_: Type, page: int = -1) -> float:
        """One line as it is; gives its width."""
        glyphs = tuple(_glyphs(words, type_.font))
        self._pages[page].runs.append(_Run(x, baseline, glyphs, type_))
        return Line(glyphs).advance * type_.size / 1000

    def centred(self, baseline: float, words: str, type_: Type, page: int = -1) -> None:
        width = Line(tuple(_glyphs(words, type_.font))).advance * type_.size / 1000
        self.text((WIDTH - width) / 2, baseline, words, type_, page)

    def paragraph(self, words: str, type_: Type = BODY, x: float = MARGIN, width: float = INNER) -> None:
        """Lines from here down, over pages if need be."""
        for line in lines_of(words, type_, width):
            self.room(type_.size * LEADING)
            self._line(line, x, type_)
        self.y -= 3

    def heading(self, words: str) -> None:
        self.room(64)
        self.y -= 21
        self.fill(MARGIN, self.y - 2.5, 3, 12, BLUE)
        self.text(MARGIN + 9, self.y, words, HEADING)
        self.y -= 9

    def card(self, words: str, note: str = "") -> None:
        """A bar that begins a block."""
        self.room(60)
        self.y -= 20
        self.fill(MARGIN, self.y - 6, INNER, 19, PALE)
        shown = lines_of(words, CARD, INNER - 150)
        width = self.text(MARGIN + 8, self.y, "".join(item.text for item in shown[0].glyphs), CARD) if shown else 0
        if note:
            self.text(MARGIN + 16 + width, self.y, note, SMALL)
        self.y -= 9

    def row(self, cells: Sequence[str], widths: Sequence[float], types: Sequence[Type], *, ruled: bool = True) -> None:
        """Cells side by side, each wrapped in its width; long ones go on over the page's end."""
        columns = [lines_of(cell, kind, width - 8) for cell, kind, width in zip(cells, types, widths, strict=True)]
        step = max(kind.size for kind in types) * 1.38
        self.room(step * min(3, max(map(len, columns))) + 6)
        self.y -= 3
        for number in range(max(map(len, columns))):
            self.room(step)
            self.y -= step
            x = MARGIN + 8
            for column, kind, width in zip(columns, types, widths, strict=True):
                if number < len(column):
                    self._pages[-1].runs.append(_Run(x, self.y + step * 0.22, column[number].glyphs, kind))
                x += width
        self.y -= 3
        if ruled:
            self.rule(MARGIN, self.y, INNER)

    def pair(self, label: str, value: str, type_: Type = BODY) -> None:
        """A name and its value."""
        self.row((label, value), (96, INNER - 104), (LABEL, type_))

    def modules(self, rows: Sequence[Sequence[int]], x: float, top: float, side: float) -> None:
        """A square code of dark and light modules."""
        step = side / len(rows)
        squares = [
            f"{_numbers(x + column * step, top - (line + 1) * step, step, step)} re"
            for line, row in enumerate(rows)
            for column, dark in enumerate(row)
            if dark
        ]
        self._shape(f"{_numbers(*INK)} rg " + " ".join(squares) + " f")

    def finish(self) -> Pdf:
        """The pages as a PDF with all fonts embedded."""
        book = FontBook()
        for page in self._pages:
            for run in page.runs:
                book.add(run.glyphs)
        pdf = Pdf.new()
        fonts = book.embed(pdf, "Page")
        for page in self._pages:
            pdf.add_blank_page(page_size=(WIDTH, HEIGHT))
            drawn = pdf.pages[-1].obj
            drawn[Name.MediaBox] = Array([0, 0, WIDTH, HEIGHT])
            drawn[Name.Resources] = Dictionary()
            page_layer.add(
                pdf, drawn, page_layer.Layer(fonts, [*page.shapes, *(_show(run, book) for run in page.runs)])
            )
        return pdf

    def _line(self, line: Line, x: float, type_: Type) -> None:
        self.y -= type_.size * LEADING
        self._pages[-1].runs.append(_Run(x, self.y + type_.size * 0.2, line.glyphs, type_))

    def _shape(self, operators: str) -> None:
        self._pages[-1].shapes.append(operators)


def lines_of(words: str, type_: Type, width: float) -> list[Line]:
    """Lines of a text that fit a width, paragraphs parted by line breaks."""
    paragraphs = [list(_glyphs(paragraph, type_.font)) for paragraph in words.splitlines()]
    block = wrap_text(paragraphs, type_.size, type_.size, width, _ENDLESS)
    return list(block.lines) if block is not None else []


def _glyphs(words: str, font: FontName) -> list[Glyph]:
    glyphs, missing = shape(compose(words), font)
    if missing:
        for character in missing:
            words = words.replace(character, "".join(f"〔U+{ord(point):04X}〕" for point in character))
        glyphs, _ = shape(compose(words), font)
    return glyphs


def _show(run: _Run, book: FontBook) -> str:
    if not run.glyphs:
        return ""
    colour = _numbers(*run.type.colour)
    weight = f"2 Tr {_numbers(run.type.strength)} w {colour} RG " if run.type.strength else "0 Tr "
    return f"BT {colour} rg {weight}{_numbers(run.x, run.y)} Td {book.show(run.glyphs, run.type.size)} ET"


def _numbers(*values: float) -> str:
    return " ".join(f"{value:.3f}".rstrip("0").rstrip(".") for value in values)
