"""The one form of zip that an evidence bundle has: stored members back to back, no room for anything between them.

Runs inside an evidence bundle: Python 3.8 and its standard library, nothing else. Up to 4 GiB.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable
from typing import BinaryIO

_DAY = 0x21
"""1 January 1980, the first day a zip can name: members have no time of their own."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_CENTRAL, _END = struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")


def _local(name: bytes, checksum: int, size: int) -> bytes:
    return struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, _DAY, checksum, size, size, len(name), 0) + name


def _central(name: bytes, checksum: int, size: int, offset: int) -> bytes:
    fixed = (b"PK\1\2", 0x314, 20, 0, 0, 0, _DAY, checksum, size, size, len(name), 0, 0, 0, 0, 0o100644 << 16, offset)
    return _CENTRAL.pack(*fixed) + name


def _end(count: int, size: int, offset: int) -> bytes:
    return _END.pack(b"PK\5\6", 0, 0, count, count, size, offset, 0)


def write_container(target: BinaryIO, members: Iterable[tuple[str, bytes]]) -> None:
    """Write the zip; equal members in equal order give equal bytes."""
    directory, offset, count = [], 0, 0
    for name, content in members:
        if not _NAME.fullmatch(name):
            raise ValueError(name)
        key, checksum = name.encode("ascii"), zlib.crc32(content)
        directory.append(_central(key, checksum, len(content), offset))
        header = _local(key, checksum, len(content))
        target.write(header)
        target.write(content)
        offset += len(header) + len(content)
        count += 1
    entries = b"".join(directory)
    target.write(entries + _end(count, len(entries), offset))


def read_container(data: memoryview) -> tuple[dict[str, memoryview], str | None]:
    """Members by name, and where the file leaves the one form: the name of a member, or "zip"; None when nowhere."""
    members: dict[str, memoryview] = {}
    place = len(data) - _END.size
    if place < 0:
        return members, "zip"
    _, _, _, _, count, size, start, _ = _END.unpack(data[place:])
    if data[place:] != _end(count, size, start) or start + size != place:
        return members, "zip"
    position, offset = start, 0
    for _ in range(count):
        if position + _CENTRAL.size > place:
            return members, "zip"
        entry = _CENTRAL.unpack(data[position : position + _CENTRAL.size])
        checksum, length, name_length, given = entry[7], entry[8], entry[10], entry[16]
        key = bytes(data[position + _CENTRAL.size : position + _CENTRAL.size + name_length])
        name = key.decode("ascii", "replace")
        header = _local(key, checksum, length)
        body = given + len(header)
        if not _NAME.fullmatch(name):
            return members, "zip"
        if (
            bytes(data[position : position + _CENTRAL.size + name_length]) != _central(key, checksum, length, given)
            or given != offset
            or body + length > start
            or data[given:body] != header
            or name in members
        ):
            return members, name
        members[name] = data[body : body + length]
        if zlib.crc32(members[name]) != checksum:
            return members, name
        position += _CENTRAL.size + name_length
        offset = body + length
    return members, None if (position, offset) == (place, start) else "zip"
