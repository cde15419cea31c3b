"""Lets pyHanko read a reference to object 0 as the null it is; real signing services write such into appearances.

Installed by importing this module, in limited children only. The library would walk every reference byte by byte.
"""

from __future__ import annotations

import re
from typing import IO

from pyhanko.pdf_utils import generic

_original = generic.IndirectObject.read_from_stream
_REFERENCE = re.compile(rb"\s*(\d{1,10})\s+(\d{1,5})\s+R")
_LONGEST = 40


def read_reference(stream: IO[bytes], container_ref: generic.Dereferenceable) -> generic.PdfObject:
    """Read one reference (ISO 32000-2, 7.3.10); object 0 is always free (7.5.4), so a reference to it is null."""
    start = stream.tell()
    found = _REFERENCE.match(stream.read(_LONGEST))
    if found is None:
        stream.seek(start)
        result: generic.PdfObject = _original(stream, container_ref)
        return result
    stream.seek(start + found.end())
    number, generation = int(found[1]), int(found[2])
    if number == 0:
        return generic.NullObject()
    return generic.IndirectObject(number, generation, container_ref.get_pdf_handler())


generic.IndirectObject.read_from_stream = staticmethod(read_reference)  # type: ignore[method-assign]  # the purpose
