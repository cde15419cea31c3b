"""Gives what the library can make for P-256 only an SM2 signature; for the demo PKI, which needs no other fields."""

from __future__ import annotations

from typing import Any

from asn1crypto.algos import SignedDigestAlgorithm
from asn1crypto.core import ParsableOctetString
from asn1crypto.crl import CertificateList
from asn1crypto.keys import PublicKeyInfo
from asn1crypto.ocsp import OCSPResponse, ResponderId
from asn1crypto.x509 import Certificate

from engine.trust.suites.sm2 import Sm2PrivateKey

_ALGORITHM = SignedDigestAlgorithm({"algorithm": "sm2_sm3"})


def resign_certificate(der: bytes, subject: Sm2PrivateKey, issuer: Sm2PrivateKey) -> bytes:
    """The certificate for the subject's key, signed by the issuer's."""
    certificate = Certificate.load(der)
    content = certificate["tbs_certificate"]
    content["signature"] = _ALGORITHM
    content["subject_public_key_info"] = PublicKeyInfo.load(subject.public_info)
    certificate["signature_value"] = issuer.sign(content.dump(force=True))
    return _finish(certificate)


def resign_list(der: bytes, issuer: Sm2PrivateKey) -> bytes:
    """The revocation list, signed by the issuer's key."""
    revoked = CertificateList.load(der)
    revoked["tbs_cert_list"]["signature"] = _ALGORITHM
    revoked["signature"] = issuer.sign(revoked["tbs_cert_list"].dump(force=True))
    return _finish(revoked)


def resign_answer(der: bytes, certificate: bytes, responder: Sm2PrivateKey) -> bytes:
    """The OCSP answer in the name of the certificate, signed by the responder's key."""
    answer, own = OCSPResponse.load(der), Certificate.load(certificate)
    basic = answer["response_bytes"]["response"].parsed
    basic["certs"] = [own]
    basic["tbs_response_data"]["responder_id"] = ResponderId("by_key", own.public_key.sha1)
    basic["signature"] = responder.sign(basic["tbs_response_data"].dump(force=True))
    answer["response_bytes"]["response"] = ParsableOctetString(_finish(basic))
    encoded: bytes = answer.dump(force=True)
    return encoded


def _finish(signed: Any) -> bytes:
    signed["signature_algorithm"] = _ALGORITHM
    encoded: bytes = signed.dump(force=True)
    return encoded
