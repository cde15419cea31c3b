"""Reads OCSP answers and revocation lists strictly: not signed by the right key, or not about us, is no answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from engine.trust.chains import issued_by
from engine.trust.suites.verification import is_sm2, public_key_of, verify_sm2

_SKEW = timedelta(minutes=5)
_WITHOUT_END = timedelta(hours=1)
"""How long an answer that names no next update is taken for fresh."""


@dataclass(frozen=True, slots=True)
class Status:
    """What an authority said of one certificate."""

    revoked_at: datetime | None
    since: datetime
    """Since when it is known to say so (thisUpdate)."""
    fresh_until: datetime
    responder: x509.Certificate | None = None
    """Who signed an OCSP answer in the issuer's place."""


def ask_about(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """DER of the OCSP request; names by SHA-1, which every responder understands (RFC 5019, 2.1.1)."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, SHA1())  # noqa: S303 - a name, no security
    return builder.build().public_bytes(Encoding.DER)


def read_ocsp(
    der: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime | None
) -> Status | None:
    """Give what the response says, or None when it is no valid answer about the certificate at ``now`` (RFC 6960, 3.2).

    ``now`` None: freshness is not asked, for responses kept in a document.
    """
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return None
        about = [single for single in response.responses if single.serial_number == certificate.serial_number]
        responder = _responder(response, issuer) if about else None
        for single in about:
            if not _names_issuer(single, issuer):
                continue
            until = single.next_update_utc or single.this_update_utc + _WITHOUT_END
            if now is not None and not single.this_update_utc - _SKEW <= now <= until + _SKEW:
                continue
            if single.certificate_status is ocsp.OCSPCertStatus.GOOD:
                return Status(None, single.this_update_utc, until, responder)
            if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
                revoked_at = single.revocation_time_utc or single.this_update_utc
                return Status(revoked_at, single.this_update_utc, until, responder)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return None
    return None


def read_list(
    der: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime | None
) -> Status | None:
    """As ``read_ocsp`` for a complete revocation list of the issuer (RFC 5280, 6.3); deltas are no answer."""
    try:
        found = x509.load_der_x509_crl(der)
        if found.issuer != certificate.issuer or not _signed_list(found, issuer):
            return None
        for extension in found.extensions:
            if isinstance(extension.value, x509.DeltaCRLIndicator):
                return None
            if isinstance(extension.value, x509.IssuingDistributionPoint) and _is_partial(extension.value):
                return None
        begin = found.last_update_utc
        until = found.next_update_utc or begin + _WITHOUT_END
        if now is not None and not begin - _SKEW <= now <= until + _SKEW:
            return None
        entry = found.get_revoked_certificate_by_serial_number(certificate.serial_number)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return Status(entry.revocation_date_utc if entry else None, begin, until)


def _signed_list(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    if is_sm2(found.signature_algorithm_oid):
        try:
            verify_sm2(issuer, found.signature, found.tbs_certlist_bytes)
        except InvalidSignature:
            return False
        return True
    key = issuer.public_key()
    return isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) and found.is_signature_valid(key)


def _is_partial(point: x509.IssuingDistributionPoint) -> bool:
    return bool(
        point.only_some_reasons
        or point.indirect_crl
        or point.only_contains_attribute_certs
        or point.only_contains_ca_certs
        or point.only_contains_user_certs
    )


def _names_issuer(single: ocsp.OCSPSingleResponse, issuer: x509.Certificate) -> bool:
    name = single.hash_algorithm.name
    key = bytes(public_key_of(issuer)["public_key"])
    subject = issuer.subject.public_bytes()
    return (
        single.issuer_key_hash == hashlib.new(name, key).digest()
        and single.issuer_name_hash == hashlib.new(name, subject).digest()
    )


def _responder(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> x509.Certificate | None:
    """Check who signed: the issuer itself (None) or somebody it delegated to; raises InvalidSignature otherwise."""
    try:
        _verify(response, issuer)
    except InvalidSignature:
        for candidate in response.certificates:
            if _may_answer(candidate) and issued_by(candidate, issuer):
                _verify(response, candidate)
                return candidate
        raise
    return None


def _may_answer(candidate: x509.Certificate) -> bool:
    try:
        usage = candidate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _verify(response: ocsp.OCSPResponse, signer: x509.Certificate) -> None:
    if is_sm2(response.signature_algorithm_oid):
        verify_sm2(signer, response.signature, response.tbs_response_bytes)
        return
    key, algorithm = signer.public_key(), response.signature_hash_algorithm
    if isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
        key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
        key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
    else:
        raise InvalidSignature
