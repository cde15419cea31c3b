"""Builds the CMS of a PAdES baseline signature: one signer, one digest algorithm, whatever mechanism the key has."""

from __future__ import annotations

from collections.abc import Sequence

from asn1crypto.x509 import Certificate

from engine.trust.der import element, identifier, integer, octets, sequence, set_of
from engine.trust.intent import INTENT_ATTRIBUTE
from engine.trust.suites.digests import DIGEST_IDENTIFIERS, digest_bytes

_DATA = identifier("1.2.840.113549.1.7.1")
_SIGNED_DATA = identifier("1.2.840.113549.1.7.2")
_CONTENT_TYPE = identifier("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = identifier("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE_V2 = identifier("1.2.840.113549.1.9.16.2.47")
_SIGNATURE_TIME_STAMP = identifier("1.2.840.113549.1.9.16.2.14")
_INTENT = identifier(INTENT_ATTRIBUTE)
_CONTENT_TYPE_IS_DATA = sequence(_CONTENT_TYPE, set_of(_DATA))


def signed_attributes(
    certificate: Certificate, document_digest: bytes, digest_algorithm: str = "sha256", intent: bytes | None = None
) -> bytes:
    """DER of the SET OF attributes that is signed (EN 319 122-1, 5; EN 319 142-1, 6.3).

    Holds content type, message digest and signing certificate v2. The signing time stands in the PDF's /M, because
    PAdES forbids it here. ``intent``: digest of the proof that the party wanted to sign.
    """
    fingerprint = octets(digest_bytes(digest_algorithm, certificate.dump()))
    hashed_by = b"" if digest_algorithm == "sha256" else _algorithm(digest_algorithm)  # DER leaves out a default
    essence = sequence(hashed_by, fingerprint, _issuer_and_serial(certificate, general=True))
    wanted = () if intent is None else (sequence(_INTENT, set_of(octets(intent))),)
    return set_of(
        _CONTENT_TYPE_IS_DATA,
        sequence(_MESSAGE_DIGEST, set_of(octets(document_digest))),
        sequence(_SIGNING_CERTIFICATE_V2, set_of(sequence(sequence(essence)))),
        *wanted,
    )


def signed_data(
    certificates: Sequence[Certificate],
    attributes: bytes,
    mechanism: bytes,
    signature: bytes,
    token: bytes | None,
    digest_algorithm: str = "sha256",
) -> bytes:
    """DER of the detached SignedData (RFC 5652, 5.1).

    The first certificate is the signer's; ``mechanism`` is the DER of its signatureAlgorithm; ``token`` is a
    TimeStampToken over the signature value (RFC 3161, appendix A).
    """
    signer = certificates[0]
    unsigned = b""
    if token is not None:
        unsigned = element(0xA1, sequence(_SIGNATURE_TIME_STAMP, set_of(token)))
    digest = _algorithm(digest_algorithm)
    info = sequence(
        integer(1),
        _issuer_and_serial(signer, general=False),
        digest,
        b"\xa0" + attributes[1:],  # signed as a SET, stored under the tag [0] (RFC 5652, 5.4)
        mechanism,
        octets(signature),
        unsigned,
    )
    content = sequence(
        integer(1),
        set_of(digest),
        sequence(_DATA),
        set_of(*{certificate.dump() for certificate in certificates}, tag=0xA0),
        set_of(info),
    )
    return sequence(_SIGNED_DATA, element(0xA0, content))


def _algorithm(digest_algorithm: str) -> bytes:
    return sequence(identifier(DIGEST_IDENTIFIERS[digest_algorithm]))


def _issuer_and_serial(certificate: Certificate, *, general: bool) -> bytes:
    """IssuerAndSerialNumber, or with ``general`` the IssuerSerial of RFC 5035 that wraps the name."""
    name = certificate.issuer.dump()
    if general:
        name = sequence(element(0xA4, name))
    return sequence(name, integer(certificate.serial_number))
