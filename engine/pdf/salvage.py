"""Reads what is left of a page's content when its compressed data is torn; it never guesses what is missing.

Viewers draw a torn stream up to the tear. What they show is what must be placed and signed, so the same part is kept.
"""

from __future__ import annotations

import re
import zlib

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream

from engine.pdf import intake

_STEP = 64 * 1024
_BINARY = re.compile(rb"[^\s\x20-\x7e]")
_DRAWING = re.compile(rb"(?<![^\s)\]>])(?:Tj|TJ|Do|re|l|c|sh)(?!\S)")
"""An operator that draws, or makes a path to draw."""


def page_streams(file: str, pdf: pikepdf.Pdf, page: pikepdf.Object) -> list[Stream]:
    """The content streams of a page, torn ones cut at the tear.

    Raises Rejected ``document.damaged`` where a stream is missing or nothing of it can be read, and
    ``document.too_large`` where it does not end within the limit.
    """
    content = page.get(Name.Contents)
    items = list(content) if isinstance(content, Array) else [content]
    if Name.Contents in page and not all(isinstance(item, Stream) for item in items):
        raise intake.damaged(file, "a page lost its content")
    streams = [item for item in items if isinstance(item, Stream)]
    for item in streams:
        try:
            data = item.read_bytes()
            if any("input stream" in str(warning) for warning in pdf.get_warnings()):
                item.write(data)  # torn where the library could still tell what came before
        except pikepdf.PikepdfError as error:
            if intake.tells_of_limit(str(error)):
                raise intake.too_large(file) from None
            item.write(_prefix(file, item))
    return streams


def _prefix(file: str, stream: Stream) -> bytes:
    filters = stream.get(Name.Filter)
    if isinstance(filters, Array) and len(filters) == 1:
        filters = filters[0]
    parameters = stream.get(Name.DecodeParms)
    if filters != Name.FlateDecode or (isinstance(parameters, Dictionary) and Name.Predictor in parameters):
        raise intake.damaged(file, "a page's content cannot be decoded")
    raw = stream.read_raw_bytes()
    if _DRAWING.search(raw) and not _BINARY.search(raw):
        return raw  # never compressed, whatever its filter says: viewers draw it as it stands
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        found = _inflate(file, raw if window > 0 else raw[2:], window)
        if found.strip():
            return found
    raise intake.damaged(file, "a page's content cannot be decoded")


def _inflate(file: str, raw: bytes, window: int) -> bytes:
    inflater, out = zlib.decompressobj(window), bytearray()
    pending = raw
    try:
        while pending and not inflater.eof:
            out += inflater.decompress(pending, _STEP)
            pending = inflater.unconsumed_tail
            if len(out) > intake.STREAM_LIMIT:
                raise intake.too_large(file)
    except zlib.error:
        pass  # the tear: what came before it is what a viewer shows
    return bytes(out)
