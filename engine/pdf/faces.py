"""The typefaces Sealflow draws with: regular weight only, serif and sans, Chinese first; loaded once per process.

Noto Serif SC and Noto Sans SC carry modern Chinese; Noto Sans CJK steps in for rare characters (生僻字), in sans even
within serif text because no free serif face under a permissive licence has them.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

import uharfbuzz as hb

from engine.pdf.fontconfig import package_folder

FontName = Literal["serif", "sans"]


class Extents(NamedTuple):
    """Ink of a glyph in thousandths of the font size, relative to its origin."""

    left: int
    bottom: int
    right: int
    top: int


class Glyph(NamedTuple):
    """One drawn character: its text (two code points with a variation selector), face, glyph number and advance.

    ``advance`` is in thousandths of the font size: every bundled face has 1000 units per em.
    """

    text: str
    face: str
    number: int
    advance: int


class Face:
    """One font file, opened without reading it whole; ``index`` chooses within a collection."""

    def __init__(self, name: str, package: str, file: str, index: int, *, serif: bool) -> None:
        self.name = name
        self.serif = serif
        self._place = (package, file, index)
        self._extents: dict[int, Extents] = {}

    @cached_property
    def face(self) -> hb.Face:
        package, file, index = self._place
        return hb.Face(hb.Blob.from_file_path(str(package_folder(package) / file)), index)

    @cached_property
    def font(self) -> hb.Font:
        return hb.Font(self.face)

    def glyph(self, text: str) -> Glyph | None:
        """Glyph of a character, or of a character and a variation selector; None if this face has none."""
        if len(text) == 1:
            number = self.font.get_nominal_glyph(ord(text))
        else:
            number = self.font.get_variation_glyph(ord(text[0]), ord(text[1]))
        return Glyph(text, self.name, number, self.font.get_glyph_h_advance(number)) if number else None

    def extents(self, number: int) -> Extents:
        known = self._extents.get(number)
        if known is None:
            ink = self.font.get_glyph_extents(number)  # height is negative: from top to bottom
            left, top = ink.x_bearing, ink.y_bearing
            known = self._extents[number] = Extents(left, top + ink.height, left + ink.width, top)
        return known


FACES = {
    face.name: face
    for face in (
        Face("NotoSerifSC", "pylopdf_fonts_zh_cn", "NotoSerifSC-Regular.otf", 0, serif=True),
        Face("NotoSansSC", "pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf", 0, serif=False),
        Face("NotoSansCJKsc", "noto_cjk_sans_otc", "NotoSansCJK-Regular.ttc", 2, serif=False),
    )
}
_CHAINS: dict[FontName, tuple[str, ...]] = {
    "serif": ("NotoSerifSC", "NotoSansSC", "NotoSansCJKsc"),
    "sans": ("NotoSansSC", "NotoSansCJKsc", "NotoSerifSC"),
}


@lru_cache(65536)
def glyph(text: str, font: FontName) -> Glyph | None:
    """First glyph for ``text`` (see ``Face.glyph``) along the chain of ``font``."""
    for name in _CHAINS[font]:
        found = FACES[name].glyph(text)
        if found is not None:
            return found
    return None
