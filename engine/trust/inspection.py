"""Reads the signatures of a PDF and judges each; runs in a limited child because it parses foreign bytes."""

from __future__ import annotations

import asyncio
import hashlib
import mmap
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from asn1crypto import cms
from pyhanko.pdf_utils.generic import IndirectObject
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, DiffResult, ModificationLevel
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from engine.trust.coverage import Coverage, measure_coverage, only_blank_after
from engine.trust.evidence import Evidence, read_store, value_at
from engine.trust.levels import Holder, Sealing, baseline_level
from engine.trust.paths import Material, judge_path
from engine.trust.proofs import Doubt, Proof, check_signature, check_token, digest_bytes
from engine.trust.verdict import (
    Finding,
    Integrity,
    Report,
    SignatureVerdict,
    Stamp,
    Trust,
    least_trust,
    lowest_level,
    worst_integrity,
)

_PADES = "/ETSI.CAdES.detached"
_DETACHED = {_PADES, "/adbe.pkcs7.detached"}
_TIMESTAMP = "/ETSI.RFC3161"
_OVER_SHA1 = "/adbe.pkcs7.sha1"
"""Signs the SHA-1 of the bytes as its content (ISO 32000-1, 12.8.3.3); deprecated, but met in archives."""


@dataclass
class Entry:
    """One signature dictionary on its way to a verdict."""

    fields: list[str]
    embedded: EmbeddedPdfSignature | None
    kind: str
    coverage: Coverage
    revision: int = 0
    proof: Proof | None = None
    integrity: Integrity = Integrity.VALID
    findings: list[Finding] = field(default_factory=list)
    later: list[Finding] = field(default_factory=list)
    stamps: list[tuple[Proof, datetime]] = field(default_factory=list)
    stamped_at: datetime | None = None
    evidence: Evidence = Evidence()
    """For a document timestamp: what its revision covers."""

    def worsen(self, integrity: Integrity, finding: Finding) -> None:
        order = (Integrity.BROKEN, Integrity.MODIFIED, Integrity.INDETERMINATE, Integrity.EXTENDED, Integrity.VALID)
        self.integrity = min(self.integrity, integrity, key=order.index)
        self.findings.append(finding)


def inspect_file(file: Path, digest: str, anchors: tuple[bytes, ...], moment: datetime) -> Report:
    """Verdict on one file; ``digest`` is its SHA-256, ``anchors`` DER certificates, ``moment`` the time of judgement."""
    with file.open("rb") as stream:
        entries, findings, material = _read(stream, anchors)
        verdicts = asyncio.run(_judge(entries, material, moment))
    integrity = worst_integrity(verdicts)
    if findings and not verdicts:
        integrity = Integrity.INDETERMINATE
        if _has_signature(file):
            integrity = Integrity.BROKEN
    return Report(
        file=file.name,
        size=file.stat().st_size,
        digest=digest,
        integrity=integrity,
        trust=least_trust(verdicts),
        level=lowest_level(verdicts) if integrity in (Integrity.VALID, Integrity.EXTENDED) else None,
        signatures=verdicts,
        findings=tuple(findings),
        checked_at=moment,
    )


def _read(stream: IO[bytes], anchors: tuple[bytes, ...]) -> tuple[list[Entry], list[Finding], Material]:
    material = Material(anchors, Evidence())
    try:
        reader = PdfFileReader(stream, strict=False)
        if reader.encrypted:
            reader.decrypt("")
        entries = _find_entries(reader)
        material = Material(anchors, read_store(reader.root))
        for entry in entries:
            _examine(entry, reader, stream)
            if entry.kind == "timestamp":
                entry.evidence = read_store(reader.get_historical_root(entry.revision))
    except RecursionError:
        return [], [_unreadable("nested too deeply")], material
    except Exception as error:  # whatever a parser throws at a hostile file is a verdict on that file
        return [], [_unreadable(str(error) or type(error).__name__)], material
    return entries, [], material


def _find_entries(reader: PdfFileReader) -> list[Entry]:
    """Signature dictionaries once each, in the order of their revisions, with all fields that point to them."""
    found: dict[tuple[int, int] | int, Entry] = {}
    for name, value, reference in enumerate_sig_fields(reader, filled_status=True):
        raw = reference.get_object().raw_get("/V")
        key = (raw.idnum, raw.generation) if isinstance(raw, IndirectObject) else id(value)
        if key in found:
            found[key].fields.append(str(name))
            continue
        dictionary = value.get_object()
        kind = "timestamp" if str(value_at(dictionary, "/SubFilter")) == _TIMESTAMP else "signature"
        entry = Entry([str(name)], None, kind, Coverage(0, False))
        found[key] = entry
        form = str(value_at(dictionary, "/SubFilter"))
        if form not in {*_DETACHED, _TIMESTAMP, _OVER_SHA1}:
            entry.worsen(Integrity.INDETERMINATE, _finding_format(form))
            continue
        try:
            entry.embedded = EmbeddedPdfSignature(reader, reference, name)
            entry.revision = entry.embedded.signed_revision
        except Exception as error:  # as in _read: malformed signature data is a verdict
            entry.worsen(Integrity.BROKEN, _malformed(error))
    return sorted(found.values(), key=lambda entry: entry.revision)


