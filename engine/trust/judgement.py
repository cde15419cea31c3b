"""Adds trust, status, times and level to signatures whose integrity is known, from the evidence at hand alone."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import parser
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from engine.trust.chains import is_damaged, load_certificate
from engine.trust.entries import Entry
from engine.trust.evidence import value_at
from engine.trust.indications import Case, Indication, Standing, SubIndication, conclude, find_weaknesses
from engine.trust.intent import find_intent
from engine.trust.levels import Holder, Sealing, baseline_level
from engine.trust.paths import Material, judge_path, trust_of
from engine.trust.proofs import Proof
from engine.trust.verdict import Finding, Integrity, SignatureVerdict, Stamp, Trust

_PADES = "/ETSI.CAdES.detached"
_CLOCKS = timedelta(minutes=5)
"""By how much the clocks of two authorities may differ."""


@dataclass
class _Course:
    """What the newer part of the file has proven so far."""

    moment: datetime
    """Latest time at which everything older certainly existed."""
    unknown: tuple[str, ...] = ()
    """Certificates that this time rests on, and of which nobody says whether they were revoked."""
    above: list[tuple[Entry, Stamp]] = field(default_factory=list)
    """Intact document timestamps behind the signature at hand, oldest first."""
    known: dict[tuple[object, ...], Standing] = field(default_factory=dict)
    """Paths judged already: one authority stamps for all signers."""
    unproven: dict[tuple[bytes, ...], None] = field(default_factory=dict)
    """Paths with members of which nobody says whether they were revoked."""

    async def judge(
        self, proof: Proof, material: Material, moment: datetime, purpose: str | None, used_at: datetime
    ) -> Standing:
        """How the certificate stands at ``moment``; an answer about revocation must reach to ``used_at``.

        A timestamp is used when it is made: that its authority stood then is what counts, unless it is known to have
        been revoked since.
        """
        key = (proof.signer.dump(), *(other.dump() for other in proof.others), moment, purpose)
        if key not in self.known:
            self.known[key] = await judge_path(proof.signer, proof.others, material, moment, purpose)
        standing = self.known[key].at(used_at)
        if standing.unknown:
            self.unproven[standing.path] = None
        return standing


@dataclass
class _Judged:
    """One entry with what was found about its certificate and its times."""

    entry: Entry
    standing: Standing
    trust: Trust
    stamps: tuple[Stamp, ...] = ()
    behind: tuple[Stamp, ...] = ()
    """Document timestamps over this one."""
    level: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdicts in the order of the file, and the paths with members of which nobody says whether they were revoked."""

    verdicts: tuple[SignatureVerdict, ...]
    unproven: tuple[tuple[bytes, ...], ...]


async def judge_entries(entries: list[Entry], material: Material, moment: datetime) -> Judgement:
    """Trust, newest first: what a trusted document timestamp covers is judged for the time that it proves."""
    judged: list[_Judged] = []
    course = _Course(moment)
    for entry in sorted(entries, key=lambda entry: entry.coverage.end, reverse=True):
        found = _Judged(entry, Standing(), Trust.UNTRUSTED if material.anchors else Trust.UNCHECKED)
        try:
            if entry.proof is not None and entry.kind == "timestamp":
                await _judge_timestamp(found, entry.proof, material, course)
            elif entry.proof is not None:
                await _judge_signature(found, entry.proof, material, course)
            _tell_damage(entry, material)
            _state(found, None)  # whatever its names and dates hold, it is read here
        except Exception as error:  # certificates are foreign bytes too: what breaks their parser earns no trust
            why = str(error) or type(error).__name__
            finding = Finding(
                "signature.certificate", f"证书无法读取（{why}）。", f"A certificate cannot be read ({why})."
            )
            entry.worsen(Integrity.INDETERMINATE, finding)
            entry.proof = entry.embedded = None
            found = _Judged(entry, Standing(), found.trust)
        judged.append(found)
    verdicts = []
    begun_at = None
    for found in reversed(judged):
        verdicts.append(_state(found, begun_at))
        if found.entry.kind == "timestamp" and found.trust is Trust.TRUSTED and found.entry.is_sound:
            begun_at = max(begun_at or found.stamps[0].at, found.stamps[0].at)
    return Judgement(tuple(verdicts), tuple(course.unproven))


def _tell_damage(entry: Entry, material: Material) -> None:
    """Certificates beside a signature are covered by nothing; one that was damaged helps nobody, and is told."""
    proofs = [proof for proof in (entry.proof, *(token for token, _ in entry.stamps)) if proof is not None]
    beside = {other.dump() for proof in proofs for other in proof.others}
    loaded = {der: load_certificate(der) for der in (*beside, *material.anchors, *material.evidence.certificates)}
    pool = [certificate for certificate in loaded.values() if certificate is not None]
    if any(is_damaged(certificate, pool) for der, certificate in loaded.items() if certificate and der in beside):
        entry.findings.append(
            Finding(
                "signature.damaged_certificate",
                "签名旁附带的某张证书已损坏。签名本身不受影响，但可能因此缺少验证数据。",
                "A certificate that stands beside the signature is damaged. The signature itself is not affected, but "
                "data to verify it may be missing.",
            )
        )


