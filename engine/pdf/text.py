"""Turns text into lines of glyphs that fit a box; left to right only, no shaping and no kerning.

Chinese needs neither; scripts that do (Arabic, Devanagari, combining marks without a composed form) have no glyph here
and are named, never drawn wrong. Lines break by the Chinese rules for punctuation (避头尾).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from engine.pdf.faces import FACES, FontName, Glyph, glyph

LEADING = 1.25
"""Distance of baselines in a wrapped text, in font sizes."""
ASCENT, DESCENT = 880, -120
"""The em box of Chinese type: what a reader takes for the height of a line."""
_SIZE_STEP = 0.25

_NOT_AT_START = frozenset("、。，．・：；？！‼⁇⁈⁉,.:;?!％%‰℃°”’»›）)]］｝}〕〉》」』】〗〙〛…—～~ーゝゞ々·・")
_NOT_AT_END = frozenset("“‘«‹（([［｛{〔〈《「『【〖〘〚￥¥＄$￡£#＃№")
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_COMPATIBILITY_IDEOGRAPHS = (range(0xF900, 0xFB00), range(0x2F800, 0x2FA20))
_LIGATURES = {point: unicodedata.normalize("NFKC", chr(point)) for point in range(0xFB00, 0xFB07)}
"""Readers take ligatures apart when they extract text; so they are written apart."""
_NEVER_DRAWN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Mn", "Mc", "Me"})
"""General categories without a form of their own (Unicode 4.5): no face may pretend one, private use included."""


@dataclass(frozen=True)  # without slots: the ink is measured once and kept
class Line:
    """Glyphs side by side and their natural width in thousandths of the font size, ink beyond the advances included."""

    glyphs: tuple[Glyph, ...]

    @property
    def text(self) -> str:
        return "".join(item.text for item in self.glyphs)

    @property
    def advance(self) -> int:
        return sum(item.advance for item in self.glyphs)

    @cached_property
    def ink(self) -> tuple[int, int, int, int]:
        """Left, bottom, right, top of em boxes and ink together; the baseline starts at the origin."""
        left, bottom, right, top, pen = 0, DESCENT, 0, ASCENT, 0
        for item in self.glyphs:
            ink = FACES[item.face].extents(item.number)
            left, right = min(left, pen + ink.left), max(right, pen + ink.right)
            bottom, top = min(bottom, ink.bottom), max(top, ink.top)
            pen += item.advance
        return left, bottom, max(right, pen), top


@dataclass(frozen=True, slots=True)
class Block:
    """Lines at one font size; sizes in points. ``width`` and ``height`` bound all ink."""

    lines: tuple[Line, ...]
    size: float
    width: float
    height: float
    ascent: float
    """From the top of the block down to the first baseline."""
    left: float
    """Ink before the origin of a line, as a positive number."""


def compose(text: str) -> str:
    """Composed form (NFC) of everything but compatibility ideographs, which it would turn into other characters.

    A person's name may be written with U+F9DC; the name on the contract must stay that one.
    """
    if text.isascii():
        return text
    composed: list[str] = []
    plain = ""
    for character in text.translate(_LIGATURES):
        if any(ord(character) in block for block in _COMPATIBILITY_IDEOGRAPHS):
            composed += (unicodedata.normalize("NFC", plain), character)
            plain = ""
        else:
            plain += character
    return "".join(composed) + unicodedata.normalize("NFC", plain)


def split_characters(text: str) -> Iterable[str]:
    """Characters, each with the variation selector (异体字选择符) that follows it, if one does."""
    waiting = ""
    for character in text:
        if waiting and any(ord(character) in block for block in _SELECTORS):
            yield waiting + character
            waiting = ""
            continue
        if waiting:
            yield waiting
        waiting = character
    if waiting:
        yield waiting


def shape(text: str, font: FontName) -> tuple[list[Glyph], list[str]]:
    """Glyphs of one line of composed text, and the characters that have none, each once."""
    glyphs: list[Glyph] = []
    missing: dict[str, None] = {}
    for character in split_characters(text):
        found = None if unicodedata.category(character[0]) in _NEVER_DRAWN else glyph(character, font)
        if found is None or _is_blank(found):
            missing[character] = None
        else:
            glyphs.append(found)
    return glyphs, list(missing)


def _is_blank(found: Glyph) -> bool:
    """Whether a reader would see nothing where no space is meant, as with Hangul fillers."""
    ink = FACES[found.face].extents(found.number)
    return ink.left == ink.right and not found.text.isspace()


def set_line(glyphs: Sequence[Glyph], size: float) -> Block:
    """One line, as wide as it is."""
    return _block((Line(tuple(glyphs)),), size)


def shrink_line(glyphs: Sequence[Glyph], size: float, min_size: float, width: float, height: float) -> Block | None:
    """One line at the largest size that fits, in steps of a quarter point; None below ``min_size``."""
    line = Line(tuple(glyphs))
    return next(
        (block for step in _sizes(size, min_size) if _fits(block := _block((line,), step), width, height)), None
    )


def wrap_text(
    paragraphs: Sequence[Sequence[Glyph]], size: float, min_size: float, width: float, height: float
) -> Block | None:
    """Lines that fit the box at the largest size possible; None if even ``min_size`` is too large."""
    units = [_unbreakable(paragraph) for paragraph in paragraphs]
    natural = sum(item.advance for line in paragraphs for item in line if not item.text.isspace()) / 1000
    for step in _sizes(size, min_size):
        if natural * step > width * (height / step / LEADING + 1):  # more than the whole area: no need to try
            continue
        lines = [line for paragraph in units for line in _break(paragraph, width / step * 1000)]
        if _fits(block := _block(tuple(lines), step), width, height):
            return block
    return None


def _sizes(size: float, min_size: float) -> Iterable[float]:
    while size > min_size:
        yield size
        size -= _SIZE_STEP
    yield min_size


def _fits(block: Block, width: float, height: float) -> bool:
    return block.width <= width + 1e-6 and block.height <= height + 1e-6


def _block(lines: tuple[Line, ...], size: float) -> Block:
    inks = [line.ink for line in lines] or [(0, DESCENT, 0, ASCENT)]
    scale = size / 1000
    left = -min(ink[0] for ink in inks) * scale
    right = max(ink[2] for ink in inks) * scale
    ascent = inks[0][3] * scale
    height = ascent + (len(inks) - 1) * LEADING * size - inks[-1][1] * scale
    return Block(lines, size, left + right, height, ascent, left)


def _unbreakable(glyphs: Sequence[Glyph]) -> list[list[Glyph]]:
    """Runs between which a line may end: words, numbers, characters with their punctuation."""
    units: list[list[Glyph]] = []
    for item in glyphs:
        if units and not _may_break(units[-1][-1].text, item.text):
            units[-1].append(item)
        else:
            units.append([item])
    return units


def _may_break(before: str, after: str) -> bool:
    if after[0] in _NOT_AT_START or before[0] in _NOT_AT_END or after.isspace():
        return False
    return before.isspace() or _is_wide(before) or _is_wide(after)


def _is_wide(character: str) -> bool:
    # Quotation marks and dashes are of ambiguous width (UAX #11); beside Chinese they are Chinese punctuation.
    return unicodedata.east_asian_width(character[0]) in "WF" or character[0] in "“”…—"


def _break(units: Sequence[Sequence[Glyph]], width: float) -> list[Line]:
    """Fill lines greedily up to ``width`` thousandths; a unit wider than a line is cut where it must be."""
    lines: list[list[Glyph]] = [[]]
    left = pen = 0
    for unit in units:
        start, _, end, _ = Line(tuple(_without_end_spaces(unit))).ink
        whole = not lines[-1] or pen + end - min(left, pen + start) <= width
        for item in unit:
            ink = FACES[item.face].extents(item.number)
            wide = pen + max(item.advance, ink.right) - min(left, pen + ink.left) > width
            if lines[-1] and (not whole or (wide and not item.text.isspace())):
                lines.append([])
                left = pen = 0
                whole = True
            lines[-1].append(item)
            left = min(left, pen + ink.left)
            pen += item.advance
    return [Line(tuple(_without_end_spaces(line))) for line in lines]


def _without_end_spaces(glyphs: Sequence[Glyph]) -> Sequence[Glyph]:
    end = len(glyphs)
    while end and glyphs[end - 1].text.isspace():
        end -= 1
    return glyphs[:end]
