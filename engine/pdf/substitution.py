"""Embeds a bundled typeface where a document names a Chinese, Japanese or Korean font without bringing it.

Without this each viewer draws whatever it has, or nothing. Positions and widths stay as the document says; shapes are
those of Noto SC, also for Japanese. Vertical forms of punctuation are drawn as the horizontal ones, and a character
that no bundled face has stays blank.
"""

from __future__ import annotations

import contextlib

import pikepdf
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from pdfminer.cmapdb import CMapDB
from pdfminer.psexceptions import PSException
from pikepdf import Array, Dictionary, Name, Pdf, Stream

from engine.pdf import intake, page_boxes, shown_text, tounicode, truetype, typefaces
from engine.pdf.faces import FACES, FontName, glyph
from engine.pdf.shown_text import Use

_COLLECTIONS = {"GB1": "Adobe-GB1", "CNS1": "Adobe-CNS1", "Japan1": "Adobe-Japan1", "Korea1": "Adobe-Korea1"}
_FILES = (Name.FontFile, Name.FontFile2, Name.FontFile3)


def embed_missing(pdf: Pdf) -> int:
    """Embed a substitute for every composite font that has no program; returns how many were."""
    return sum(_embed(pdf, use) for use in shown_text.uses(pdf, lacks_program))


def lacks_program(font: pikepdf.Object) -> bool:
    """Whether this is a composite font of which only the name is there."""
    if not isinstance(font, Dictionary) or font.get(Name.Subtype) != Name.Type0:
        return False
    found = descendant(font)
    if found is None:
        return False
    descriptor = found.get(Name.FontDescriptor)
    return not isinstance(descriptor, Dictionary) or not any(isinstance(descriptor.get(key), Stream) for key in _FILES)


def descendant(font: pikepdf.Object) -> pikepdf.Object | None:
    """The CID font within a composite font."""
    descendants = font.get(Name.DescendantFonts)
    first = descendants[0] if isinstance(descendants, Array) and len(descendants) else None
    return first if isinstance(first, Dictionary) else None


def _embed(pdf: Pdf, use: Use) -> int:
    font = descendant(use.font)
    if font is None:
        return 0
    codes = _codes(use)
    texts = _texts(use, codes, font)
    if not texts and use.strings:
        return 0
    name = font.get(Name.BaseFont)
    style: FontName = "serif" if isinstance(name, Name) and _is_serif(name) else "sans"
    widths = _widths(font)
    default = page_boxes.number(font.get(Name.DW))
    program, glyphs = _program(
        {cid: texts.get(code, "") for code, cid in codes.items()}, style, widths, 1000.0 if default is None else default
    )
    mapping = bytearray(2 * (max(glyphs, default=0) + 1))
    for cid, index in glyphs.items():
        mapping[2 * cid : 2 * cid + 2] = index.to_bytes(2, "big")
    base = Name(f"/{truetype.tag(program)}+NotoSC-" + ("Serif" if style == "serif" else "Sans"))
    font[Name.Subtype] = Name.CIDFontType2
    font[Name.CIDToGIDMap] = pdf.make_stream(bytes(mapping))
    font[Name.FontDescriptor] = truetype.describe(pdf, base, program, serif=style == "serif")
    use.font[Name.BaseFont] = font[Name.BaseFont] = base
    font[Name.CIDSystemInfo] = Dictionary(Registry="Adobe", Ordering="Identity", Supplement=0)
    if not codes:
        use.font[Name.Encoding] = Name("/Identity-H")
    elif not intake.name_of(use.font.get(Name.Encoding)).startswith("/Identity"):
        embed_cmap(pdf, use)
    if texts:
        use.font[Name.ToUnicode] = pdf.make_stream(tounicode.write_cmap(texts))
    return 1


def embed_cmap(pdf: Pdf, use: Use) -> None:
    """Give a font a CMap of its own, for exactly the codes shown, in place of a predefined one.

    Not every reader has those. A CMap that is not known here stays as it is.
    """
    codes, font = _codes(use), descendant(use.font)
    if not codes or font is None:
        return
    info = font.get(Name.CIDSystemInfo)
    encoding = intake.name_of(use.font.get(Name.Encoding))
    cmap = pdf.make_stream(_cmap(codes, encoding.endswith("V")))
    cmap[Name.Type], cmap[Name.CMapName], cmap[Name.WMode] = Name.CMap, Name.Sealflow, int(encoding.endswith("V"))
    if isinstance(info, Dictionary):
        cmap[Name.CIDSystemInfo] = Dictionary(dict(info.items()))
    use.font[Name.Encoding] = cmap


def _is_serif(name: Name) -> bool:
    given = intake.name_of(name).lstrip("/")
    with contextlib.suppress(UnicodeDecodeError):  # Chinese producers write names in GBK
        given = given.encode("utf-8", "surrogateescape").decode("gbk")
    return typefaces.family(given) == typefaces.SERIF


