"""A hash tree in a file (散列树, RFC 4998, 4.2): a million leaves in little memory, twenty reads to the root.

The file holds all levels one after the other, leaves first; a node without a sibling stands for itself one level up.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.trust.suites.digests import digest_bytes

_NODES_AT_ONCE = 1 << 14


def hash_children(algorithm: str, children: Iterable[bytes]) -> bytes:
    """The value of a node: the hash of its children's, concatenated in binary ascending order (RFC 4998, 4.2.4)."""
    return digest_bytes(algorithm, b"".join(sorted(children)))


def hash_group(algorithm: str, digests: Sequence[bytes]) -> bytes:
    """The leaf of documents that are proven together (4.2.3); that of one document is its own hash."""
    return digests[0] if len(digests) == 1 else hash_children(algorithm, digests)


class HashTree:
    """A built tree; use it as a context manager."""

    def __init__(self, file: Path, algorithm: str, leaves: int) -> None:
        self.algorithm = algorithm
        self._size = len(digest_bytes(algorithm, b""))
        self._levels = _measure(leaves)
        self._descriptor = os.open(file, os.O_RDONLY)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    @property
    def leaves(self) -> int:
        """How many there are."""
        return self._levels[0]

    @property
    def root(self) -> bytes:
        """What the timestamp is for."""
        return self._read(len(self._levels) - 1, 0)

    def leaf(self, index: int) -> bytes:
        """One leaf."""
        return self._read(0, index)

    def siblings(self, index: int) -> list[bytes]:
        """What has to be added to a leaf to come to the root, from below."""
        found = []
        for level, width in enumerate(self._levels[:-1]):
            other = index ^ 1
            if other < width:
                found.append(self._read(level, other))
            index >>= 1
        return found

    def _read(self, level: int, index: int) -> bytes:
        offset = (sum(self._levels[:level]) + index) * self._size
        return os.pread(self._descriptor, self._size, offset)


def build_tree(file: Path, algorithm: str, leaves: Iterable[bytes]) -> HashTree:
    """Write a tree over leaves as they come; raises ValueError when there is none."""
    size = len(digest_bytes(algorithm, b""))
    with file.open("wb") as out, file.open("rb") as below:
        count = 0
        for leaf in leaves:
            out.write(leaf)
            count += 1
        if not count:
            raise ValueError("a tree needs a leaf")
        width = count
        while width > 1:
            out.flush()
            for start in range(0, width, 2 * _NODES_AT_ONCE):
                nodes = below.read(min(width - start, 2 * _NODES_AT_ONCE) * size)
                for place in range(0, len(nodes), 2 * size):
                    pair = nodes[place : place + size], nodes[place + size : place + 2 * size]
                    out.write(hash_children(algorithm, pair) if pair[1] else pair[0])
            width = (width + 1) // 2
    return HashTree(file, algorithm, count)


def _measure(leaves: int) -> list[int]:
    levels = [leaves]
    while levels[-1] > 1:
        levels.append((levels[-1] + 1) // 2)
    return levels
