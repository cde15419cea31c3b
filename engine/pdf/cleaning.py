"""Strips from what a page draws everything that acts, reaches outside or switches; the drawing itself is not judged.

It works on the objects reachable from a page's resources, after hidden layers were taken out of the content.
"""

from __future__ import annotations

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream

from engine.pdf.inspection import KEYS, NAMED

_STREAM_KEYS = ("/F", "/FFilter", "/FDecodeParms", "/ColorTransform")
_USELESS = frozenset(
    {
        *KEYS,
        *("/Metadata", "/StructParent", "/StructParents", "/LastModified", "/Thumb", "/Annots", "/A", "/PA", "/B"),
        *(
            "/Parent",
            "/P",
            "/Pg",
            "/Measure",
            "/PtData",
            "/ID",
            "/WebCaptureID",
            "/DPart",
            "/SEAQ",
            "/Names",
            "/FS",
            "/ProcSet",
        ),
    }
)


_STREAM = frozenset({"/Length", "/Filter", "/DecodeParms"})
_PICTURE = _STREAM | {
    *("/Type", "/Subtype", "/Width", "/Height", "/ColorSpace", "/BitsPerComponent", "/ImageMask", "/Mask", "/Decode"),
    *("/SMask", "/SMaskInData", "/Intent", "/Matte"),
}
_FORM = _STREAM | {"/Type", "/Subtype", "/FormType", "/BBox", "/Matrix", "/Resources", "/Group"}
"""Keys of ISO 32000-1 tables 89 and 95 that draw. Interpolate is a wish that archives refuse (ISO 19005-2 6.2.8)."""
_PRINTERS = ("/TR", "/TR2", "/HT", "/HTP")
"""What a graphics state tells a printing press: archives refuse it (6.2.5), screens do not show it."""


def clean(start: pikepdf.Object, seen: pikepdf.ObjectSet) -> None:
    """Clean everything reachable from ``start`` (a page's resources); ``seen`` spans the pages of one document."""
    stack: list[tuple[pikepdf.Object, bool]] = [(start, False)]
    while stack:
        item, named = stack.pop()
        if not isinstance(item, (Dictionary, Stream, Array)) or (item.is_indirect and not seen.add(item)):
            continue
        if isinstance(item, Array):
            stack.extend((value, False) for value in item)
            continue
        entries = item.stream_dict if isinstance(item, Stream) else item
        if not named:
            _strip(item, entries)
        for key, value in list(entries.items()):
            if key == "/Properties" and isinstance(value, Dictionary):
                _empty_layers(value)
            stack.append((value, not named and key in NAMED))


def _strip(item: pikepdf.Object, entries: pikepdf.Object) -> None:
    for key in entries.keys() & _USELESS:
        del item[key]
    if isinstance(item, Stream):
        for key in _STREAM_KEYS:
            if key in entries:
                del item[key]
        if entries.get(Name.Subtype) == Name.PS or entries.get(Name.Subtype2) == Name.PS:
            # PostScript runs only in printers, so it shows there what no screen showed.
            item.write(b"")
            item[Name.Subtype], item[Name.BBox] = Name.Form, Array([0, 0, 0, 0])
            if Name.Subtype2 in entries:
                del item[Name.Subtype2]
        subtype = entries.get(Name.Subtype)
        if subtype in (Name.Image, Name.Form):
            for key in entries.keys() - (_PICTURE if subtype == Name.Image else _FORM):
                del item[key]
        parameters = entries.get(Name.DecodeParms)
        if isinstance(parameters, Dictionary) and parameters.is_indirect:
            item[Name.DecodeParms] = Dictionary(dict(parameters.items()))
    elif entries.get(Name.Type) == Name.ExtGState:
        for key in entries.keys() & set(_PRINTERS):
            del item[key]


def _empty_layers(properties: pikepdf.Object) -> None:
    for key, value in list(properties.items()):
        if isinstance(value, Dictionary) and value.get(Name.Type) in (Name.OCG, Name.OCMD):
            properties[key] = Dictionary()
