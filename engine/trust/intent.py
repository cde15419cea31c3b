"""Intent (意愿认证): what a party agreed to, bound to the bytes; it records what a vendor told us, no thoughts.

A proof names the base revision: the bytes of the document before the first signature that was made with a proof.
Bound to these, it outlives the signatures of the other parties. Its digest is a signed attribute of the CMS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import msgspec
from asn1crypto import cms, core

from engine.canonical import canonical_json
from engine.errors import Defect, Misuse, Rejected

INTENT_ATTRIBUTE = "2.25.43946936832824894191288618191457497823"
"""Signed attribute: one OCTET STRING, the SHA-256 of the proof's canonical JSON.

The arc is the UUID 210fdf45-f235-4f59-8ff6-efaed7e632df under 2.25 (ITU-T X.667), where nobody has to ask for one.
"""
BASE = "base"
"""Fact: the base revision of a run, set by its first stage that signs."""
SIGNING = "sign"
"""Purpose: to sign the document."""
UNATTENDED = "unattended"
"""Factor: nobody was asked; whoever submitted the run ordered the signature."""
UNATTENDED_VENDOR = "sealflow"


class BaseRevision(msgspec.Struct, frozen=True):
    """The frozen document (基准版本) that parties agree to: SHA-256 in hex and size in bytes, both from its start."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a token is good for: this document, this party, this purpose."""

    base: BaseRevision
    party: str
    purpose: str = SIGNING


@dataclass(frozen=True, slots=True)
class Check:
    """What an identity vendor vouches for: by which ``factor`` (face, sms, password …) the party was recognised."""

    factor: str
    vendor: str
    reference: str
    passed_at: datetime | None = None
    """None: at the moment the token is issued."""


class IntentProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token and all that it stands for; ``token`` is 128 random bits in hex, times are UTC.

    ``document`` and ``size``: SHA-256 and length of the base revision, so that ``head -c SIZE FILE | sha256sum``
    checks it. ``reference``: what the vendor calls the check.
    """

    version: int = 1
    token: str
    document: str
    size: int
    party: str
    purpose: str
    factor: str
    vendor: str
    reference: str
    passed_at: datetime
    issued_at: datetime
    expires_at: datetime

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(canonical_json(self.to_dict())).digest()

    def to_dict(self) -> dict[str, Any]:
        """JSON values; what is kept, handed out and digested."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def read_proof(record: object) -> IntentProof:
    """Inverse of ``IntentProof.to_dict``; raises Rejected ``intent.malformed`` for anything it would not have given."""
    try:
        proof = msgspec.convert(record, IntentProof, strict=True)
    except msgspec.ValidationError as error:
        raise _malformed(str(error)) from error
    if proof.to_dict() != record:
        raise _malformed("not in the form that is digested")
    return proof


class Intents(Protocol):
    """Keeps intent tokens (意愿凭证); each is redeemed by one act."""

    async def issue(
        self, agreement: Agreement, check: Check, lifetime: timedelta, run_id: UUID | None = None
    ) -> IntentProof:
        """Give a new token, after a vendor said yes; good for one act within ``lifetime``."""
        ...

    async def redeem(self, token: str, act: str, agreement: Agreement) -> IntentProof:
        """Use a token for the act of this effect key; the same act gets the same proof again, however late.

        Raises Rejected ``intent.unknown``, ``.wrong_document``, ``.wrong_party``, ``.wrong_purpose``, ``.used`` or
        ``.expired``, Defect ``intent.replaced`` when the act has another token.
        """
        ...

    async def attest(self, act: str, agreement: Agreement, reference: str) -> IntentProof:
        """The one proof of an act nobody was asked about; says honestly that it is ``unattended``.

        Raises Misuse ``intent.unattended`` where this party may not sign so.
        """
        ...


def make_proof(token: str, agreement: Agreement, check: Check, now: datetime, lifetime: timedelta) -> IntentProof:
    """Fill in a proof; raises Misuse ``intent.incomplete`` for empty words and a check that lies in the future."""
    words = {"party": agreement.party, "factor": check.factor, "vendor": check.vendor, "reference": check.reference}
    passed_at = now if check.passed_at is None else check.passed_at.astimezone(UTC)
    for name, word in words.items():
        if not word.strip() or not word.isprintable():
            raise _incomplete(name)
    if passed_at > now + timedelta(minutes=5):  # the vendor's clock and ours
        raise _incomplete("passed_at")
    return IntentProof(
        token=token,
        document=agreement.base.digest,
        size=agreement.base.size,
        party=agreement.party,
        purpose=agreement.purpose,
        factor=check.factor,
        vendor=check.vendor,
        reference=check.reference,
        passed_at=passed_at,
        issued_at=now,
        expires_at=now + lifetime,
    )


