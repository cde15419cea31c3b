"""Adds trust, times and level to signatures whose integrity is known; revocation is judged from what the file holds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from engine.trust.entries import Entry
from engine.trust.evidence import value_at
from engine.trust.levels import Holder, Sealing, baseline_level
from engine.trust.paths import Material, judge_path
from engine.trust.proofs import Proof
from engine.trust.verdict import Finding, Integrity, SignatureVerdict, Stamp, Trust

_PADES = "/ETSI.CAdES.detached"


@dataclass
class _Course:
    """What the newer part of the file has proven so far."""

    moment: datetime
    """Latest time at which everything older certainly existed."""
    above: list[tuple[Entry, Stamp]] = field(default_factory=list)
    """Intact document timestamps behind the signature at hand, oldest first."""


async def judge_entries(entries: list[Entry], material: Material, moment: datetime) -> tuple[SignatureVerdict, ...]:
    """Trust, newest first: what a trusted document timestamp covers is judged for the time that it proves."""
    verdicts: list[SignatureVerdict] = []
    course = _Course(moment)
    for entry in sorted(entries, key=lambda entry: entry.coverage.end, reverse=True):
        trust = Trust.UNTRUSTED if material.anchors else Trust.UNCHECKED
        stamps: tuple[Stamp, ...] = ()
        level = None
        try:
            if entry.proof is not None and entry.kind == "timestamp":
                trust, stamps = await _judge_timestamp(entry, entry.proof, material, course)
            elif entry.proof is not None:
                trust, stamps, level = await _judge_signature(entry, entry.proof, material, course)
            verdicts.append(_state(entry, trust, stamps, level))
        except Exception as error:  # certificates are foreign bytes too: what breaks their parser earns no trust
            why = str(error) or type(error).__name__
            entry.worsen(
                Integrity.INDETERMINATE,
                Finding("signature.certificate", f"证书无法读取（{why}）。", f"A certificate cannot be read ({why})."),
            )
            verdicts.append(_state_without_proof(entry, trust))
    return tuple(reversed(verdicts))


async def _judge_timestamp(
    entry: Entry, proof: Proof, material: Material, course: _Course
) -> tuple[Trust, tuple[Stamp, ...]]:
    trust = await judge_path(proof.signer, proof.others, material, course.moment, "time_stamping")
    if entry.stamped_at is None:
        return trust, ()
    stamp = Stamp(entry.stamped_at, proof.signer.subject.human_friendly, trust, "document")
    if entry.is_sound:
        course.above.insert(0, (entry, stamp))
        if trust is Trust.TRUSTED:
            course.moment = min(course.moment, entry.stamped_at)
    return trust, (stamp,)


async def _judge_signature(
    entry: Entry, proof: Proof, material: Material, course: _Course
) -> tuple[Trust, tuple[Stamp, ...], str | None]:
    moment = course.moment
    own: list[Stamp] = []
    for token, at in entry.stamps:
        believed = await judge_path(token.signer, token.others, material, course.moment, "time_stamping")
        own.append(Stamp(at, token.signer.subject.human_friendly, believed, "signature"))
        if believed is Trust.TRUSTED:
            moment = min(moment, at)
    trust = await judge_path(proof.signer, proof.others, material, moment, None)
    level = _level(entry, own, course.above, material)
    return trust, (*own, *(stamp for _, stamp in course.above)), level


def _level(entry: Entry, own: list[Stamp], above: list[tuple[Entry, Stamp]], material: Material) -> str | None:
    """Level from intact evidence; a stamp nobody trusts does not raise it once anchors are given."""
    proof, embedded = entry.proof, entry.embedded
    if proof is None or embedded is None or not entry.is_sound or not proof.names_signer:
        return None
    if str(value_at(embedded.sig_object, "/SubFilter")) != _PADES:
        return None
    counted = {Trust.TRUSTED} if material.anchors else {Trust.UNCHECKED}
    stamps = [_holder(token) for (token, _), stamp in zip(entry.stamps, own, strict=True) if stamp.trust in counted]
    sealings = [
        Sealing(_holder(seal.proof), stamp.at, seal.evidence)
        for seal, stamp in above
        if seal.proof is not None and stamp.trust in counted
    ]
    return baseline_level(_holder(proof), stamps, sealings, material.evidence, material.anchors)


def _holder(proof: Proof) -> Holder:
    return proof.signer.dump(), tuple(other.dump() for other in proof.others)


def _state(entry: Entry, trust: Trust, stamps: tuple[Stamp, ...], level: str | None) -> SignatureVerdict:
    proof, embedded = entry.proof, entry.embedded
    certificate = proof.signer if proof else None
    dictionary: Any = embedded.sig_object if embedded else {}
    return SignatureVerdict(
        kind=entry.kind,
        fields=tuple(str(name) for name in entry.fields),
        integrity=entry.integrity,
        trust=trust,
        findings=tuple(entry.findings),
        later_changes=tuple(entry.later),
        level=level,
        signer=certificate.subject.human_friendly if certificate else None,
        issuer=certificate.issuer.human_friendly if certificate else None,
        serial=f"{certificate.serial_number:x}" if certificate else None,
        certificate=hashlib.sha256(certificate.dump()).hexdigest() if certificate else None,
        algorithm=proof.algorithm if proof else None,
        claimed_at=_claimed_at(embedded),
        stamps=stamps,
        covered=entry.coverage.end,
        whole_file=entry.coverage.whole,
        reason=_text(dictionary, "/Reason"),
        location=_text(dictionary, "/Location"),
    )


def _state_without_proof(entry: Entry, trust: Trust) -> SignatureVerdict:
    return SignatureVerdict(
        kind=entry.kind,
        fields=tuple(entry.fields),
        integrity=entry.integrity,
        trust=trust,
        findings=tuple(entry.findings),
        later_changes=tuple(entry.later),
        covered=entry.coverage.end,
        whole_file=entry.coverage.whole,
    )


def _claimed_at(embedded: EmbeddedPdfSignature | None) -> datetime | None:
    try:
        claimed = embedded.self_reported_timestamp if embedded else None
    except Exception:  # a date nobody can read is no date
        return None
    return claimed if claimed is not None and claimed.tzinfo is not None else None


def _text(dictionary: Any, key: str) -> str | None:
    value = value_at(dictionary, key)
    return str(value)[:1000] if isinstance(value, str) else None
