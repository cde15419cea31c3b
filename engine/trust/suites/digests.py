"""Digest algorithms by the names CMS uses; SM3 (GB/T 32905) is that of ``cryptography``, not of Python itself."""

from __future__ import annotations

import hashlib
from typing import Protocol

from cryptography.hazmat.primitives import hashes

from engine.trust.suites.identifiers import SM3

DIGEST_IDENTIFIERS = {
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
    "sm3": SM3,
}
"""Object identifiers of the digests we sign and stamp with (RFC 5754)."""


class Digest(Protocol):
    """A digest being computed, as hashlib gives it."""

    def update(self, data: bytes | memoryview, /) -> None: ...

    def digest(self) -> bytes: ...


class _Sm3:
    def __init__(self) -> None:
        self._state = hashes.Hash(hashes.SM3())

    def update(self, data: bytes | memoryview, /) -> None:
        self._state.update(data)

    def digest(self) -> bytes:
        return self._state.copy().finalize()


def new_digest(name: str) -> Digest:
    """Start a digest; ValueError for a name nobody here knows."""
    return _Sm3() if name == "sm3" else hashlib.new(name)


def digest_bytes(name: str, data: bytes) -> bytes:
    """Digest of some bytes; ValueError as ``new_digest``."""
    digest = new_digest(name)
    digest.update(data)
    return digest.digest()
