"""Another reading of RFC 4998, with the standard library and openssl alone: it shares no line with the engine's."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

NAMES = {"608648016503040201": "sha256", "608648016503040202": "sha384", "608648016503040203": "sha512"}


class Disagreement(Exception):
    """The record does not prove the documents."""


def split(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Tag, content and whole encoding of each element of DER."""
    found, place = [], 0
    while place < len(data):
        tag, length, start = data[place], data[place + 1], place + 2
        if length & 0x80:
            count = length & 0x7F
            length, start = int.from_bytes(data[start : start + count], "big"), start + count
        found.append((tag, data[start : start + length], data[place : start + length]))
        place = start + length
    return found


def inside(data: bytes) -> list[tuple[int, bytes, bytes]]:
    ((_, content, _),) = split(data)
    return split(content)


def verify(record: bytes, documents: list[bytes], folder: Path, roots: Path) -> list[str]:
    """Give the times of all timestamps (4.3, 5.3); raises Disagreement."""
    _, _, (_, sequence, _) = inside(record)
    chains = split(sequence)
    times: list[str] = []
    for number, (_, chain, _) in enumerate(chains):
        needed: list[bytes] | None = None
        for _, stamp, _ in split(chain):
            fields = split(stamp)
            name = NAMES[
                inside(next(whole for tag, _, whole in fields if tag == 0xA0).replace(b"\xa0", b"\x30", 1))[0][1].hex()
            ]
            if needed is None:
                needed = [hashlib.new(name, document).digest() for document in documents]
                if number:
                    inner = b"".join(whole for _, _, whole in chains[:number])
                    size = len(inner)
                    header = bytes([size]) if size < 128 else _long(size)
                    before = hashlib.new(name, b"\x30" + header + inner).digest()
                    needed = [hashlib.new(name, one + before).digest() for one in needed]
            tree = [content for tag, content, _ in fields if tag == 0xA2]
            levels = [[value for _, value, _ in split(level)] for _, level, _ in split(tree[0])] if tree else [needed]
            if any(one not in levels[0] for one in needed):
                raise Disagreement("not in the first list")
            if len(needed) > 1 and len(needed) != len(levels[0]):
                raise Disagreement("another group")
            value = levels[0][0]
            for place, level in enumerate(levels):
                members = level if place == 0 else [*level, value]
                value = members[0] if len(members) == 1 else hashlib.new(name, b"".join(sorted(members))).digest()
            token = fields[-1][2]
            times.append(_check_token(token, value, folder, roots))
            needed = [hashlib.new(name, token).digest()]
    return times


def _long(size: int) -> bytes:
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(digits)]) + digits


def _check_token(token: bytes, imprint: bytes, folder: Path, roots: Path) -> str:
    (folder / "token").write_bytes(token)
    judged = subprocess.run(
        ["openssl", "cms", "-verify", "-inform", "DER", "-in", "token", "-out", "info", "-CAfile", roots,
         "-purpose", "timestampsign", "-no_check_time"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if judged.returncode:
        raise Disagreement(judged.stderr)
    fields = inside((folder / "info").read_bytes())
    if inside(fields[2][2])[1][1] != imprint:
        raise Disagreement("the timestamp is for something else")
    return next(content for tag, content, _ in fields if tag == 0x18).decode()
