"""Issues RFC 3161 timestamp tokens from this machine's clock: for demonstrations, not evidence of time.

Everything that never changes is encoded once, so a token costs one signature and some joining of bytes.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from asn1crypto import cms, tsp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from engine.trust import der
from engine.trust.authority.certificates import Holder
from engine.trust.clock import Clock, system_clock
from engine.trust.suites.digests import digest_bytes

POLICY = "1.3.6.1.4.1.32473.3161.1"
"""Under the enterprise number kept for examples (RFC 5612)."""
_SIZES = {"sha256": 32, "sha384": 48, "sha512": 64, "sm3": 32}
_ACCURACY = der.sequence(der.integer(1))
"""Accuracy: one second."""


class TokenIssuer:
    """Answers TimeStampReq with TimeStampResp; one signature each, by the mechanism that suits the key.

    Serial numbers are 159 random bits: unique across restarts and processes without any record (RFC 3161 §2.4.2).
    """

    def __init__(
        self,
        holder: Holder,
        chain: Sequence[x509.Certificate] = (),
        *,
        clock: Clock = system_clock,
    ) -> None:
        own_der = holder.certificate.public_bytes(Encoding.DER)
        own = cms.Certificate.load(own_der)
        self._sign = holder.sign
        self._digest = holder.digest_algorithm
        self._clock = clock
        self._policy = der.identifier(POLICY)
        self._digest_algorithm: bytes = cms.DigestAlgorithm({"algorithm": self._digest}).dump()
        self._signature_algorithm: bytes = holder.mechanism.dump()
        self._signer: bytes = cms.IssuerAndSerialNumber(
            {"issuer": own.issuer, "serial_number": own.serial_number}
        ).dump()
        self._certificates = own_der + b"".join(link.public_bytes(Encoding.DER) for link in chain)
        self._content_type = _attribute("content_type", "tst_info")
        self._signing_certificate = _attribute(
            "signing_certificate_v2",
            tsp.SigningCertificateV2(
                {
                    "certs": [
                        {
                            "hash_algorithm": {"algorithm": self._digest},
                            "cert_hash": digest_bytes(self._digest, own_der),
                        }
                    ]
                }
            ),
        )
        self._digest_type: bytes = cms.CMSAttributeType("message_digest").dump()

    def answer(self, body: bytes) -> bytes:
        """DER TimeStampResp for a DER TimeStampReq; a request that cannot be served gets a rejection, never silence."""
        try:
            request = tsp.TimeStampReq.load(body, strict=True)
            imprint = request["message_imprint"]
            algorithm = imprint["hash_algorithm"]["algorithm"].native
            size = len(imprint["hashed_message"].native)
            nonce = request["nonce"].dump() if request["nonce"].native is not None else b""
            policy = request["req_policy"].native
            wants_certificates = bool(request["cert_req"].native)
            imprint_der = imprint.dump()
        except (ValueError, TypeError, KeyError):
            return _reject("bad_data_format")
        if algorithm not in _SIZES:
            return _reject("bad_alg")
        if size != _SIZES[algorithm]:
            return _reject("bad_data_format")
        if policy not in (None, POLICY):
            return _reject("unaccepted_policy")
        token = self._issue(imprint_der, nonce, wants_certificates)
        return der.sequence(der.sequence(der.integer(0)), token)

    def _issue(self, imprint: bytes, nonce: bytes, with_certificates: bool) -> bytes:
        serial = der.integer(secrets.randbits(159))
        info = der.sequence(
            der.integer(1), self._policy, imprint, serial, _encode_time(self._clock()), _ACCURACY, nonce
        )
        digest = der.set_of(der.octets(digest_bytes(self._digest, info)))
        attributes = (self._content_type, der.sequence(self._digest_type, digest), self._signing_certificate)
        signature = self._sign(der.set_of(*attributes))
        signer_info = der.sequence(
            der.integer(1),
            self._signer,
            self._digest_algorithm,
            der.set_of(*attributes, tag=0xA0),
            self._signature_algorithm,
            der.octets(signature),
        )
        signed_data = der.sequence(
            der.integer(3),
            der.set_of(self._digest_algorithm),
            der.sequence(_TST_INFO, der.element(0xA0, der.octets(info))),
            der.element(0xA0, self._certificates) if with_certificates else b"",
            der.set_of(signer_info),
        )
        return der.sequence(_SIGNED_DATA, der.element(0xA0, signed_data))


_TST_INFO: bytes = cms.ContentType("tst_info").dump()
_SIGNED_DATA: bytes = cms.ContentType("signed_data").dump()


def _attribute(kind: str, value: object) -> bytes:
    encoded: bytes = cms.CMSAttribute({"type": kind, "values": [value]}).dump()
    return encoded


def _encode_time(moment: datetime) -> bytes:
    """GeneralizedTime in milliseconds; DER forbids trailing zeros and a bare point (RFC 3161 §2.4.2)."""
    text = moment.astimezone(UTC).strftime("%Y%m%d%H%M%S.") + f"{moment.microsecond // 1000:03d}"
    return der.element(0x18, text.rstrip("0").rstrip(".").encode() + b"Z")


def _reject(failure: str) -> bytes:
    return der.sequence(tsp.PKIStatusInfo({"status": "rejection", "fail_info": {failure}}).dump())
