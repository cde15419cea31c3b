"""What ``sign`` and ``cosign`` share: the base revision, a party's word, and one signature in one field."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Literal

import msgspec

from engine.canonical import canonical_json
from engine.errors import Defect, Rejected
from engine.pdf import inspection, intake
from engine.pipeline.stage import Facts, Work
from engine.sandbox import Caller, Sandbox
from engine.stages.conformity import REWRITTEN
from engine.stages.inspect import require_clean
from engine.stages.seals import SealOption, prepare_seal
from engine.trust.archiving import archive_document
from engine.trust.holders import Holder, claim_key
from engine.trust.intent import BASE, Agreement, BaseRevision, IntentProof, Intents
from engine.trust.keys import KeyLost, Keyring
from engine.trust.permissions import FILLED
from engine.trust.preparation import SignatureOrder
from engine.trust.revisions import list_signers
from engine.trust.revocation import RevocationSource
from engine.trust.signing import Surroundings, sign_document, signing_act
from engine.trust.timestamps import TimestampClient
from engine.trust.validation import digest_of, examine
from engine.trust.verdict import SignatureVerdict

SOUND = "sound"
"""Fact: digest of a file whose signatures all stood when it was written; saves the next stage comparing revisions."""
SIGNERS = "signers"
"""Fact: the party of each key that signed the file, by the digest of the public key."""
READS = frozenset({SOUND, REWRITTEN, SIGNERS, "inspection", "values", BASE, "event:signed:*", "event:declined:*"})
Level = Literal["B-B", "B-T", "B-LT", "B-LTA"]
Consent = Literal["unattended", "required"]
Lock = tuple[str, ...] | Literal["filled"]


class HolderValues(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who the certificate must name (证书持有人), by names of values; ``number``: credit code or identity number."""

    value: str
    number: str | None = None


@dataclass(frozen=True, kw_only=True)
class Signature:
    """How one party (``as``, 签约方) signs one field."""

    as_: str
    field: str
    seal: SealOption = None
    reason: str | None = None
    location: str | None = None
    lock: Lock = ()
    certify: bool = False
    holder: str | HolderValues | None = None


@dataclass(frozen=True, slots=True)
class Office:
    """The services of the engine that signing takes."""

    sandbox: Sandbox
    keyring: Keyring
    timestamps: TimestampClient
    revocation: RevocationSource
    intents: Intents


async def freeze_base(work: Work) -> BaseRevision:
    """What the parties of this run agree to: the file as it was before the first of them signed."""
    if BASE in work.facts:
        return msgspec.convert(work.facts[BASE], BaseRevision)
    return BaseRevision(await digest_of(work.source), work.source.stat().st_size)


def has_come(work: Work, party: str) -> bool:
    """Whether the party said that it signs."""
    return f"event:signed:{party}" in work.facts


def refuse_declined(work: Work, parties: Iterable[str]) -> None:
    """Raise Rejected ``sign.declined`` when one of the parties said no."""
    for party in parties:
        event = work.facts.get(f"event:declined:{party}")
        if event is not None:
            reason = " ".join(str(event.get("reason") or "-").split())[:500]
            raise Rejected(
                "sign.declined",
                zh=f"{party} 拒绝签署：{reason}。如需继续，请修改后重新发起。",
                en=f"{party} declined to sign: {reason}. To go on, change the document and submit it anew.",
                party=party,
                reason=reason,
            )


async def take_word(
    office: Office, work: Work, party: str, base: BaseRevision, subject: str, consent: Consent
) -> IntentProof:
    """The proof that a party wants to sign; raises Rejected ``intent.*`` for a token that is no good."""
    act, agreement = signing_act(subject), Agreement(base, party)
    if consent == "unattended":
        return await office.intents.attest(act, agreement, work.subject)
    token = work.facts[f"event:signed:{party}"].get("token")
    return await office.intents.redeem(str(token), act, agreement)


