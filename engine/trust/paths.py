"""Judges whether a certificate led to an anchor at a moment; asks no network, so a silent revocation stays unseen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asn1crypto.crl import CertificateList
from asn1crypto.ocsp import OCSPResponse
from asn1crypto.x509 import Certificate
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import (
    ExpiredError,
    NotYetValidError,
    PathError,
    RevokedError,
    ValidationError,
)

from engine.trust.evidence import Evidence
from engine.trust.verdict import Trust

_TOLERANCE = timedelta(seconds=60)
_NEVER = frozenset({"md2", "md5"})
"""What no path may rest on; old roots and archives still carry SHA-1, and the verdict names it."""


@dataclass(frozen=True)
class Material:
    """The anchors of whoever asks and what a file brings along."""

    anchors: tuple[bytes, ...]
    evidence: Evidence


async def judge_path(
    certificate: Certificate, others: Iterable[Certificate], material: Material, moment: datetime, purpose: str | None
) -> Trust:
    """Say whether the certificate led to an anchor at ``moment``; ``purpose`` is an extended key usage it must have."""
    if not material.anchors:
        return Trust.UNCHECKED
    context = ValidationContext(
        trust_roots=[Certificate.load(anchor) for anchor in material.anchors],
        other_certs=[*others, *_load_all(Certificate, material.evidence.certificates)],
        moment=moment,
        allow_fetching=False,
        crls=_load_all(CertificateList, material.evidence.crls),
        ocsps=_load_all(OCSPResponse, material.evidence.ocsps),
        revocation_mode="soft-fail",
        weak_hash_algos=_NEVER,
        time_tolerance=_TOLERANCE,
        retroactive_revinfo=True,
    )
    validator = CertificateValidator(certificate, validation_context=context)
    try:
        if purpose is None:
            await validator.async_validate_usage(set())
        else:
            await validator.async_validate_usage(set(), {purpose}, extended_optional=False)
    except RevokedError:
        return Trust.REVOKED
    except (ExpiredError, NotYetValidError):
        return Trust.EXPIRED
    except (PathError, ValidationError, ValueError, TypeError, KeyError):
        return Trust.UNTRUSTED
    return Trust.TRUSTED


def _load_all(kind: Any, ders: Iterable[bytes]) -> list[Any]:
    """Parse what can be parsed; a damaged entry proves nothing and harms nothing."""
    loaded = []
    for der in ders:
        try:
            value = kind.load(der, strict=True)
            _ = value.native
        except (ValueError, TypeError, KeyError, OverflowError):
            continue
        loaded.append(value)
    return loaded