async def _judge_timestamp(found: _Judged, proof: Proof, material: Material, course: _Course) -> None:
    entry = found.entry
    used_at = min(course.moment, entry.stamped_at or course.moment)
    found.standing = await course.judge(proof, material, course.moment, "time_stamping", used_at)
    found.trust = trust_of(found.standing, material)
    if entry.stamped_at is None:
        return
    stamp = Stamp(entry.stamped_at, proof.signer.subject.human_friendly, found.trust, "document")
    found.stamps, found.behind = (stamp,), tuple(later for _, later in course.above)
    if entry.is_sound:
        course.above.insert(0, (entry, stamp))
        if found.trust is Trust.TRUSTED and entry.stamped_at < course.moment:
            course.moment, course.unknown = entry.stamped_at, found.standing.unknown


async def _judge_signature(found: _Judged, proof: Proof, material: Material, course: _Course) -> None:
    entry = found.entry
    moment, unknown = course.moment, course.unknown
    own: list[Stamp] = []
    for token, at in entry.stamps:
        standing = await course.judge(token, material, course.moment, "time_stamping", min(course.moment, at))
        believed = trust_of(standing, material)
        own.append(Stamp(at, token.signer.subject.human_friendly, believed, "signature"))
        if believed is Trust.TRUSTED and at < moment:
            moment, unknown = at, standing.unknown
    found.standing = await course.judge(proof, material, moment, None, moment)
    if found.standing.cause is None:
        every = tuple(dict.fromkeys((*found.standing.unknown, *unknown)))
        found.standing = replace(found.standing, unknown=every)
    found.trust = trust_of(found.standing, material)
    found.stamps = (*own, *(stamp for _, stamp in course.above))
    found.level = _level(entry, own, course.above, material)


def _conclude(found: _Judged, begun_at: datetime | None) -> tuple[Indication, SubIndication | None]:
    entry, proof = found.entry, found.entry.proof
    # A document timestamp proves no time of its own; one behind it does.
    stamps = found.behind if entry.kind == "timestamp" else found.stamps
    weaknesses: frozenset[str] = frozenset()
    if proof is not None:
        weaknesses = find_weaknesses(proof.algorithm.rpartition(" / ")[2], proof.signer.public_key)
    case = Case(
        sound=entry.is_sound,
        verified=proof is not None,
        findings=tuple(finding.code for finding in entry.findings),
        standing=found.standing,
        proven_at=min((stamp.at for stamp in stamps if stamp.trust is Trust.TRUSTED), default=None),
        begun_at=begun_at,
        ordered=_in_order(found, begun_at),
        weaknesses=weaknesses,
    )
    return conclude(case)


def _in_order(found: _Judged, begun_at: datetime | None) -> bool:
    """Whether what stands later in the file was stamped later: inside, own timestamps, document timestamps behind."""
    trusted = [stamp for stamp in (*found.stamps, *found.behind) if stamp.trust is Trust.TRUSTED]
    own = [stamp.at for stamp in trusted if stamp.scope == "signature"]
    behind = [stamp.at for stamp in trusted if stamp.scope == "document"]
    row = [*([begun_at] if begun_at else []), *([max(own)] if own else []), *behind]
    return all(later >= earlier - _CLOCKS for earlier, later in itertools.pairwise(row))


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


def _state(found: _Judged, begun_at: datetime | None) -> SignatureVerdict:
    entry = found.entry
    proof, embedded = entry.proof, entry.embedded
    certificate = proof.signer if proof else None
    dictionary: Any = embedded.sig_object if embedded else {}
    indication, sub_indication = _conclude(found, begun_at)
    return SignatureVerdict(
        kind=entry.kind,
        fields=tuple(str(name) for name in entry.fields),
        integrity=entry.integrity,
        trust=found.trust,
        findings=tuple(entry.findings),
        later_changes=tuple(entry.later),
        level=found.level,
        signer=certificate.subject.human_friendly if certificate else None,
        issuer=certificate.issuer.human_friendly if certificate else None,
        serial=f"{certificate.serial_number:x}" if certificate else None,
        certificate=hashlib.sha256(certificate.dump()).hexdigest() if certificate else None,
        algorithm=proof.algorithm if proof else None,
        claimed_at=_claimed_at(embedded),
        stamps=found.stamps,
        covered=entry.coverage.end,
        whole_file=entry.coverage.whole,
        reason=_text(dictionary, "/Reason"),
        location=_text(dictionary, "/Location"),
        indication=indication,
        sub_indication=sub_indication,
        value=proof.info["signature"].native.hex() if proof else None,
        signed_digest=_message_digest(proof) if proof else None,
        cms_digest=_cms_digest(embedded) if embedded else None,
        unknown_revocation=found.standing.unknown,
        intent=find_intent(proof.info) if proof else None,
    )


def _message_digest(proof: Proof) -> str | None:
    attributes = proof.info["signed_attrs"]
    found = (value for value in attributes or () if value["type"].native == "message_digest")
    digest: str | None = next((value["values"][0].native.hex() for value in found), None)
    return digest


def _cms_digest(embedded: EmbeddedPdfSignature) -> str:
    contents = embedded.pkcs7_content
    return hashlib.sha256(contents[: parser.peek(contents)]).hexdigest()


def _claimed_at(embedded: EmbeddedPdfSignature | None) -> datetime | None:
    try:
        claimed = embedded.self_reported_timestamp if embedded else None
    except Exception:  # a date nobody can read is no date
        return None
    return claimed if claimed is not None and claimed.tzinfo is not None else None


def _text(dictionary: Any, key: str) -> str | None:
    value = value_at(dictionary, key)
    return str(value)[:1000] if isinstance(value, str) else None
