"""Mends in embedded fonts what archive readers object to while others cope; shapes, widths and codes stay the same.

Programs that are damaged beyond a short table, and widths that contradict their program, are left as they are.
"""

from __future__ import annotations

import contextlib
import io

import pikepdf
from fontTools import agl
from fontTools.ttLib import TTFont, TTLibError
from fontTools.ttLib.tables.DefaultTable import DefaultTable
from pikepdf import Array, Dictionary, Name, Pdf, Stream

from engine.pdf import intake, shown_text, substitution

_KEYS = {
    "/Font": "Type Subtype Name BaseFont FirstChar LastChar Widths FontDescriptor Encoding ToUnicode DescendantFonts "
    "CIDSystemInfo DW W DW2 W2 CIDToGIDMap FontBBox FontMatrix CharProcs Resources",
    "/FontDescriptor": "Type FontName FontFamily FontStretch FontWeight Flags FontBBox ItalicAngle Ascent Descent "
    "Leading CapHeight XHeight StemV StemH AvgWidth MaxWidth MissingWidth FontFile FontFile2 FontFile3 Style Lang FD",
}
"""Keys of ISO 32000-1 tables 111 to 124. CharSet and CIDSet are left out: optional, and often wrong (6.2.11.4.2)."""
_KNOWN = {kind: frozenset(f"/{key}" for key in keys.split()) for kind, keys in _KEYS.items()}


def repair(pdf: Pdf) -> None:
    """Mend every font of ``pdf`` (ISO 19005-2 6.2.11)."""
    for use in shown_text.uses(pdf, _has_outside_cmap):
        substitution.embed_cmap(pdf, use)
    for item in pdf.objects:
        if not isinstance(item, Dictionary):
            continue
        for known in filter(None, [_KNOWN.get(intake.name_of(item.get(Name.Type)))]):
            for key in set(item.keys()) - known:
                del item[key]
            for naming in (Name.BaseFont, Name.FontName):
                _rename(item, naming)
        subtype = item.get(Name.Subtype)
        if subtype == Name.CIDFontType2 and Name.CIDToGIDMap not in item:
            item[Name.CIDToGIDMap] = Name.Identity
        elif subtype == Name.Type0:
            _match_collections(item)
        elif subtype == Name.TrueType:
            _drop_nameless(item)
        program = item.get(Name.FontFile2)
        if isinstance(program, Stream):
            _complete(program)


def _has_outside_cmap(font: pikepdf.Object) -> bool:
    """An embedded composite font whose codes only a reader with predefined CMaps understands."""
    return (
        isinstance(font, Dictionary)
        and font.get(Name.Subtype) == Name.Type0
        and isinstance(font.get(Name.Encoding), Name)
        and not intake.name_of(font.Encoding).startswith("/Identity")
        and not substitution.lacks_program(font)
    )


def _rename(font: pikepdf.Object, key: Name) -> None:
    """Names are UTF-8 in an archive (6.1.8); Chinese producers write them in GBK."""
    if isinstance(font.get(key), Name):
        name = intake.name_of(font[key])
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            font[key] = Name(name.encode("utf-8", "surrogateescape").decode("gbk", "replace"))


def _match_collections(font: pikepdf.Object) -> None:
    """An embedded CMap and its font name the same character collection (6.2.11.3.1)."""
    inner, cmap = substitution.descendant(font), font.get(Name.Encoding)
    info = cmap.get(Name.CIDSystemInfo) if isinstance(cmap, Stream) else None
    if inner is not None and isinstance(info, Dictionary):
        inner[Name.CIDSystemInfo] = Dictionary(dict(info.items()))


def _drop_nameless(font: pikepdf.Object) -> None:
    """Differences to glyphs without a standard name say nothing to a reader of a TrueType program (6.2.11.6)."""
    encoding = font.get(Name.Encoding)
    if not isinstance(encoding, Dictionary):
        return
    differences = encoding.get(Name.Differences)
    if not isinstance(differences, Array) or all(_is_named(item) for item in differences):
        return
    kept: list[pikepdf.Object | int] = []
    code = 0
    for item in differences:
        if not isinstance(item, Name):
            code = int(item) if isinstance(item, pikepdf.Integer) else 0
            continue
        if _is_named(item):
            kept += [code, item]
        code += 1
    font[Name.Encoding] = Dictionary({**dict(encoding.items()), "/Differences": Array(kept)})


def _is_named(item: pikepdf.Object) -> bool:
    if not isinstance(item, Name):
        return True
    name = intake.name_of(item).lstrip("/")
    return name in agl.AGL2UV


def _complete(program: Stream) -> None:
    """Fill up a table of widths that was cut off after the glyphs in use; readers take the rest as zero."""
    with contextlib.suppress(TTLibError, KeyError, AssertionError, pikepdf.PdfError):
        font = TTFont(io.BytesIO(program.read_bytes()), lazy=True)
        full = font["hhea"].numberOfHMetrics
        size = 4 * full + 2 * max(0, font["maxp"].numGlyphs - full)
        given = font.reader["hmtx"]
        if len(given) < size:
            table = DefaultTable("hmtx")
            table.data = given + bytes(size - len(given))
            font["hmtx"] = table
            buffer = io.BytesIO()
            font.save(buffer, reorderTables=None)
            program.write(buffer.getvalue())
            program[Name.Length1] = buffer.tell()
