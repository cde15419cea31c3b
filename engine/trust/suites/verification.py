"""Verifies signatures of every suite: for paths and CMS behind the validator's interface, SM2 also by itself."""

from __future__ import annotations

import functools

from asn1crypto.algos import SignedDigestAlgorithm
from asn1crypto.keys import PublicKeyInfo
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko_certvalidator import context as validation_contexts
from pyhanko_certvalidator.errors import AlgorithmNotSupported
from pyhanko_certvalidator.sig_validate import (
    DEFAULT_VALIDATION_CONTEXT,
    DefaultSignatureValidator,
    SignatureValidationContext,
)

from engine.trust.suites import sm2
from engine.trust.suites.identifiers import SM2_SIGNATURE, SM2_WITH_SM3
from engine.trust.suites.libcrypto import NoSm2

_SM2 = frozenset({SM2_WITH_SM3, SM2_SIGNATURE})


class SuiteValidator(DefaultSignatureValidator):
    """The path validator's own, and SM2."""

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: PublicKeyInfo,
        signature_algorithm: SignedDigestAlgorithm,
        context: SignatureValidationContext = DEFAULT_VALIDATION_CONTEXT,
    ) -> None:
        """Raise InvalidSignature, or AlgorithmNotSupported when nobody here can tell."""
        if signature_algorithm["algorithm"].dotted not in _SM2:
            try:
                super().validate_signature(signature, signed_data, public_key_info, signature_algorithm, context)
            except UnsupportedAlgorithm as error:  # such as the curve of the key
                raise AlgorithmNotSupported(str(error)) from error
            return
        if context.prehashed:
            raise AlgorithmNotSupported("SM2 signs the data itself, not its digest")
        try:
            held = sm2.verify(public_key_info, signature, signed_data)
        except NoSm2 as error:
            raise AlgorithmNotSupported("SM2 needs OpenSSL 3 (libcrypto) on this machine") from error
        except ValueError:
            held = False
        if not held:
            raise InvalidSignature


# The library makes a context of its own for each OCSP responder and forgets whose validator it was given.
vars(validation_contexts)["DefaultSignatureValidator"] = SuiteValidator


def public_key_of(certificate: x509.Certificate) -> PublicKeyInfo:
    """The public key of a certificate, also one whose algorithm ``cryptography`` does not know."""
    return _public_key(certificate.public_bytes(Encoding.DER))


@functools.lru_cache(256)
def _public_key(certificate: bytes) -> PublicKeyInfo:
    return Certificate.load(certificate).public_key


def is_sm2(algorithm: x509.ObjectIdentifier) -> bool:
    """Whether a signature algorithm is SM2."""
    return algorithm.dotted_string in _SM2


def verify_sm2(signer: x509.Certificate, signature: bytes, data: bytes) -> None:
    """Raise InvalidSignature unless the signer's SM2 key signed the data; ValueError when nobody here can tell."""
    try:
        held = sm2.verify(public_key_of(signer), signature, data)
    except NoSm2 as error:
        raise ValueError("no SM2 on this machine") from error
    if not held:
        raise InvalidSignature
