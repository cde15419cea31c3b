"""Embeds a look-alike where a document names a font of single-byte codes (Arial, Times, Symbol …) without bringing it.

Positions and widths stay as the document says. Weight and slant follow the name; the shapes are those every reader
without the named font shows. A character that no bundled typeface has stays blank.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pikepdf
from fontTools import agl
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from pdfminer.encodingdb import EncodingDB
from pikepdf import Array, Dictionary, Name, Pdf, Stream

from engine.pdf import intake, page_boxes, shown_text, tounicode, truetype, typefaces
from engine.pdf.faces import FACES, FontName, glyph
from engine.pdf.shown_text import Use
from engine.pdf.standard_faces import BUILT_IN, StandardFace, standard_face

_FILES = (Name.FontFile, Name.FontFile2, Name.FontFile3)
_FIXED, _SERIF, _ITALIC, _BOLD = 1, 2, 64, 1 << 18
"""Flags of a font descriptor (ISO 32000-1 table 123)."""
_WINGDINGS = dict(
    zip(
        b"\x28\x6c\x6d\x6e\x6f\x70\x71\x72\x75\x76\x9f\xa7\xa8\xd8\xe0\xfb\xfc\xfd\xfe",
        "☎●❍■□❐❑❒◆❖•▪□➢→✗✓☒☑",
        strict=True,
    )
)
"""What contracts use this font of Windows for: boxes, ticks and bullets."""

_COMPOSED = {"☑": "□✓", "☒": "□✗"}
"""Signs that no bundled typeface has, and the signs that look so one over the other."""


def embed_missing(pdf: Pdf) -> int:
    """Embed a substitute for every simple font that has no program; returns how many were."""
    found = shown_text.uses(pdf, _lacks_program)
    for use in found:
        _embed(pdf, use)
    return len(found)


def _lacks_program(font: pikepdf.Object) -> bool:
    if not isinstance(font, Dictionary) or font.get(Name.Subtype) not in (Name.Type1, Name.MMType1, Name.TrueType):
        return False
    descriptor = font.get(Name.FontDescriptor)
    return not isinstance(descriptor, Dictionary) or not any(isinstance(descriptor.get(key), Stream) for key in _FILES)


def _embed(pdf: Pdf, use: Use) -> None:
    font = use.font
    codes = sorted({code for text in use.strings for code in text}) or [0x20]
    name = intake.name_of(font.get(Name.BaseFont)).lstrip("/")
    face = _face(name, _flags(font))
    texts = _texts(font, name, face)
    given = _widths(font)
    style: FontName = "serif" if face.name.startswith("Times") else "sans"
    glyphs: dict[str, tuple[object, float]] = {}
    for code in codes:
        glyphs[f"code{code:03d}"] = _outline(texts.get(code, ""), face, style, given.get(code))
    program = truetype.build(glyphs, {code: f"code{code:03d}" for code in codes})
    base = Name(f"/{truetype.tag(program)}+{face.name}")
    first, last = codes[0], codes[-1]
    for key in (Name.Encoding, Name.Name):
        if key in font:
            del font[key]  # symbolic: the program alone says which glyph a code means (ISO 19005-2 6.2.11.6)
    font[Name.Subtype], font[Name.BaseFont] = Name.TrueType, base
    font[Name.FirstChar], font[Name.LastChar] = first, last
    advances = {code: round(advance) for code, (_, advance) in zip(codes, glyphs.values(), strict=True)}
    font[Name.Widths] = Array([advances.get(code, 0) for code in range(first, last + 1)])
    font[Name.FontDescriptor] = truetype.describe(pdf, base, program, serif=style == "serif")
    known = {bytes([code]): texts[code] for code in codes if texts.get(code)}
    if known:
        font[Name.ToUnicode] = pdf.make_stream(tounicode.write_cmap(known))


def _outline(text: str, face: StandardFace, style: FontName, given: float | None) -> tuple[Any, float]:
    """A glyph and its advance: the document's, or the typeface's own where the document gives none."""
    pen = TTGlyphPen(None)
    signs = _COMPOSED.get(text, text[:1] if len(text) == 1 else "")
    natural = max((_advance(sign, face, style) for sign in signs), default=0.0)
    width = natural if given is None else given
    # A typeface may be wider than its place; a narrower one keeps its shape and stands at the left.
    squeeze = min(1.0, width / natural) if natural and width else 1.0
    turned = TransformPen(Cu2QuPen(pen, max_err=1.0, reverse_direction=True), (squeeze, 0, 0, 1, 0, 0))
    for sign in signs:
        spare = glyph(sign, style)
        if not face.draw(sign, turned) and spare is not None:
            FACES[spare.face].font.draw_glyph_with_pen(spare.number, turned)
    return pen.glyph(), width


def _advance(sign: str, face: StandardFace, style: FontName) -> float:
    own = face.width(sign)
    spare = glyph(sign, style) if own is None else None
    return own if own is not None else float(spare.advance) if spare is not None else 0.0


def _face(name: str, flags: int) -> StandardFace:
    plain = name.rpartition("+")[2].casefold()
    if plain.startswith("symbol"):
        return standard_face("Symbol")
    if "dingbats" in plain or "wingdings" in plain:
        return standard_face("ZapfDingbats")
    bold = flags & _BOLD or any(word in plain for word in ("bold", "black", "heavy", "demi"))
    slanted = flags & _ITALIC or any(word in plain for word in ("italic", "oblique"))
    family = typefaces.family(plain.partition(",")[0].partition("-")[0]) or typefaces.family(plain)
    if family is None:
        family = typefaces.SERIF if flags & _SERIF else typefaces.SANS
    if family == typefaces.MONO or flags & _FIXED:
        kind, slant, upright = "Courier", "Oblique", ""
    elif family == typefaces.SERIF:
        kind, slant, upright = "Times", "Italic", "Roman"
    else:
        kind, slant, upright = "Helvetica", "Oblique", ""
    look = ("Bold" if bold else "") + (slant if slanted else "") or upright
    return standard_face(f"{kind}-{look}" if look else kind)


def _flags(font: pikepdf.Object) -> int:
    descriptor = font.get(Name.FontDescriptor)
    flags = page_boxes.number(descriptor.get(Name.Flags)) if isinstance(descriptor, Dictionary) else None
    return int(flags or 0)


def _texts(font: pikepdf.Object, name: str, face: StandardFace) -> dict[int, str]:
    """What each code means: by its ToUnicode map, else by its encoding (ISO 32000-1 9.6.6)."""
    encoding = font.get(Name.Encoding)
    base = intake.name_of(encoding.get(Name.BaseEncoding) if isinstance(encoding, Dictionary) else encoding)
    if "wingdings" in name.casefold():
        texts = _WINGDINGS
    elif face.name in BUILT_IN:
        texts = dict(BUILT_IN[face.name])
    else:
        usual = "WinAnsiEncoding" if font.get(Name.Subtype) == Name.TrueType else "StandardEncoding"
        texts = dict(EncodingDB.get_encoding(base.lstrip("/") or usual))
        if (base or f"/{usual}") == "/WinAnsiEncoding":  # what it leaves open is a bullet (ISO 32000-1 annex D.2)
            texts = dict.fromkeys(range(0x21, 0x100), "•") | texts | {0xAD: "-"}
    if isinstance(encoding, Dictionary) and isinstance(encoding.get(Name.Differences), Array):
        texts |= _differences(encoding.Differences, dingbats=face.name == "ZapfDingbats")
    given = tounicode.read_cmap(font.get(Name.ToUnicode))
    return texts | {code: tounicode.character(text) for code, text in given.items() if text.strip("\0")}


def _differences(items: Iterable[pikepdf.Object], *, dingbats: bool) -> dict[int, str]:
    texts: dict[int, str] = {}
    code = 0
    for item in items:
        if isinstance(item, Name):
            texts[code] = agl.toUnicode(intake.name_of(item).lstrip("/"), isZapfDingbats=dingbats)
            code += 1
        else:
            code = int(page_boxes.number(item) or 0)
    return texts


def _widths(font: pikepdf.Object) -> dict[int, float]:
    """Widths by code as far as the document gives any; the standard fourteen need none."""
    values, first = font.get(Name.Widths), page_boxes.number(font.get(Name.FirstChar))
    if not isinstance(values, Array):
        return {}
    descriptor = font.get(Name.FontDescriptor)
    missing = page_boxes.number(descriptor.get(Name.MissingWidth)) if isinstance(descriptor, Dictionary) else None
    widths = dict.fromkeys(range(256), missing or 0.0)
    start = int(first or 0)
    return widths | {
        start + step: width
        for step, value in enumerate(list(values)[:256])
        if (width := page_boxes.number(value)) is not None
    }
