"""Until when signatures may rest on an algorithm (算法有效期): ETSI TS 119 312 v1.5.1; the GM standards date nothing.

The dates are policy, not knowledge: nobody can say when an algorithm falls. Settings move them (``trust.sunsets``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from asn1crypto import cms
from asn1crypto.x509 import Certificate

SUNSETS: Mapping[str, date] = {
    "sha1": date(2014, 1, 1),  # NIST SP 800-131A, table 9
    "rsa-2047": date(2014, 1, 1),  # the same, table 2
    "rsa-pkcs1v15": date(2029, 1, 1),
    "rsa-pss-2999": date(2029, 1, 1),
}
"""The first day on which nothing should rest on it any more.

A name is a digest (``sha256``) or a mechanism (``rsa-pkcs1v15``, ``rsa-pss``, ``ecdsa``, ``sm2``; ``rsa`` for both),
which a number limits to keys of at most so many bits (``ecdsa-256``). What is not named has no end yet.
"""


@dataclass(frozen=True, slots=True)
class Suite:
    """What one signature rests on; ``bits``: size of its key, 0 when nobody can tell."""

    mechanism: str
    bits: int
    digest: str

    def __str__(self) -> str:
        return f"{self.mechanism}-{self.bits}/{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Suite:
        """The suite that ``str`` wrote."""
        key, _, digest = text.partition("/")
        mechanism, _, bits = key.rpartition("-")
        return cls(mechanism, int(bits), digest)


def sunset(suite: Suite, overrides: Mapping[str, date] = {}) -> tuple[datetime, str] | None:
    """When the first part of a suite ends, and its name in the table; None while no end is known.

    ``overrides``: dates that replace those of the table or add to them.
    """
    table = {**SUNSETS, **overrides}
    ends = [(until, name) for name, until in table.items() if _is_meant(suite, name)]
    if not ends:
        return None
    until, name = min(ends)
    return datetime.combine(until, time(), UTC), name


def suite_of(info: cms.SignerInfo, certificate: Certificate) -> Suite:
    """The suite of a CMS signature by the key of ``certificate``."""
    digest = str(info["digest_algorithm"]["algorithm"].native)
    algorithm = str(info["signature_algorithm"]["algorithm"].native)
    key = certificate.public_key
    if algorithm.startswith("sm2"):
        return Suite("sm2", 256, digest)
    try:
        bits = int(key.bit_size)
    except (ValueError, TypeError, KeyError):  # the library cannot measure every key
        bits = 0
    if key.algorithm in ("rsa", "rsassa_pss"):
        return Suite("rsa-pss" if algorithm == "rsassa_pss" else "rsa-pkcs1v15", bits, digest)
    return Suite("ecdsa" if key.algorithm == "ec" else str(key.algorithm).replace("/", "-"), bits, digest)


def _is_meant(suite: Suite, name: str) -> bool:
    if name == suite.digest:
        return True
    family, _, limit = name.rpartition("-")
    if not limit.isdecimal():
        family, limit = name, ""
    same = suite.mechanism == family or suite.mechanism.startswith(f"{family}-")
    return same and (not limit or 0 < suite.bits <= int(limit))
