"""Embeds into a PDF exactly the glyphs it draws, so that text looks the same and is extracted the same everywhere.

One Type 0 font per face and document: Identity-H, CIDFontType0 with a bare CFF subset, complete widths and ToUnicode
(ISO 32000-2 9.7, 9.10.3; ISO 19005-2 6.2.11). Equal text gives equal bytes. Outlines are never hinted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pikepdf
import uharfbuzz as hb
from pikepdf import Array, Dictionary, Name, Pdf

from engine.pdf.faces import FACES, Face, Glyph

_FLAGS = hb.SubsetFlags.NO_HINTING | hb.SubsetFlags.NO_LAYOUT_CLOSURE | hb.SubsetFlags.CFF_IDENTITY_CHARSET
_UNUSED_TABLES = tuple(
    int.from_bytes(tag.encode("ascii"), "big")
    for tag in ("BASE", "DSIG", "GDEF", "GPOS", "GSUB", "OS/2", "VORG", "cmap", "name", "post", "vhea", "vmtx")
)
_CMAP_BLOCK = 100
"""Entries per block of a CMap, the most a reader must accept (Adobe Technical Note 5014)."""


@dataclass(slots=True)
class _Subset:
    """Glyphs of one face, each for one text only; ``codes`` are known once the subset is cut."""

    face: Face
    texts: dict[int, str] = field(default_factory=dict)
    codes: dict[int, int] = field(default_factory=dict)


class FontBook:
    """Fonts of one document: ``add`` all glyphs, ``embed`` once, then ``show`` lines."""

    def __init__(self) -> None:
        self._subsets: list[_Subset] = []
        self._home: dict[Glyph, int] = {}
        self._names: list[str] = []

    def add(self, glyphs: Iterable[Glyph]) -> None:
        """Take glyphs in; two characters with one outline (U+4E00 and U+2F00) go to two subsets of the face.

        A code can be given back as one text only, and it must be the one that was written.
        """
        for glyph in glyphs:
            if glyph not in self._home:
                self._home[glyph] = self._place(glyph)

    def embed(self, pdf: Pdf, prefix: str) -> dict[str, pikepdf.Object]:
        """Write the fonts and return them by resource name, which begins with ``prefix``."""
        self._names = [f"/{prefix}Font{number}" for number in range(len(self._subsets))]
        return {name: _embed(pdf, subset) for name, subset in zip(self._names, self._subsets, strict=True)}

    def show(self, glyphs: Sequence[Glyph], size: float) -> str:
        """Operators that show a line within a text object; face changes inside the line are included."""
        parts: list[str] = []
        current = -1
        for glyph in glyphs:
            home = self._home[glyph]
            if home != current:
                parts.append(f"{'> Tj ' if parts else ''}{self._names[home]} {size:g} Tf <")
                current = home
            parts.append(f"{self._subsets[home].codes[glyph.number]:04X}")
        return "".join(parts) + "> Tj" if parts else ""

    def _place(self, glyph: Glyph) -> int:
        for number, subset in enumerate(self._subsets):
            if subset.face.name == glyph.face and subset.texts.get(glyph.number, glyph.text) == glyph.text:
                subset.texts[glyph.number] = glyph.text
                return number
        self._subsets.append(_Subset(FACES[glyph.face], {glyph.number: glyph.text}))
        return len(self._subsets) - 1


def _embed(pdf: Pdf, subset: _Subset) -> pikepdf.Object:
    program = _cut(subset)
    by_code = sorted((code, number) for number, code in subset.codes.items())
    widths = [subset.face.font.get_glyph_h_advance(number) for _, number in by_code]
    tag = _tag(program, subset.texts.values())
    name = Name(f"/{tag}+{subset.face.name}")
    file = pdf.make_stream(program)
    file[Name.Subtype] = Name.CIDFontType0C
    descendant = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType0,
        BaseFont=name,
        CIDSystemInfo=Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
        FontDescriptor=pdf.make_indirect(_descriptor(subset.face, name, file)),
        DW=1000,
        W=Array([1, Array(widths)]),  # the subset numbers its glyphs 1, 2, 3 … without a gap
    )
    unicode = pdf.make_stream(_to_unicode([(code, subset.texts[number]) for code, number in by_code]))
    return pdf.make_indirect(
        Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=Name(f"{name}-Identity-H"),  # ISO 32000-2 9.7.6.2
            Encoding=Name("/Identity-H"),
            DescendantFonts=Array([pdf.make_indirect(descendant)]),
            ToUnicode=unicode,
        )
    )


def _cut(subset: _Subset) -> bytes:
    """Subset the face, note each glyph's new number and return the CFF table."""
    wanted = hb.SubsetInput()
    wanted.flags = _FLAGS
    wanted.glyph_set.update(subset.texts)
    wanted.drop_table_tag_set.update(_UNUSED_TABLES)
    plan = hb.SubsetPlan(subset.face.face, wanted)
    renumbered = plan.old_to_new_glyph_mapping
    subset.codes.update((number, renumbered[number]) for number in subset.texts)
    return bytes(plan.execute().reference_table("CFF ").data)


def _descriptor(face: Face, name: Name, file: pikepdf.Object) -> Dictionary:
    serif, symbolic = 2, 4
    return Dictionary(
        Type=Name.FontDescriptor,
        FontName=name,
        Flags=symbolic | (serif if face.serif else 0),
        FontBBox=Array([-1002, -1049, 2929, 1809]),
        ItalicAngle=0,
        Ascent=880,
        Descent=-120,
        CapHeight=733,
        StemV=80,
        FontFile3=file,
    )


def _tag(program: bytes, texts: Iterable[str]) -> str:
    """Six capitals that name a subset (ISO 32000-2 9.9.2), drawn from its content."""
    digest = hashlib.sha256(program + "".join(sorted(texts)).encode()).digest()
    return "".join(chr(ord("A") + byte % 26) for byte in digest[:6])


def _to_unicode(entries: Sequence[tuple[int, str]]) -> bytes:
    lines = [
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
        "1 begincodespacerange <0000> <FFFF> endcodespacerange",
    ]
    for start in range(0, len(entries), _CMAP_BLOCK):
        block = entries[start : start + _CMAP_BLOCK]
        lines.append(f"{len(block)} beginbfchar")
        lines += [f"<{code:04X}> <{text.encode('utf-16-be').hex().upper()}>" for code, text in block]
        lines.append("endbfchar")
    lines.append("endcmap CMapName currentdict /CMap defineresource pop end end")
    return "\n".join(lines).encode("ascii")