def _examine(entry: Entry, reader: PdfFileReader, stream: IO[bytes]) -> None:
    """Everything about one signature that needs no trust."""
    embedded = entry.embedded
    if embedded is None:
        return
    entry.coverage = measure_coverage(stream, embedded.byte_range, embedded.pkcs7_content)
    try:
        if entry.kind == "timestamp":
            entry.proof, stamped = check_token(embedded.signed_data, embedded.compute_digest)
            entry.stamped_at = stamped["gen_time"].native
        elif str(value_at(embedded.sig_object, "/SubFilter")) == _OVER_SHA1:
            entry.proof = _check_over_sha1(embedded)
        else:
            _refuse_own_content(embedded.signed_data)
            entry.proof = check_signature(embedded.signed_data, "data", embedded.compute_digest)
    except Doubt as doubt:
        entry.worsen(doubt.integrity, doubt.finding)
    except Exception as error:  # as in _read
        entry.worsen(Integrity.BROKEN, _malformed(error))
    _read_stamps(entry)
    _compare(entry, reader, stream)


def _refuse_own_content(signed: cms.SignedData) -> None:
    content = signed["encap_content_info"]["content"]
    if content.native is not None:
        raise Doubt(
            Integrity.BROKEN,
            Finding(
                "signature.own_content",
                "签名数据自带内容，与 PDF 的分离式签名规范不符，签名无效。",
                "The signature brings its own content; a detached PDF signature must not, so it is invalid.",
            ),
        )


def _check_over_sha1(embedded: EmbeddedPdfSignature) -> Proof:
    content = embedded.signed_data["encap_content_info"]["content"].native
    proof = check_signature(
        embedded.signed_data, "data", lambda name: digest_bytes(name, bytes(content or b"")), bare=True
    )
    if content != embedded.compute_digest("sha1"):
        raise Doubt(
            Integrity.BROKEN,
            Finding(
                "signature.digest",
                "文件内容与签名时不一致：签名保护的内容已被改动。",
                "The content is not what was signed: protected bytes were changed.",
            ),
        )
    return proof


def _read_stamps(entry: Entry) -> None:
    """Signature timestamps among the unsigned attributes; a wrong one is told, because it proves nothing."""
    if entry.proof is None or entry.kind == "timestamp":
        return
    value = entry.proof.info["signature"].native
    try:
        attributes = entry.proof.info["unsigned_attrs"]
        tokens = [
            token["content"]
            for attribute in (attributes if attributes.native is not None else ())
            if attribute["type"].native == "signature_time_stamp_token"
            for token in attribute["values"]
        ]
        for token in tokens:
            proof, stamped = check_token(token, lambda name: digest_bytes(name, value))
            entry.stamps.append((proof, stamped["gen_time"].native))
    except Doubt as doubt:
        entry.worsen(Integrity.INDETERMINATE, doubt.finding)
    except Exception as error:  # as in _read
        entry.worsen(Integrity.INDETERMINATE, _malformed(error))


def _compare(entry: Entry, reader: PdfFileReader, stream: IO[bytes]) -> None:
    """What happened to the file after this signature."""
    embedded = entry.embedded
    assert embedded is not None
    if entry.coverage.oddity is not None:
        entry.worsen(Integrity.MODIFIED, _uncovered(entry.coverage.oddity))
        return
    if entry.coverage.whole:
        return
    reach = embedded.evaluate_signature_coverage()
    if reach < SignatureCoverageLevel.ENTIRE_REVISION:
        entry.worsen(Integrity.MODIFIED, _uncovered("it does not end with its revision"))
        return
    if reader.xrefs.total_revisions - 1 <= entry.revision:
        if not only_blank_after(stream, entry.coverage.end):
            entry.worsen(Integrity.MODIFIED, _uncovered("bytes outside of any revision follow"))
        else:
            entry.worsen(Integrity.EXTENDED, _uncovered("white space follows"))
        return
    try:
        change = DEFAULT_DIFF_POLICY.review_file(
            reader, entry.revision, field_mdp_spec=embedded.fieldmdp, doc_mdp=embedded.docmdp_level
        )
        permitted = embedded.docmdp_level
    except Exception as error:  # a comparison that fails cannot vouch for the changes
        entry.worsen(Integrity.MODIFIED, _changed(str(error) or type(error).__name__))
        return
    if not isinstance(change, DiffResult):
        entry.worsen(Integrity.MODIFIED, _changed(str(change)))
        return
    if change.modification_level is ModificationLevel.OTHER or (
        permitted is not None and change.modification_level.value > permitted.value
    ):
        entry.worsen(Integrity.MODIFIED, _changed("the signature forbids them"))
        return
    entry.integrity = min(entry.integrity, Integrity.EXTENDED, key=_order)
    entry.later.extend(_disclose(change))


