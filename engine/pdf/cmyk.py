"""Says what the inks of a document (CMYK) look like, by an ICC profile that repeats how PDFium shows them.

An archive whose output intent is sRGB may use inks only with such a profile (ISO 19005-2 6.2.4.3). Spot colours keep
their own definition.
"""

from __future__ import annotations

import io
import itertools
import re
import struct
from functools import lru_cache

import pikepdf
import pypdfium2
from pikepdf import Array, Dictionary, Name, Pdf, Stream

_GRID = 9
"""Steps of each ink; between them readers interpolate."""
_PATCH = 3
"""Pixels of one patch; the middle one is not touched by its neighbours."""
_OPERATOR = re.compile(rb"[\d.][\s]+[kK](?=[\s%/(<\[]|\Z)|/(?:Device)?CMYK\b")
"""Operators that set inks, and names that do; a text that looks so costs 36 KB and harms nothing."""
_WHITE = (0.9642, 1.0, 0.8249)
"""D50, the white of profiles (ICC.1:2001-04 A.1)."""
_TO_XYZ = ((0.4360747, 0.3850649, 0.1430804), (0.2225045, 0.7168786, 0.0606169), (0.0139322, 0.0971045, 0.7141733))
"""Linear sRGB to XYZ under D50 (IEC 61966-2-1, adapted by Bradford)."""


def declare(pdf: Pdf) -> bool:
    """Give everything that draws with inks a DefaultCMYK colour space; returns whether anything does."""
    contents = [scope.content for scope in pdf.content_scopes()]
    if not (any(_names_inks(item) for item in pdf.objects) or any(_uses_inks(content) for content in contents)):
        return False
    space = pdf.make_indirect(Array([Name.ICCBased, pdf.make_stream(_profile(), N=4)]))
    for scope in pdf.content_scopes():
        if scope.resources is not None:  # content without any uses those of who draws it
            spaces = scope.resources.get(Name.ColorSpace)
            own = dict(spaces.items()) if isinstance(spaces, Dictionary) else {}
            scope.resources[Name.ColorSpace] = Dictionary({**own, "/DefaultCMYK": own.get("/DefaultCMYK", space)})
    return True


def _names_inks(item: pikepdf.Object) -> bool:
    """Whether DeviceCMYK stands in an object, as a picture, a shading or a group of colours names it."""
    entries = item.stream_dict if isinstance(item, Stream) else item
    return isinstance(entries, Dictionary | Array) and b"/DeviceCMYK" in entries.unparse(resolved=True)


def _uses_inks(content: pikepdf.Object) -> bool:
    parts = content.get(Name.Contents) if isinstance(content, Dictionary) else content
    streams = list(parts) if isinstance(parts, Array) else [parts]
    return any(isinstance(one, Stream) and _OPERATOR.search(one.read_bytes()) is not None for one in streams)


@lru_cache(1)
def _profile() -> bytes:
    """An input profile of version 2 with one table from inks to Lab (ICC.1:2001-04 6.3.1, 6.5.7)."""
    table = b"".join(struct.pack(">3H", *_lab(colour)) for colour in _shown())
    line = struct.pack(">2H", 0, 0xFFFF)
    unity = struct.pack(">9i", *(0x10000 if place % 4 == 0 else 0 for place in range(9)))
    lookup = b"mft2\0\0\0\0" + bytes([4, 3, _GRID, 0]) + unity + struct.pack(">2H", 2, 2) + line * 4 + table + line * 3
    name = b"Inks as PDFium shows them\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78),
        b"cprt": b"text\0\0\0\0No rights are claimed\0",
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 0x10000) for value in _WHITE)),
        b"A2B0": lookup,
    }
    directory, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        directory += struct.pack(">4sII", tag, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, b"scnr", b"CMYK", b"Lab ")
    header += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3i", *(round(value * 0x10000) for value in _WHITE))
    return header.ljust(128, b"\0") + directory + body


def _shown() -> list[tuple[int, int, int]]:
    """How PDFium shows every mixture of the grid, black changing fastest."""
    columns = _GRID * _GRID
    mixtures = list(itertools.product(range(_GRID), repeat=4))
    paint = []
    for place, mixture in enumerate(mixtures):
        inks = " ".join(f"{step / (_GRID - 1):g}" for step in mixture)
        row, column = divmod(place, columns)
        paint.append(f"{inks} k {column * _PATCH} {row * _PATCH} {_PATCH} {_PATCH} re f")
    side = columns * _PATCH
    with Pdf.new() as sheet:
        page = sheet.add_blank_page(page_size=(side, side)).obj
        page[Name.Contents] = sheet.make_stream("\n".join(paint).encode("ascii"))
        buffer = io.BytesIO()
        sheet.save(buffer)
    document = pypdfium2.PdfDocument(buffer)
    try:
        image = document[0].render(scale=1).to_pil().convert("RGB")
    finally:
        document.close()
    middle = _PATCH // 2
    return [
        image.getpixel((column * _PATCH + middle, side - 1 - (row * _PATCH + middle)))
        for row, column in (divmod(place, columns) for place in range(len(mixtures)))
    ]


def _lab(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """An sRGB colour in the 16-bit Lab of version 2 profiles (ICC.1:2001-04 A.3)."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in (v / 255 for v in colour)
    ]
    relative = [
        sum(weight * part for weight, part in zip(row, linear, strict=True)) / white
        for row, white in zip(_TO_XYZ, _WHITE, strict=True)
    ]
    x, y, z = (value ** (1 / 3) if value > 216 / 24389 else (24389 / 27 * value + 16) / 116 for value in relative)
    lightness, a, b = 116 * y - 16, 500 * (x - y), 200 * (y - z)
    return round(min(lightness, 100) * 652.8), round((a + 128) * 256), round((b + 128) * 256)