def _codes(use: Use) -> dict[bytes, int]:
    """Character codes shown and their CIDs, by a predefined CMap (ISO 32000-2 9.7.5.2) or a given one's parent."""
    encoding = intake.name_of(use.font.get(Name.Encoding)).lstrip("/")
    if encoding.startswith("Identity"):
        return {
            text[at : at + 2]: int.from_bytes(text[at : at + 2], "big")
            for text in use.strings
            for at in range(0, len(text) - 1, 2)
        }
    try:
        tree = getattr(CMapDB.get_cmap(encoding), "code2cid", {})  # identity maps have none
    except PSException:
        return {}
    codes: dict[bytes, int] = {}
    for text in use.strings:
        start, branch = 0, tree
        for at, byte in enumerate(text):
            found = branch.get(byte)
            if isinstance(found, dict):
                branch = found
                continue
            if isinstance(found, int):
                codes[text[start : at + 1]] = found
            start, branch = at + 1, tree
    return codes


def _texts(use: Use, codes: dict[bytes, int], descendant: pikepdf.Object) -> dict[bytes, str]:
    """What each code means: by its ToUnicode map, else by the character collection of its CID."""
    info = descendant.get(Name.CIDSystemInfo)
    ordering = info.get(Name.Ordering) if isinstance(info, Dictionary) else None
    collection = _COLLECTIONS.get(str(ordering) if isinstance(ordering, pikepdf.String) else "")
    known = CMapDB.get_unicode_map(collection).cid2unichr if collection else {}
    given = tounicode.read_cmap(use.font.get(Name.ToUnicode))
    found = {code: given.get(int.from_bytes(code, "big")) or known.get(cid, "") for code, cid in codes.items()}
    return {code: tounicode.character(text) for code, text in sorted(found.items()) if text}


def _cmap(codes: dict[bytes, int], vertical: bool) -> bytes:
    """An embedded CMap for exactly these codes: not every viewer has the predefined ones."""
    # One-byte codes stand for themselves: a range of them would overlap the first bytes of longer codes.
    spaces = sorted({(code, code) if len(code) == 1 else (code[:-1] + b"\0", code[:-1] + b"\xff") for code in codes})
    pairs = sorted(codes.items())
    parts = [
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n",
        b"/CIDSystemInfo 3 dict dup begin /Registry (Adobe) def /Ordering (Identity) def /Supplement 0 def end def\n",
        b"/CMapName /Sealflow def /CMapType 1 def /WMode %d def\n" % vertical,
    ]
    for start in range(0, len(spaces), 100):
        block = spaces[start : start + 100]
        lines = b"".join(b"<%s> <%s>\n" % (low.hex().encode(), high.hex().encode()) for low, high in block)
        parts.append(b"%d begincodespacerange\n%sendcodespacerange\n" % (len(block), lines))
    for start in range(0, len(pairs), 100):
        part = pairs[start : start + 100]
        lines = b"".join(b"<%s> %d\n" % (code.hex().encode(), cid) for code, cid in part)
        parts.append(b"%d begincidchar\n%sendcidchar\n" % (len(part), lines))
    return b"".join([*parts, b"endcmap CMapName currentdict /CMap defineresource pop end end\n"])


def _widths(descendant: pikepdf.Object) -> dict[int, float]:
    """The array W (ISO 32000-2 9.7.4.3) by CID."""
    widths: dict[int, float] = {}
    items = descendant.get(Name.W)
    entries = list(items) if isinstance(items, Array) else []
    while len(entries) >= 2:
        first = page_boxes.number(entries[0])
        if isinstance(entries[1], Array):
            values = [page_boxes.number(value) for value in entries[1]]
            entries = entries[2:]
        elif len(entries) >= 3:
            end = page_boxes.number(entries[1]) or 0
            span = int(min(65535, end) - (first or 0)) + 1
            values, entries = [page_boxes.number(entries[2])] * max(0, span), entries[3:]
        else:
            break
        widths |= {int(first or 0) + step: value for step, value in enumerate(values) if value is not None}
    return widths


def _program(
    texts: dict[int, str], style: FontName, widths: dict[int, float], default: float
) -> tuple[bytes, dict[int, int]]:
    """A TrueType program with one glyph per CID, each fitted to the width the document gives it."""
    glyphs: dict[str, tuple[object, float]] = {}
    indexes: dict[int, int] = {}
    for cid, text in sorted(texts.items()):
        found = glyph(text, style) if len(text) == 1 else None
        width = widths.get(cid, default)
        pen = TTGlyphPen(None)
        if found is not None:
            # A face may be wider than its place (half-width Latin); narrower ones keep their shape, at the left.
            squeeze = min(1.0, width / found.advance) if found.advance and width > 0 else 1.0
            turned = TransformPen(Cu2QuPen(pen, max_err=1.0, reverse_direction=True), (squeeze, 0, 0, 1, 0, 0))
            FACES[found.face].font.draw_glyph_with_pen(found.number, turned)
        indexes[cid] = len(glyphs) + 1  # after .notdef, which an archive must never show
        glyphs[f"cid{cid:05d}"] = (pen.glyph(), width)
    return truetype.build(glyphs, {}), indexes
