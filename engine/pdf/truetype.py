"""Builds small TrueType programs from outlines and describes them to a PDF; no hinting, no layout tables.

Equal outlines give equal bytes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

import pikepdf
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import newTable
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable
from pikepdf import Array, Dictionary, Name, Pdf

_EPOCH = 3660681600
"""A fixed date (2020) in seconds since 1904, so that equal text gives equal bytes."""
_SYMBOLIC = 0xF000
"""Where a symbolic font keeps its codes in a Microsoft symbol map (ISO 32000-2 9.6.5.4)."""
_SYMBOLIC_FLAG, _SERIF_FLAG = 4, 2


def build(glyphs: Mapping[str, tuple[Any, float]], codes: Mapping[int, str]) -> bytes:
    """A program of 1000 units per em with an empty ``.notdef`` and then ``glyphs``: outline and advance by name.

    ``codes``: glyph names by code, for simple fonts; none where a PDF chooses glyphs by number.
    """
    outlines = {".notdef": TTGlyphPen(None).glyph(), **{name: outline for name, (outline, _) in glyphs.items()}}
    advances = {".notdef": 1000, **{name: max(0, round(advance)) for name, (_, advance) in glyphs.items()}}
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(list(outlines))
    builder.setupGlyf(outlines)
    # A reader moves an outline so that it starts at its stated bearing, which must therefore be the true one.
    builder.setupHorizontalMetrics(
        {name: (advance, getattr(outlines[name], "xMin", 0)) for name, advance in advances.items()}
    )
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupPost(keepGlyphNames=False)
    symbols = CmapSubtable.newSubtable(4)
    symbols.platformID, symbols.platEncID, symbols.language = 3, 0, 0
    symbols.cmap = {_SYMBOLIC + code: name for code, name in codes.items()}
    builder.font["cmap"] = newTable("cmap")
    builder.font["cmap"].tableVersion, builder.font["cmap"].tables = 0, [symbols]
    builder.font["head"].created = builder.font["head"].modified = _EPOCH
    builder.font.recalcTimestamp = False
    buffer = io.BytesIO()
    builder.save(buffer)
    return buffer.getvalue()


def tag(program: bytes) -> str:
    """Six capitals that name a subset (ISO 32000-2 9.9.2), drawn from its content."""
    return "".join(chr(ord("A") + byte % 26) for byte in hashlib.sha256(program).digest()[:6])


def describe(pdf: Pdf, name: Name, program: bytes, *, serif: bool) -> pikepdf.Object:
    """The font descriptor that embeds ``program`` (ISO 32000-2 9.8)."""
    return pdf.make_indirect(
        Dictionary(
            Type=Name.FontDescriptor,
            FontName=name,
            Flags=_SYMBOLIC_FLAG | (_SERIF_FLAG if serif else 0),
            FontBBox=Array([-1000, -500, 2500, 1500]),
            ItalicAngle=0,
            Ascent=880,
            Descent=-120,
            CapHeight=733,
            StemV=80,
            FontFile2=pdf.make_stream(program, Length1=len(program)),
        )
    )
