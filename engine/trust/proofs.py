"""Checks what a CMS really proves about bytes; whose key it was is another question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asn1crypto import cms, core, tsp
from asn1crypto.algos import SignedDigestAlgorithm, SignedDigestAlgorithmId
from asn1crypto.keys import PublicKeyInfo
from asn1crypto.x509 import Certificate
from pyhanko.sign.general import CMSExtractionError, extract_certificate_info, extract_signer_info
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import get_signing_cert_attr, validate_sig_integrity
from pyhanko.sign.validation.utils import CMSAlgorithmUsagePolicy
from pyhanko_certvalidator.errors import AlgorithmNotSupported
from pyhanko_certvalidator.policy_decl import DisallowWeakAlgorithmsPolicy
from pyhanko_certvalidator.sig_validate import DEFAULT_VALIDATION_CONTEXT, SignatureValidationContext

from engine.trust.chains import denies_itself, load_certificate
from engine.trust.suites.digests import digest_bytes
from engine.trust.suites.verification import SuiteValidator
from engine.trust.verdict import Finding, Integrity

_DIGESTS = frozenset({"sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "sm3"})
"""MD5 is missing on purpose: whoever can make two files with one digest can swap them."""


_SIGNATURE_ALGORITHMS = frozenset(SignedDigestAlgorithmId._map)
_WITH_FIXED_DIGESTS = frozenset({"ed25519", "ed448", "mldsa44", "mldsa65", "mldsa87"})
_VERSIONS = {"v1", "v3", "v4", "v5"}
_POLICY = CMSAlgorithmUsagePolicy.lift_policy(DisallowWeakAlgorithmsPolicy())


class Doubt(Exception):
    """The signature is not simply good: how bad it is, and why."""

    def __init__(self, integrity: Integrity, finding: Finding) -> None:
        super().__init__(finding.en)
        self.integrity = integrity
        self.finding = finding


@dataclass(frozen=True)
class Proof:
    """A CMS that fits: who signed it and with what."""

    signer: Certificate
    others: tuple[Certificate, ...]
    info: cms.SignerInfo
    algorithm: str
    names_signer: bool
    """A signing-certificate attribute binds the certificate, as PAdES wants."""


def check_signature(
    signed: cms.SignedData, content_type: str, digest_of: Callable[[str], bytes], *, bare: bool = False
) -> Proof:
    """Check that the only signer signed the content with the given digest; raises Doubt.

    ``digest_of(name)`` gives the digest of the signed bytes by an algorithm of ours. ``bare``: signed attributes may
    be missing, as in formats older than the message digest attribute.
    """
    try:
        info = extract_signer_info(signed)
        try:
            found = extract_certificate_info(signed)
        except CMSExtractionError as error:
            raise _no_certificate() from error
        digest_name = str(info["digest_algorithm"]["algorithm"].native)
        signature_name = str(info["signature_algorithm"]["algorithm"].native)
        if digest_name in _SIGNATURE_ALGORITHMS:
            raise ValueError(f"{digest_name} is no digest algorithm")
        if digest_name not in _DIGESTS:
            raise _unknown_algorithm(digest_name)
        _check_policy(info)
        attributes = info["signed_attrs"]
        if not bare and attributes is core.VOID:
            raise _doubt(
                "signature.no_message_digest",
                "签名没有消息摘要属性，无法证明它对应这些内容：签名无效。",
                "The signature has no message digest attribute; nothing ties it to the content, so it is invalid.",
            )
        intact, valid = validate_sig_integrity(
            info, found.signer_cert, content_type, digest_of(digest_name), sig_validator=_Validator()
        )
    except (CMSExtractionError, SignatureValidationError) as error:
        raise _malformed(error) from error
    except AlgorithmNotSupported as error:
        raise _unknown_algorithm(str(error)) from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise _malformed(error) from error
    if not intact:
        raise _doubt(
            "signature.digest",
            "文件内容与签名时不一致：签名保护的内容已被改动。",
            "The content is not what was signed: protected bytes were changed.",
        )
    if not valid:
        raise _doubt(
            "signature.value",
            "签名值与签名证书不匹配：签名无效。",
            "The signature value does not fit the certificate: the signature is invalid.",
        )
    _check_frame(signed, info, content_type, digest_name)
    _check_certificates(found.other_certs)
    names_signer = attributes is not core.VOID and get_signing_cert_attr(attributes) is not None
    algorithm = f"{signature_name} / {digest_name}"
    return Proof(found.signer_cert, tuple(found.other_certs), info, algorithm, names_signer)


def check_token(signed: cms.SignedData, digest_of: Callable[[str], bytes]) -> tuple[Proof, tsp.TSTInfo]:
    """Check that a TimeStampToken (RFC 3161) stamps the bytes with the given digest; raises Doubt."""
    try:
        content = signed["encap_content_info"]["content"]
        stamped = content.parsed
        if not isinstance(stamped, tsp.TSTInfo):
            raise TypeError("no TSTInfo")
        imprint = stamped["message_imprint"]
        name = str(imprint["hash_algorithm"]["algorithm"].native)
        expected = imprint["hashed_message"].native
        _ = stamped["gen_time"].native
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _malformed(error) from error
    if name not in _DIGESTS:
        raise _unknown_algorithm(name)
    if digest_of(name) != expected:
        raise _doubt(
            "timestamp.imprint",
            "时间戳对应的不是这些内容：时间戳无效。",
            "The timestamp belongs to other bytes: it is invalid.",
        )
    body = content.contents
    return check_signature(signed, "tst_info", lambda digest: digest_bytes(digest, body)), stamped


class _Validator(SuiteValidator):
    """Keeps "we cannot check this" apart from "this is wrong", which the library lets look alike."""

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: PublicKeyInfo,
        signature_algorithm: SignedDigestAlgorithm,
        context: SignatureValidationContext = DEFAULT_VALIDATION_CONTEXT,
    ) -> None:
        try:
            super().validate_signature(signature, signed_data, public_key_info, signature_algorithm, context)
        except AlgorithmNotSupported as error:
            raise _unknown_algorithm(str(error)) from error


def _check_frame(signed: cms.SignedData, info: cms.SignerInfo, content_type: str, digest_name: str) -> None:
    """Check what no signature covers against what one covers, so that not even this can be altered unnoticed."""
    named = {str(algorithm["algorithm"].native) for algorithm in signed["digest_algorithms"]}
    if (
        str(signed["version"].native) not in _VERSIONS
        or str(info["version"].native) not in _VERSIONS
        or str(signed["encap_content_info"]["content_type"].native) != content_type
        or digest_name not in named
    ):
        raise _doubt(
            "signature.frame",
            "签名数据的外层字段与签名不一致。",
            "The fields around the signature contradict it.",
            Integrity.INDETERMINATE,
        )


def _check_certificates(certificates: Sequence[Certificate]) -> None:
    """A root that does not fit its own key was damaged or swapped; the other certificates are judged by their path."""
    for certificate in certificates:
        loaded = load_certificate(certificate.dump())
        if loaded is None or denies_itself(loaded):
            raise _doubt(
                "signature.certificate",
                "签名所附的证书已损坏或被替换。",
                "A certificate that comes with the signature is damaged or was swapped.",
                Integrity.INDETERMINATE,
            )


def _check_policy(info: cms.SignerInfo) -> None:
    if str(info["signature_algorithm"]["algorithm"].native) not in _WITH_FIXED_DIGESTS:
        return
    allowed = _POLICY.digest_combination_allowed(info["signature_algorithm"], info["digest_algorithm"], None)
    if not allowed:
        raise _unknown_algorithm(allowed.failure_reason or "")


def _unknown_algorithm(what: str) -> Doubt:
    return _doubt(
        "signature.algorithm",
        f"签名算法无法识别或不被允许（{what}），无法判断签名是否有效。",
        f"The algorithm is unknown or not allowed ({what}); the signature cannot be judged.",
        Integrity.INDETERMINATE,
    )


def _no_certificate() -> Doubt:
    return _doubt(
        "signature.no_certificate",
        "签名没有附带签名人的证书，无法核对签名。",
        "The signature comes without its signer's certificate and cannot be checked.",
        Integrity.INDETERMINATE,
    )


def _malformed(error: Exception) -> Doubt:
    return _doubt(
        "signature.malformed",
        f"签名数据的格式不符合规范（{error}）。",
        f"The signature data is malformed ({error}).",
    )


def _doubt(code: str, zh: str, en: str, integrity: Integrity = Integrity.BROKEN) -> Doubt:
    return Doubt(integrity, Finding(code, zh, en))
