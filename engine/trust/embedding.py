"""Puts DER into the hole a prepared PDF keeps for it; knows bytes only and parses nothing."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from engine.errors import Defect
from engine.trust.suites.digests import new_digest

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Hole:
    """Place of a signature's Contents: offsets in the whole file, from its ``<`` to behind its ``>``."""

    start: int
    end: int

    @property
    def capacity(self) -> int:
        """Bytes of DER that fit."""
        return (self.end - self.start - 2) // 2


class HoleTooSmall(Exception):
    """The DER does not fit; the document has to be prepared again with a larger hole."""

    def __init__(self, needed: int) -> None:
        super().__init__(needed)
        self.needed = needed


async def digest_around(source: Path, tail: Path, hole: Hole, algorithm: str = "sha256") -> bytes:
    """Digest of source and tail without the hole: what the signature covers (ISO 32000-2, 12.8.1)."""
    return await asyncio.to_thread(_digest_around, source, tail, hole, algorithm)


def _digest_around(source: Path, tail: Path, hole: Hole, algorithm: str) -> bytes:
    digest = new_digest(algorithm)
    buffer = memoryview(bytearray(_CHUNK))
    with source.open("rb", buffering=0) as file:
        size = 0
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            size += count
    rest = tail.read_bytes()
    check_hole(rest, hole, size)
    digest.update(memoryview(rest)[: hole.start - size])
    digest.update(memoryview(rest)[hole.end - size :])
    return digest.digest()


def check_hole(tail: bytes, hole: Hole, source_size: int) -> None:
    """Raise Defect ``signature.hole`` unless the hole lies in the tail and is an empty hex string.

    The offsets come from the process that parsed foreign bytes; a wrong one must not lead us to sign other bytes.
    """
    start, end = hole.start - source_size, hole.end - source_size
    if not (0 <= start < end - 2 and end <= len(tail)) or tail[start:end] != b"<" + b"0" * (end - start - 2) + b">":
        raise Defect(
            "signature.hole",
            zh="预留的签名位置无效，未写入任何内容。系统将重试。",
            en="The place reserved for the signature is invalid; nothing was written. It will be tried again.",
        )


def fill(tail: bytes, hole: Hole, source_size: int, der: bytes) -> bytes:
    """Give the tail with the DER in its hole; same length. Raises HoleTooSmall."""
    check_hole(tail, hole, source_size)
    if len(der) > hole.capacity:
        raise HoleTooSmall(len(der))
    start, end = hole.start - source_size, hole.end - source_size
    digits = der.hex().encode("ascii").ljust(end - start - 2, b"0")
    return tail[: start + 1] + digits + tail[end - 1 :]


async def embed(source: Path, tail: Path, hole: Hole | None, der: bytes, output: Path) -> Path:
    """Write source + tail, the DER in its hole if it has one; the source's bytes are copied by the kernel."""
    return await asyncio.to_thread(_embed, source, tail, hole, der, output)


def _embed(source: Path, tail: Path, hole: Hole | None, der: bytes, output: Path) -> Path:
    size = source.stat().st_size
    filled = tail.read_bytes()
    if hole is not None:
        filled = fill(filled, hole, size, der)
    with source.open("rb") as origin, output.open("wb") as target:
        done = 0
        while done < size:
            done += os.sendfile(target.fileno(), origin.fileno(), done, size - done)
        target.write(filled)
    return output
