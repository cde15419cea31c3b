"""Writes PDF files by hand, byte for byte, for what no library would write."""

from __future__ import annotations

import zlib


def document(*bodies: bytes, trailer: bytes = b"", version: bytes = b"1.7") -> bytes:
    """Objects 1, 2, 3 … with a correct cross-reference table; object 1 is the catalog."""
    out, offsets = bytearray(b"%PDF-" + version + b"\n"), []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    for offset in offsets:
        out += b"%010d 00000 n \n" % offset
    out += b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, trailer, start)
    return bytes(out)


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<</Length %d%s>>\nstream\n%s\nendstream" % (len(content), entries, content)


def flate(content: bytes, entries: bytes = b"") -> bytes:
    return stream(zlib.compress(content, 9), b"/Filter/FlateDecode" + entries)


def one_page(
    content: bytes = b"1 0 0 rg 100 100 50 50 re f",
    *,
    page: bytes = b"",
    catalog: bytes = b"",
    box: bytes = b"[0 0 595 842]",
    more: tuple[bytes, ...] = (),
    trailer: bytes = b"",
) -> bytes:
    """One page whose content is object 4; ``more`` are objects 5, 6, …"""
    return document(
        b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog,
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox%s/Contents 4 0 R%s>>" % (box, page),
        stream(content),
        *more,
        trailer=trailer,
    )
