"""Checks an RFC 3161 reply before anybody relies on it; the authority's revocation status is not asked here.

The reply is parsed in this process: it is at most 64 KiB, pure Python reads it, and whatever the parser throws means
that the reply is refused. Path checks cost ten times the rest, so a path once trusted is kept until it ends.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from asn1crypto import cms, core, tsp
from asn1crypto.x509 import Certificate
from pyhanko.sign.general import extract_certificate_info, extract_signer_info
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import get_signing_cert_attr, validate_sig_integrity
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathError, ValidationError

from engine.trust.clock import Clock, system_clock
from engine.trust.suites.digests import digest_bytes
from engine.trust.suites.verification import SuiteValidator

REPLY_LIMIT = 65_536
"""Bytes; a token with a long chain and large keys has about 10 000."""
_CERTIFICATES_LIMIT = 10
"""Building paths through many certificates of one name takes exponential time."""
_DIGESTS = ("sha256", "sha384", "sha512", "sm3")


class UntrustedReply(Exception):
    """The authority answered, but not what RFC 3161 §2.4.2 asks for; ``reason`` is one stable word."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class RefusedRequest(Exception):
    """The authority said no, honestly: a PKIStatus other than granted."""


class _Response(core.Sequence):  # type: ignore[misc]  # asn1crypto publishes no types
    """TimeStampResp as RFC 3161 §2.4.2 has it; the library's own class chokes on a refusal, which carries no token."""

    _fields = [  # noqa: RUF012  # the library's way to describe a structure
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked of an authority: the digest, a nonce of 64 bits, and the policy if one is wanted."""

    digest: bytes
    algorithm: str
    nonce: int = field(default_factory=lambda: secrets.randbits(63) | 1 << 62)
    policy: str | None = None

    def encode(self) -> bytes:
        """DER TimeStampReq (RFC 3161 §2.4.1) that asks for the authority's certificates."""
        fields: dict[str, object] = {
            "version": "v1",
            "message_imprint": {"hash_algorithm": {"algorithm": self.algorithm}, "hashed_message": self.digest},
            "nonce": self.nonce,
            "cert_req": True,
        }
        if self.policy is not None:
            fields["req_policy"] = self.policy
        encoded: bytes = tsp.TimeStampReq(fields).dump()
        return encoded


class TokenCheck:
    """Accepts only tokens whose authority leads to one of the anchors; keeps the paths it has trusted."""

    def __init__(self, anchors: Sequence[Certificate], *, clock_bound: timedelta, clock: Clock = system_clock) -> None:
        self._anchors = list(anchors)
        self._clock_bound = clock_bound
        self._clock = clock
        self._trusted: dict[bytes, datetime] = {}
        """SHA-256 of the signer's and all sent certificates -> when the first certificate of the path ends."""

    async def accept(self, reply: bytes, question: Question, asked_at: datetime) -> bytes:
        """Return the DER TimeStampToken of a reply that just came in.

        Raises UntrustedReply or RefusedRequest; nothing else, whatever the bytes are.
        """
        answered_at = self._clock()
        try:
            token, signer = _check_reply(reply, question)
            _check_time(token, asked_at - self._clock_bound, answered_at + self._clock_bound)
            await self._check_path(signer, token, answered_at)
            return bytes(token.dump())
        except (UntrustedReply, RefusedRequest):
            raise
        except Exception as error:  # the parser is lazy: bad bytes surface anywhere, as anything
            raise UntrustedReply("malformed", f"{type(error).__name__}: {error}") from error

    async def _check_path(self, signer: Certificate, token: cms.ContentInfo, now: datetime) -> None:
        fingerprint = hashlib.sha256(signer.dump() + token["content"]["certificates"].dump()).digest()
        trusted_until = self._trusted.get(fingerprint)
        if trusted_until is not None and now <= trusted_until:
            return
        _check_usage(signer)
        context = ValidationContext(
            trust_roots=self._anchors,
            other_certs=[choice.chosen for choice in token["content"]["certificates"]],
            moment=now,
            allow_fetching=False,
            revocation_mode="soft-fail",
            signature_validator=SuiteValidator(),
        )
        try:
            path = await CertificateValidator(signer, validation_context=context).async_validate_path()
        except (PathError, ValidationError) as error:
            raise UntrustedReply("chain", str(error)) from error
        # the signer's own end counts too: when it is an anchor itself, the path is empty and nobody looked
        ends: datetime = min(link.not_valid_after for link in (signer, *path.iter_certs(include_root=False)))
        if now > ends:
            raise UntrustedReply("chain", f"its certificate ended {ends.isoformat()}")
        self._trusted[fingerprint] = ends


def _check_usage(signer: Certificate) -> None:
    purposes, usage = signer.extended_key_usage_value, signer.key_usage_value
    if (
        purposes is None
        or purposes.native != ["time_stamping"]
        or "extended_key_usage" not in signer.critical_extensions
        or (usage is not None and not usage.native & {"digital_signature", "non_repudiation"})
    ):
        raise UntrustedReply("usage", "its certificate is not for timestamps alone, marked critical (RFC 3161 §2.3)")


def _check_reply(reply: bytes, question: Question) -> tuple[cms.ContentInfo, Certificate]:
    """Everything but time and path; returns the token and the certificate whose key signed it."""
    response = _Response.load(reply, strict=True)
    status = response["status"]["status"].native
    if status not in ("granted", "granted_with_mods"):
        failure = response["status"]["fail_info"].native
        raise RefusedRequest(f"{status} {', '.join(sorted(failure)) if failure else ''}".strip())
    token = response["time_stamp_token"]
    content = token["content"]["encap_content_info"]
    info = content["content"].parsed  # any other content type has no such fields and ends as malformed
    imprint = info["message_imprint"]
    if imprint["hash_algorithm"]["algorithm"].native != question.algorithm or not hmac.compare_digest(
        imprint["hashed_message"].native, question.digest
    ):
        raise UntrustedReply("imprint", "it stamped something else than what was asked")
    if info["nonce"].native != question.nonce:
        raise UntrustedReply("nonce", "the answer belongs to another question")
    if question.policy is not None and info["policy"].dotted != question.policy:
        raise UntrustedReply("policy", f"stamped under {info['policy'].dotted}")
    return token, _check_signature(token["content"], bytes(content["content"]))


def _check_signature(signed: cms.SignedData, content: bytes) -> Certificate:
    if len(signed["certificates"]) > _CERTIFICATES_LIMIT:
        raise UntrustedReply("malformed", f"more than {_CERTIFICATES_LIMIT} certificates")
    signer_info = extract_signer_info(signed)  # refuses more than one signer
    signer = extract_certificate_info(signed).signer_cert
    algorithm = signer_info["digest_algorithm"]["algorithm"].native
    if algorithm not in _DIGESTS:
        raise UntrustedReply("signature", f"digest algorithm {algorithm}")
    if get_signing_cert_attr(signer_info["signed_attrs"]) is None:  # its value is compared just below
        raise UntrustedReply("signature", "the token does not name its signer's certificate (RFC 3161 §2.4.2)")
    digest = digest_bytes(algorithm, content)
    try:
        held = all(validate_sig_integrity(signer_info, signer, "tst_info", digest, sig_validator=SuiteValidator()))
    except SignatureValidationError as error:
        raise UntrustedReply("signature", error.failure_message) from error
    if not held:
        raise UntrustedReply("signature", "the token's signature does not hold")
    return signer


def _check_time(token: cms.ContentInfo, earliest: datetime, latest: datetime) -> None:
    stamped: datetime = token["content"]["encap_content_info"]["content"].parsed["gen_time"].native
    if not earliest <= stamped <= latest:
        raise UntrustedReply("time", f"it says {stamped.isoformat()}")