def _order(integrity: Integrity) -> int:
    return (Integrity.BROKEN, Integrity.MODIFIED, Integrity.INDETERMINATE, Integrity.EXTENDED, Integrity.VALID).index(
        integrity
    )


def _disclose(change: DiffResult) -> list[Finding]:
    told = []
    if change.modification_level is ModificationLevel.LTA_UPDATES:
        told.append(
            Finding(
                "later.evidence",
                "此后添加了验证数据或文档时间戳。",
                "Validation data or a document timestamp was added later.",
            )
        )
    if change.modification_level is ModificationLevel.FORM_FILLING:
        told.append(
            Finding("later.form", "此后填写了表单或添加了签名。", "Form fields were filled or signatures added later.")
        )
    if change.changed_form_fields:
        names = ", ".join(sorted(change.changed_form_fields))
        told.append(
            Finding("later.fields", f"此后变化的表单域：{names}。", f"Form fields that changed later: {names}.")
        )
    return told


async def _judge(entries: list[Entry], material: Material, moment: datetime) -> tuple[SignatureVerdict, ...]:
    """Trust, newest first: what a trusted document timestamp covers is judged for the time that it proves."""
    verdicts: list[SignatureVerdict] = []
    proven = moment
    above: list[tuple[Entry, Stamp]] = []
    for entry in sorted(entries, key=lambda entry: entry.coverage.end, reverse=True):
        proof = entry.proof
        trust = Trust.UNTRUSTED if material.anchors else Trust.UNCHECKED
        stamps: list[Stamp] = []
        level = None
        if proof is not None and entry.kind == "timestamp" and entry.stamped_at is not None:
            trust = await judge_path(proof.signer, proof.others, material, proven, "time_stamping")
            stamp = Stamp(entry.stamped_at, proof.signer.subject.human_friendly, trust, "document")
            stamps.append(stamp)
            if _is_sound(entry):
                above.insert(0, (entry, stamp))
                if trust is Trust.TRUSTED:
                    proven = min(proven, entry.stamped_at)
        elif proof is not None:
            time = proven
            for token, at in entry.stamps:
                believed = await judge_path(token.signer, token.others, material, proven, "time_stamping")
                stamps.append(Stamp(at, token.signer.subject.human_friendly, believed, "signature"))
                if believed is Trust.TRUSTED:
                    time = min(time, at)
            trust = await judge_path(proof.signer, proof.others, material, time, None)
            level = _level(entry, stamps, above, material)
            stamps.extend(stamp for _, stamp in above)
        verdicts.append(_state(entry, trust, tuple(stamps), level))
    return tuple(reversed(verdicts))


def _is_sound(entry: Entry) -> bool:
    return entry.integrity in (Integrity.VALID, Integrity.EXTENDED)


def _level(entry: Entry, own: list[Stamp], above: list[tuple[Entry, Stamp]], material: Material) -> str | None:
    """Level from intact evidence; a stamp nobody trusts does not raise it once anchors are given."""
    proof, embedded = entry.proof, entry.embedded
    if proof is None or embedded is None or not _is_sound(entry) or not proof.names_signer:
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


def _claimed_at(embedded: EmbeddedPdfSignature | None) -> datetime | None:
    try:
        claimed = embedded.self_reported_timestamp if embedded else None
    except Exception:  # a date nobody can read is no date
        return None
    return claimed if claimed is not None and claimed.tzinfo is not None else None


def _text(dictionary: Any, key: str) -> str | None:
    value = value_at(dictionary, key)
    return str(value)[:1000] if isinstance(value, str) else None


def _has_signature(file: Path) -> bool:
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return view.find(b"/ByteRange") >= 0


def _finding_format(form: str) -> Finding:
    return Finding(
        "signature.format",
        f"签名格式 {form} 不受支持，无法判断签名是否有效。",
        f"The signature format {form} is not supported; the signature cannot be judged.",
    )


def _unreadable(why: str) -> Finding:
    return Finding(
        "document.unreadable", f"文件结构无法读取（{why}）。", f"The structure of the file cannot be read ({why})."
    )


def _malformed(error: Exception) -> Finding:
    why = str(error) or type(error).__name__
    return Finding(
        "signature.malformed", f"签名数据的格式不符合规范（{why}）。", f"The signature data is malformed ({why})."
    )


def _uncovered(why: str) -> Finding:
    return Finding(
        "signature.coverage",
        f"签名没有完整覆盖文件（{why}）。",
        f"The signature does not cover the file as it must ({why}).",
    )


def _changed(why: str) -> Finding:
    return Finding(
        "signature.changed_later",
        f"签署后文件被以不允许的方式修改（{why}）。",
        f"After signing the file was changed in ways that are not allowed ({why}).",
    )