def refuse_other(record: Mapping[str, Any] | IntentProof, agreement: Agreement) -> None:
    """Raise Rejected unless a token's proof is about this agreement."""
    proof = record if isinstance(record, IntentProof) else read_proof(record)
    if proof.document != agreement.base.digest:
        raise Rejected(
            "intent.wrong_document",
            zh=f"{agreement.party} 的意愿凭证属于另一份文件，不能用于本文件。请就本文件重新认证。",
            en=f"The intent token of {agreement.party} belongs to another document. Ask the party about this one.",
            party=agreement.party,
        )
    if proof.party != agreement.party:
        raise Rejected(
            "intent.wrong_party",
            zh=f"意愿凭证属于 {proof.party}，不能由 {agreement.party} 使用。请让 {agreement.party} 本人认证。",
            en=f"The intent token belongs to {proof.party} and is no good for {agreement.party}. "
            f"Ask {agreement.party} in person.",
            party=agreement.party,
        )
    if proof.purpose != agreement.purpose:
        raise Rejected(
            "intent.wrong_purpose",
            zh=f"意愿凭证的用途是 {proof.purpose}，不是 {agreement.purpose}。请为此用途重新认证。",
            en=f"The intent token is for the purpose {proof.purpose}, not {agreement.purpose}. Ask the party again.",
            party=agreement.party,
        )


def unknown_token(party: str) -> Rejected:
    """The error for a token nobody issued."""
    return Rejected(
        "intent.unknown",
        zh=f"{party} 的意愿凭证不存在。请重新认证以取得凭证。",
        en=f"There is no such intent token of {party}. Ask the party again to get one.",
        party=party,
    )


def used_token(party: str) -> Rejected:
    """The error for a token that another act used up."""
    return Rejected(
        "intent.used",
        zh=f"{party} 的意愿凭证已经用于另一次签署，每个凭证只能用一次。请重新认证。",
        en=f"The intent token of {party} was used by another act; each is good for one. Ask the party again.",
        party=party,
    )


def expired_token(party: str, proof: IntentProof) -> Rejected:
    """The error for a token whose time ran out before it was used."""
    until = proof.expires_at.isoformat(timespec="seconds")
    return Rejected(
        "intent.expired",
        zh=f"{party} 的意愿凭证已于 {until} 过期。请重新认证。",
        en=f"The intent token of {party} expired at {until}. Ask the party again.",
        party=party,
        expired_at=until,
    )


def replaced_proof(party: str) -> Defect:
    """The error for an act that has a proof already and is given another."""
    return Defect(
        "intent.replaced",
        zh=f"{party} 的签署开始后，意愿证明被更换。请将错误编号交给维护人员。",
        en=f"The intent proof of {party} was replaced after signing began. Give this code to support.",
        party=party,
    )


def refuse_unattended(party: str, allowed: frozenset[str] | None) -> None:
    """Raise Misuse unless a party may sign without being asked; None allows everybody."""
    if allowed is not None and party not in allowed:
        raise Misuse(
            "intent.unattended",
            zh=f'生产环境中，{party} 不得在无人确认的情况下签署。请在流程中设 consent = "required"，'
            "或将其列入设置 trust.unattended。",
            en=f'In production {party} may not sign unattended. Set consent = "required" in the pipeline, '
            "or list the party in the setting trust.unattended.",
            party=party,
        )


def find_intent(info: cms.SignerInfo) -> str | None:
    """Digest of the proof that a signature names, in hex; None for a signature without one."""
    attributes = info["signed_attrs"]
    found = [
        attribute["values"]
        for attribute in (() if attributes is core.VOID else attributes)
        if attribute["type"].dotted == INTENT_ATTRIBUTE
    ]
    try:
        (values,) = found
        (value,) = values
        digest = value.parse(core.OctetString).native
    except (ValueError, TypeError, AttributeError):
        return None
    return digest.hex() if len(digest) == hashlib.sha256().digest_size else None


def _malformed(why: str) -> Rejected:
    return Rejected(
        "intent.malformed",
        zh=f"意愿证明的内容不符合格式（{why}）。请提供原始的 JSON。",
        en=f"The intent proof is malformed ({why}). Hand in the original JSON.",
    )


def _incomplete(what: str) -> Misuse:
    return Misuse(
        "intent.incomplete",
        zh=f"意愿认证的 {what} 缺失或有误。请补充后重试。",
        en=f"The {what} of the intent check is missing or wrong. Complete it and try again.",
        key=what,
    )