async def sign_field(
    office: Office, work: Work, signature: Signature, level: Level, proof: IntentProof, subject: str
) -> tuple[Path, dict[str, Any]]:
    """Sign one field of ``work.source``; give the file and the facts that this adds."""
    source = work.source
    once, holder = work.ledger.once, _holder(signature, work.facts)
    order = SignatureOrder(
        field=signature.field,
        claimed=datetime.now(UTC).replace(microsecond=0),
        reserve=0,
        seal=await prepare_seal(signature.seal, work.facts, office.sandbox),
        reason=signature.reason,
        location=signature.location,
        sound=work.facts.get(SOUND) == await digest_of(source),
        lock=FILLED if signature.lock == "filled" else tuple(signature.lock),
        certify=signature.certify,
    )
    stamper = None if level == "B-B" else office.timestamps
    if not {SOUND, "inspection"} & work.facts.keys():
        await _inspect(office.sandbox, source)
    room = office.sandbox.lasting() if work.facts.get(REWRITTEN) else office.sandbox.child()
    async with room as child:
        for life in count():  # a one-time key that was lost is replaced, and all acts are of the new one
            mine = f"{subject}/{life}" if life else subject
            key = await office.keyring.key(signature.as_, once, mine, holder, canonical_json(proof.to_dict()))
            signers = claim_key(work.facts.get(SIGNERS, {}), key.certificate, signature.as_)
            if stamper is not None:
                stamper.require(key.digest_algorithm)
            around = Surroundings(child, work.storage, once, mine, work.workspace)
            try:
                output = await sign_document(source, work.workspace / "signed.pdf", order, key, stamper, around, proof)
            except KeyLost:
                continue
            break
        if level in ("B-LT", "B-LTA"):
            signed, output = output, work.workspace / "archived.pdf"
            await archive_document(signed, output, level, office.revocation, office.timestamps, around)
        verdict = await _examine(output, child, signature.field, level)
    return output, {
        "level_requested": level,
        "level_achieved": verdict.level,
        SOUND: await digest_of(output),
        SIGNERS: signers,
        f"intent:{signature.field}": proof.to_dict(),
        f"signature:{signature.field}": {
            "party": signature.as_,
            "signer": verdict.signer,
            "certificate": verdict.certificate,
            "level": verdict.level,
            "claimed_at": verdict.claimed_at.isoformat() if verdict.claimed_at else None,
            "stamped_at": min(stamp.at for stamp in verdict.stamps).isoformat() if verdict.stamps else None,
        },
    }


def _holder(signature: Signature, facts: Facts) -> Holder | None:
    if signature.holder is None or isinstance(signature.holder, str):
        return None if signature.holder is None else Holder(signature.holder)
    values, named = facts.get("values", {}), signature.holder
    found = [str(values.get(name) or "") for name in (named.value, named.number) if name]
    if not found[0].strip():
        raise Rejected(
            "sign.holder_value",
            zh=f"文件没有填写“{named.value}”，无法核对签约方“{signature.as_}”的证书属于谁。请补填。",
            en=f"The document has no value “{named.value}”, so nobody can tell whom the certificate of the "
            f"party “{signature.as_}” must name. Fill it in.",
            value=named.value,
        )
    return Holder(found[0], found[1] if len(found) > 1 else None)


async def _inspect(sandbox: Sandbox, source: Path) -> None:
    """Gate for a document nothing of ours has rewritten; one that others signed can only be taken or refused."""
    report = await sandbox.call(inspection.inspect, source, intake.PAGE_LIMIT)
    inspection.refuse(source.name, report)
    if not (await sandbox.call(list_signers, source)).chains:
        require_clean(source.name, report, accepted=frozenset({"form.fields"}))  # its own field is one


async def _examine(output: Path, child: Caller, field: str, level: Level) -> SignatureVerdict:
    """Read the level from what was written; a promise in the options proves nothing."""
    report = await examine(child, output, field if level in ("B-B", "B-T") else None, later=False)
    for verdict in report.signatures:
        if field in verdict.fields and verdict.level == level:
            return verdict
    raise Defect(
        "sign.level",
        zh=f"签名域“{field}”的签名未达到级别 {level}。请将错误编号和文件交给维护人员。",
        en=f"The signature in the field “{field}” does not prove level {level}. "
        "Give this code and the file to support.",
        field=field,
        requested=level,
    )
