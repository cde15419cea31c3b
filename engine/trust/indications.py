"""Gives each signature the status of EN 319 102-1 (签名验证状态), from our findings and never better than they are.

The standard's words are for machines and experts; the plain verdict stands beside them. Where nobody said whether a
certificate had been revoked, the status is INDETERMINATE / TRY_LATER, not passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from asn1crypto.keys import PublicKeyInfo


class Indication(StrEnum):
    """Main status (EN 319 102-1, 5.1.3, table 5)."""

    PASSED = "TOTAL-PASSED"
    FAILED = "TOTAL-FAILED"
    INDETERMINATE = "INDETERMINATE"


class SubIndication(StrEnum):
    """Why a signature has not passed (EN 319 102-1, 5.1.3, table 6); those that this validator can give."""

    FORMAT_FAILURE = "FORMAT_FAILURE"
    HASH_FAILURE = "HASH_FAILURE"
    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    SIG_CONSTRAINTS_FAILURE = "SIG_CONSTRAINTS_FAILURE"
    CHAIN_CONSTRAINTS_FAILURE = "CHAIN_CONSTRAINTS_FAILURE"
    CERTIFICATE_CHAIN_GENERAL_FAILURE = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE_NO_POE = "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
    TIMESTAMP_ORDER_FAILURE = "TIMESTAMP_ORDER_FAILURE"
    NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND = "NO_CERTIFICATE_CHAIN_FOUND"
    REVOKED_NO_POE = "REVOKED_NO_POE"
    REVOKED_CA_NO_POE = "REVOKED_CA_NO_POE"
    OUT_OF_BOUNDS_NO_POE = "OUT_OF_BOUNDS_NO_POE"
    SIGNED_DATA_NOT_FOUND = "SIGNED_DATA_NOT_FOUND"
    TRY_LATER = "TRY_LATER"
    GENERIC = "GENERIC"


_FAILED = {
    SubIndication.FORMAT_FAILURE,
    SubIndication.HASH_FAILURE,
    SubIndication.SIG_CRYPTO_FAILURE,
    SubIndication.REVOKED,
    SubIndication.EXPIRED,
    SubIndication.NOT_YET_VALID,
}
"""With these the signature has failed; with the others nobody can tell from what is at hand."""
_BY_FINDING = {
    "signature.missing_bytes": SubIndication.SIGNED_DATA_NOT_FOUND,
    "signature.malformed": SubIndication.FORMAT_FAILURE,
    "signature.own_content": SubIndication.FORMAT_FAILURE,
    "signature.no_message_digest": SubIndication.FORMAT_FAILURE,
    "signature.no_certificate": SubIndication.NO_SIGNING_CERTIFICATE_FOUND,
    "signature.digest": SubIndication.HASH_FAILURE,
    "timestamp.imprint": SubIndication.HASH_FAILURE,
    "signature.value": SubIndication.SIG_CRYPTO_FAILURE,
    "signature.algorithm": SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
    "signature.format": SubIndication.GENERIC,
    "signature.certificate": SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE,
}
"""What stops a signature before its certificate is asked about; any other finding is a constraint not kept."""
_END_OF_2013 = datetime(2014, 1, 1, tzinfo=UTC)
_WEAK_SINCE = {"sha1": _END_OF_2013, "rsa below 2048": _END_OF_2013}
"""From when on a signature must not rest on it (NIST SP 800-131A, tables 2 and 9)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a certificate at the time it is judged for."""

    cause: SubIndication | None = None
    """Why it does not stand, None if it does."""
    since: datetime | None = None
    """When it was revoked, ended, or will begin."""
    path: tuple[bytes, ...] = ()
    """DER of the certificate, its issuer, and so on to the anchor; empty without one."""
    told: tuple[tuple[str, datetime | None], ...] = ()
    """Members of the path below the anchor, and until when an answer of their authority reaches, None without one."""
    unknown: tuple[str, ...] = ()
    """Members of which no answer reaches to the time in question."""

    def at(self, moment: datetime) -> Standing:
        """The same with ``unknown`` for a time."""
        return replace(self, unknown=tuple(name for name, until in self.told if until is None or until < moment))


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the status of one signature or document timestamp rests on."""

    sound: bool
    """Integrity is valid or extended."""
    verified: bool
    """The signature fits the bytes it covers; what is wrong besides is about other bytes."""
    findings: tuple[str, ...]
    standing: Standing
    proven_at: datetime | None = None
    """Earliest trusted time by which it existed."""
    begun_at: datetime | None = None
    """Latest trusted time before which it cannot have been made: that of a timestamp inside what it covers."""
    ordered: bool = True
    """Its timestamps follow each other in time as they do in the file."""
    weaknesses: frozenset[str] = frozenset()


def conclude(case: Case) -> tuple[Indication, SubIndication | None]:
    """Main and sub-indication; the earliest building block that objects decides (EN 319 102-1, 5.3 to 5.6)."""
    reason = _of_findings(case) or _of_certificate(case) or _of_times(case)
    if reason is None:
        return Indication.PASSED, None
    return Indication.FAILED if reason in _FAILED else Indication.INDETERMINATE, reason


def _of_findings(case: Case) -> SubIndication | None:
    if case.sound:
        return None
    if case.verified:
        return SubIndication.SIG_CONSTRAINTS_FAILURE
    known = (reason for code, reason in _BY_FINDING.items() if code in case.findings)
    return next(known, SubIndication.SIG_CONSTRAINTS_FAILURE)


def _of_certificate(case: Case) -> SubIndication | None:
    cause, since = case.standing.cause, case.standing.since
    if cause is None or since is None:
        return cause
    if cause is SubIndication.NOT_YET_VALID:
        return cause if case.proven_at is not None else SubIndication.OUT_OF_BOUNDS_NO_POE
    made_later = case.begun_at is not None and case.begun_at > since
    if cause is SubIndication.REVOKED_NO_POE and made_later:
        return SubIndication.REVOKED
    if cause is SubIndication.OUT_OF_BOUNDS_NO_POE and made_later:
        return SubIndication.EXPIRED
    return cause


def _of_times(case: Case) -> SubIndication | None:
    if not case.ordered:
        return SubIndication.TIMESTAMP_ORDER_FAILURE
    for weakness in case.weaknesses:
        if case.proven_at is None:
            return SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE
        if case.proven_at >= _WEAK_SINCE[weakness]:
            return SubIndication.CRYPTO_CONSTRAINTS_FAILURE
    return SubIndication.TRY_LATER if case.standing.unknown else None


def find_weaknesses(digest: str, key: PublicKeyInfo) -> frozenset[str]:
    """What about an algorithm is too weak for a signature made today."""
    found = {"sha1"} if digest == "sha1" else set()
    if key.algorithm == "rsa" and key.bit_size < 2048:  # only RSA: the library cannot measure every other key
        found.add("rsa below 2048")
    return frozenset(found)


def worst_indication(indications: Iterable[Indication]) -> Indication | None:
    """The worst of several, None of none."""
    order = (Indication.FAILED, Indication.INDETERMINATE, Indication.PASSED)
    return min(indications, key=order.index, default=None)
