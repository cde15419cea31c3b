"""Which signature algorithm goes with a certificate's key, what it signs of data, and whether it made a value."""

from __future__ import annotations

from asn1crypto import algos
from asn1crypto.x509 import Certificate
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from engine.errors import Misuse
from engine.trust.suites import sm2
from engine.trust.suites.digests import digest_bytes

_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_PSS_FROM_BITS = 3000
"""TS 119 312: RSASSA-PSS from 3000 bits has no end date; PKCS#1 v1.5 ends with 2028 at any size."""
_LEAST_BITS = {"rsa": 2048, "rsassa_pss": 2048, "ec": 256}


def digest_of_name(name: str) -> hashes.HashAlgorithm:
    """Raises Misuse ``keys.digest`` for what is none of sha256, sha384, sha512."""
    try:
        return _DIGESTS[name]()
    except KeyError:
        raise Misuse(
            "keys.digest",
            zh=f"不支持摘要算法“{name}”，请改用：{'、'.join(_DIGESTS)}。",
            en=f"The digest algorithm “{name}” is not supported; use one of {', '.join(_DIGESTS)}.",
            digest=name,
        ) from None


def is_strong(certificate: Certificate) -> bool:
    """RSA from 2048 bits or an elliptic curve from 256."""
    key = certificate.public_key
    return int(key.bit_size) >= _LEAST_BITS.get(key.algorithm, 1 << 30)


def is_elliptic(certificate: Certificate) -> bool:
    """Whether its signatures are two numbers: ECDSA or SM2."""
    return bool(certificate.public_key.algorithm == "ec")


def uses_pss(certificate: Certificate) -> bool:
    """Whether its RSA signatures are padded by PSS."""
    key = certificate.public_key
    return bool(key.algorithm == "rsassa_pss" or (key.algorithm == "rsa" and key.bit_size >= _PSS_FROM_BITS))


def digest_for(certificate: Certificate) -> str:
    """What signatures of its key rest on."""
    return "sm3" if sm2.is_sm2(certificate.public_key) else "sha256"


def hash_for(certificate: Certificate, data: bytes, digest_algorithm: str) -> bytes:
    """What the key signs of the data: their digest, for SM2 one over its identity too."""
    if sm2.is_sm2(certificate.public_key):
        return sm2.digest(certificate.public_key, data)
    return digest_bytes(digest_algorithm, data)


def mechanism_for(certificate: Certificate, digest_algorithm: str) -> algos.SignedDigestAlgorithm:
    """The CMS ``signatureAlgorithm`` (RFC 5754, RFC 4056) of a signature that a certificate's key makes."""
    if sm2.is_sm2(certificate.public_key):
        return algos.SignedDigestAlgorithm({"algorithm": "sm2_sm3"})
    digest = digest_of_name(digest_algorithm)
    if is_elliptic(certificate):
        return algos.SignedDigestAlgorithm({"algorithm": f"{digest_algorithm}_ecdsa"})
    if not uses_pss(certificate):
        return algos.SignedDigestAlgorithm({"algorithm": f"{digest_algorithm}_rsa"})
    hash_algorithm = algos.DigestAlgorithm({"algorithm": digest_algorithm})
    parameters = algos.RSASSAPSSParams(
        {
            "hash_algorithm": hash_algorithm,
            "mask_gen_algorithm": algos.MaskGenAlgorithm({"algorithm": "mgf1", "parameters": hash_algorithm}),
            "salt_length": digest.digest_size,
        }
    )
    return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": parameters})


def padding_for(certificate: Certificate, digest: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
    """How an RSA signature is padded."""
    return padding.PSS(padding.MGF1(digest), digest.digest_size) if uses_pss(certificate) else padding.PKCS1v15()


def is_signature(certificate: Certificate, signature: bytes, data: bytes, digest_algorithm: str) -> bool:
    """Whether the certificate's key made this signature over the data with the mechanism that goes with it."""
    if sm2.is_sm2(certificate.public_key):
        return sm2.verify(certificate.public_key, signature, data)
    key, digest = load_der_public_key(certificate.public_key.dump()), digest_of_name(digest_algorithm)
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding_for(certificate, digest), digest)
        else:
            return False
    except InvalidSignature:
        return False
    return True
