"""The fourteen typefaces every reader knows (ISO 32000-1 9.6.2.2), as PDFium brings them: Latin and symbols only.

They are drawn like Helvetica, Times and Courier and are as wide; PDFium's licence (BSD) lets documents carry them.
"""

from __future__ import annotations

import ctypes
import io
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

import pypdfium2.raw as pdfium
from fontTools import agl
from fontTools.cffLib import CFFFontSet
from pdfminer.fontmetrics import FONT_METRICS

from engine.errors import Defect

_SYMBOL_CODES = {
    0x20: " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧ∆ΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_",
    0x61: "αβχδεφγηιϕκλµνοπθρστυϖωξψζ{|}∼",
    0xA0: "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…",
    0xBF: "↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑",
    0xF1: "〉∫",
}
_DINGBATS = {
    **{code: chr(0x2700 + code - 0x20) for code in range(0x21, 0x7F)},
    **dict(zip(range(0x80, 0x8E), "❨❩❪❫❬❭❮❯❰❱❲❳❴❵", strict=True)),
    **dict(zip(range(0xA1, 0xAC), "❡❢❣❤❥❦❧♣♦♥♠", strict=True)),
    **{code: chr(0x2460 + code - 0xAC) for code in range(0xAC, 0xB6)},
    **{code: chr(0x2776 + code - 0xB6) for code in range(0xB6, 0xD4)},
    **{code: chr(0x2794 + code - 0xD4) for code in range(0xD4, 0xFF) if code != 0xF0},
    **dict(zip(b"\x20\x25\x2a\x2b\x48\x6c\x6e\x73\x74\x75\x77\xd5\xd6\xd7", " ☎☛☞★●■▲▼◆◗→↔↕", strict=True)),
}
BUILT_IN: Mapping[str, Mapping[int, str]] = {
    "Symbol": {first + step: sign for first, signs in _SYMBOL_CODES.items() for step, sign in enumerate(signs)},
    "ZapfDingbats": _DINGBATS,
}
"""Encodings of their own of the two symbol fonts (ISO 32000-1 annex D.5 and D.6)."""
_TWINS = dict(
    zip(
        "\u00a0\u00ad\u0394\u03a9\u03bc\u2215\u2219\u02c9®©™〈〉",
        "\u0020\u002d\u2206\u2126\u00b5\u2044\u00b7\u00af\uf6da\uf6d9\uf6db\u2329\u232a",
        strict=True,
    )
)
"""Characters that the glyph names of these fonts call by another code."""


class StandardFace:
    """One of the fourteen; glyphs are found by character, widths are in thousandths of the font size."""

    def __init__(self, name: str) -> None:
        self.name = name

    def width(self, text: str) -> float | None:
        """Advance of a character as Adobe's metrics have it; the outlines differ from them for a few."""
        if text == "€" and self.name != "Symbol":
            text = "0"  # it came after the metrics were written, as wide as a figure
        known = self._metrics.get(text, self._metrics.get(_TWINS.get(text, "")))
        if known is None and (found := self._glyph(text)) is not None:
            found.draw(_Nowhere())
            known = found.width
        return None if known is None else float(known)

    def draw(self, text: str, pen: Any) -> bool:
        """Draw the outline of a character into a fontTools pen; whether there is one."""
        found = self._glyph(text)
        if found is not None:
            found.draw(pen)
        return found is not None

    def _glyph(self, text: str) -> Any | None:
        name = self._names.get(text) or self._names.get(_TWINS.get(text, ""))
        return None if name is None else self._outlines[name]

    @cached_property
    def _metrics(self) -> Mapping[str, float]:
        # Those of the dingbats go by place instead of by character; its outlines are as wide as they should be.
        return FONT_METRICS[self.name][1] if self.name != "ZapfDingbats" else {}

    @cached_property
    def _names(self) -> dict[str, str]:
        dingbats = self.name == "ZapfDingbats"
        names = {agl.toUnicode(name, isZapfDingbats=dingbats): name for name in reversed(self._outlines.keys())}
        return {text: name for text, name in names.items() if len(text) == 1}

    @cached_property
    def _outlines(self) -> Any:
        fonts = CFFFontSet()
        fonts.decompile(io.BytesIO(_program(self.name)), None)
        return fonts[0].CharStrings


class _Nowhere:
    """A pen that draws nothing: a charstring knows its width only once it was drawn."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_: None


@lru_cache(14)
def standard_face(name: str) -> StandardFace:
    """The typeface ``name``: Helvetica, Times-Bold, Courier-Oblique, Symbol …"""
    return StandardFace(name)


def _program(name: str) -> bytes:
    """The font program PDFium falls back on; raises Defect ``fonts.missing`` where it has none.

    PDFium prefers a font of the machine; without any system fonts the result is the same everywhere.
    """
    none = pdfium.FPDF_SYSFONTINFO(version=1)
    document = pdfium.FPDF_CreateNewDocument()
    usual = pdfium.FPDF_GetDefaultSystemFontInfo()
    try:
        pdfium.FPDF_SetSystemFontInfo(ctypes.byref(none))
        font = pdfium.FPDFText_LoadStandardFont(document, name.encode("ascii"))
        size = ctypes.c_size_t()
        pdfium.FPDFFont_GetFontData(font, None, 0, ctypes.byref(size))
        buffer = (ctypes.c_uint8 * size.value)()
        pdfium.FPDFFont_GetFontData(font, buffer, size.value, ctypes.byref(size))
        pdfium.FPDFFont_Close(font)
    finally:
        pdfium.FPDF_SetSystemFontInfo(usual)
        pdfium.FPDF_CloseDocument(document)
    data = bytes(buffer)
    if not data.startswith(b"\x01\x00"):
        raise Defect(
            "fonts.missing",
            zh=f"PDF 组件中缺少标准字体 {name}。请重新安装本产品。",
            en=f"The PDF library lacks the standard font {name}. Install the product again.",
            package="pypdfium2",
        )
    return data
