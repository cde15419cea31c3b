"""Which bytes a PDF signature really covers; anything but one plain gap around its own Contents is refused."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import IO

_HEX = re.compile(rb"<[0-9A-Fa-f\s]*>")
_EVEN = re.compile(rb"<(?:[0-9A-F]*|[0-9a-f]*)>")
"""Hex digits as one program writes them."""
_EOF_ONLY = re.compile(rb"\s*")
BEYOND = "ByteRange reaches beyond the end of the file"


@dataclass(frozen=True, slots=True)
class Coverage:
    """``end``: offset behind the last covered byte; ``whole``: that is the end of the file. ``oddity`` says why not.

    ``uneven``: the digits of Contents mix cases or have blanks among them. Their value is the same, so no signature
    tells; but no program writes them so, and something touched the file later.
    """

    end: int
    whole: bool
    oddity: str | None = None
    uneven: bool = False


def measure_coverage(stream: IO[bytes], byte_range: object, contents: bytes) -> Coverage:
    """Judge a ByteRange (ISO 32000-2, 12.8.1): from byte 0, around exactly the hex string that is Contents."""
    size = stream.seek(0, os.SEEK_END)
    if not isinstance(byte_range, list) or len(byte_range) != 4:
        return Coverage(0, False, "ByteRange is not four numbers")
    numbers = [number for number in byte_range if isinstance(number, int) and number >= 0]
    if len(numbers) != 4:
        return Coverage(0, False, "ByteRange is not four numbers")
    start, before, resume, after = (int(number) for number in numbers)
    end = resume + after
    if end > size:
        return Coverage(0, False, BEYOND)
    if start != 0 or resume <= before:
        return Coverage(0, False, "ByteRange leaves bytes of the file outside")
    if resume - before > 2 * len(contents) + 4096:
        return Coverage(end, False, "the gap in ByteRange is larger than Contents")
    stream.seek(before)
    gap = stream.read(resume - before)
    if not _HEX.fullmatch(gap) or not _same(gap, contents):
        return Coverage(end, False, "the gap in ByteRange is not Contents")
    return Coverage(end, end == size, uneven=not _EVEN.fullmatch(gap))


def _same(gap: bytes, contents: bytes) -> bool:
    digits = b"".join(gap[1:-1].split())
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii")) == contents


def only_blank_after(stream: IO[bytes], offset: int) -> bool:
    """Whether nothing but white space follows."""
    stream.seek(offset)
    return all(_EOF_ONLY.fullmatch(block) for block in iter(lambda: stream.read(1 << 16), b""))
