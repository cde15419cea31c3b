"""Judges whether a certificate led to an anchor at a moment; asks no network, and says whose revocation is unknown."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from asn1crypto.crl import CertificateList
from asn1crypto.ocsp import OCSPResponse
from asn1crypto.x509 import Certificate
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import (
    ExpiredError,
    InsufficientRevinfoError,
    InvalidCertificateError,
    NotYetValidError,
    PathError,
    PathValidationError,
    RevokedError,
    ValidationError,
)
from pyhanko_certvalidator.path import ValidationPath

from engine.trust.chains import load_certificate, needs_no_revocation
from engine.trust.evidence import Evidence
from engine.trust.indications import Standing, SubIndication
from engine.trust.levels import statuses
from engine.trust.status import Status
from engine.trust.suites.verification import SuiteValidator
from engine.trust.verdict import Trust

_TOLERANCE = timedelta(seconds=60)
_NEVER = frozenset({"md2", "md5"})
"""What no path may rest on; old roots and archives still carry SHA-1, and the verdict names it."""


_NOTHING = Evidence()


@dataclass(frozen=True)
class Material:
    """The anchors of whoever asks, what a file brings along, and what was found elsewhere."""

    anchors: tuple[bytes, ...]
    evidence: Evidence
    found: Evidence = _NOTHING
    """Counts for trust; a level is what the file holds by itself."""

    retired: dict[bytes, datetime] = field(default_factory=dict)
    """From when on an anchor is believed no more; for what is proven to be older it stays one."""

    def believed_at(self, moment: datetime) -> list[bytes]:
        """The anchors that count at a time."""
        return [der for der in self.anchors if der not in self.retired or moment < self.retired[der]]

    @functools.cached_property
    def known(self) -> Evidence:
        own, other = self.evidence, self.found
        return Evidence(own.certificates + other.certificates, own.ocsps + other.ocsps, own.crls + other.crls)


async def judge_path(
    certificate: Certificate, others: Iterable[Certificate], material: Material, moment: datetime, purpose: str | None
) -> Standing:
    """Say whether the certificate led to an anchor at ``moment``; ``purpose`` is an extended key usage it must have."""
    if not material.anchors:
        return Standing(SubIndication.NO_CERTIFICATE_CHAIN_FOUND)
    pool = [*others, *filter(_leads_on, _load_all(Certificate, material.known.certificates))]
    try:
        try:
            path = await _find_path(certificate, pool, material.known, material, moment, purpose)
        except InsufficientRevinfoError:
            # Answers too old or too new for the moment: as good as none, which is not for the path to say.
            path = await _find_path(certificate, pool, _NOTHING, material, moment, purpose)
    except (PathError, ValidationError, ValueError, TypeError, KeyError) as error:
        return _explain(error)
    members = tuple(member.dump() for member in path.iter_certs(include_root=True))[::-1]
    return _judge_revocation(members or (certificate.dump(),), material, moment)


async def _find_path(
    certificate: Certificate,
    pool: Sequence[Certificate],
    evidence: Evidence,
    material: Material,
    moment: datetime,
    purpose: str | None,
) -> ValidationPath:
    serials = {certificate.serial_number, *(other.serial_number for other in pool)}
    context = ValidationContext(
        trust_roots=_load_all(Certificate, material.believed_at(moment)),
        other_certs=pool,
        moment=moment,
        allow_fetching=False,
        crls=_load_all(CertificateList, evidence.crls),
        ocsps=_load_all(OCSPResponse, [der for der in evidence.ocsps if _serials(der) & serials]),
        revocation_mode="soft-fail",
        weak_hash_algos=_NEVER,
        time_tolerance=_TOLERANCE,
        retroactive_revinfo=True,
        signature_validator=SuiteValidator(),
    )
    validator = CertificateValidator(certificate, validation_context=context)
    extended = set() if purpose is None else {purpose}
    path: ValidationPath = await validator.async_validate_usage(set(), extended, extended_optional=not extended)
    return path


def trust_of(standing: Standing, material: Material) -> Trust:
    """The plain word for it."""
    if not material.anchors:
        return Trust.UNCHECKED
    if standing.cause is None:
        return Trust.TRUSTED
    return _PLAIN.get(standing.cause, Trust.UNTRUSTED)


_PLAIN = {
    SubIndication.REVOKED_NO_POE: Trust.REVOKED,
    SubIndication.REVOKED_CA_NO_POE: Trust.REVOKED,
    SubIndication.OUT_OF_BOUNDS_NO_POE: Trust.EXPIRED,
    SubIndication.NOT_YET_VALID: Trust.EXPIRED,
}


def _explain(error: Exception) -> Standing:
    """Why a path does not stand (EN 319 102-1, 5.2.6)."""
    own = isinstance(error, PathValidationError) and error.is_ee_cert and not error.is_side_validation
    if isinstance(error, RevokedError) and not error.is_side_validation:
        cause = SubIndication.REVOKED_NO_POE if own else SubIndication.REVOKED_CA_NO_POE
        return Standing(cause, error.revocation_dt)
    if isinstance(error, ExpiredError):
        # An issuer that ended bounds its certificates as their own end does.
        return Standing(SubIndication.OUT_OF_BOUNDS_NO_POE, error.expired_dt)
    if isinstance(error, NotYetValidError):
        return Standing(SubIndication.NOT_YET_VALID, error.valid_from)
    if isinstance(error, InvalidCertificateError):
        return Standing(SubIndication.CHAIN_CONSTRAINTS_FAILURE)
    if isinstance(error, PathError):
        return Standing(SubIndication.NO_CERTIFICATE_CHAIN_FOUND)
    return Standing(SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE)


def _judge_revocation(path: tuple[bytes, ...], material: Material, moment: datetime) -> Standing:
    """The library lets silence pass; here every member of the path below its anchor is asked about."""
    reaches = []
    for number, (own, above) in enumerate(itertools.pairwise(path)):
        if own in material.anchors:
            break
        certificate, issuer = load_certificate(own), load_certificate(above)
        if certificate is None or issuer is None or needs_no_revocation(certificate):
            continue
        told = list(statuses(certificate, issuer, material.known))
        revoked = _revoked_by(told, moment)
        if revoked is not None:
            return Standing(SubIndication.REVOKED_CA_NO_POE if number else SubIndication.REVOKED_NO_POE, revoked, path)
        # An authority may leave out what has ended, so an answer from after the end says nothing.
        ends = [status.fresh_until + _TOLERANCE for status in told if status.since <= certificate.not_valid_after_utc]
        reaches.append((Certificate.load(own).subject.human_friendly, max(ends, default=None)))
    return Standing(None, None, path, tuple(reaches))


def _revoked_by(told: Sequence[Status], moment: datetime) -> datetime | None:
    times = [status.revoked_at for status in told if status.revoked_at is not None and status.revoked_at <= moment]
    return min(times, default=None)


def _load_all(kind: Any, ders: Iterable[bytes]) -> list[Any]:
    """Parse what can be parsed; a damaged entry proves nothing and harms nothing."""
    return [value for value in (_load(kind, der) for der in ders) if value is not None]


def _leads_on(certificate: Certificate) -> bool:
    """Whether a path or an answer may rest on it; the certificates of 50 other signers only take time."""
    usage = certificate.extended_key_usage_value
    return bool(certificate.ca) or (usage is not None and "ocsp_signing" in usage.native)


@functools.lru_cache(4096)
def _serials(der: bytes) -> frozenset[int]:
    """Serial numbers that an OCSP answer speaks of, none when it cannot be read."""
    response = _load(OCSPResponse, der)
    try:
        singles = response.response_data["responses"] if response is not None else ()
        return frozenset(single["cert_id"]["serial_number"].native for single in singles)
    except (ValueError, TypeError, KeyError, AttributeError):
        return frozenset()


@functools.lru_cache(4096)
def _load(kind: Any, der: bytes) -> Any:
    """The same few come up for every signature of a file."""
    try:
        value = kind.load(der, strict=True)
        _ = value.native
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    return value
