"""Verifies evidence records (RFC 4998, 4.3 and 5.3) against documents and anchors; runs in a limited child.

A hash algorithm that has fallen is not noticed here; its date is in the table of sunsets, and the record says which it
rests on.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asn1crypto import cms, core

from engine.trust.evidence import Evidence
from engine.trust.evidence_records.syntax import ArchiveTimeStamp, EvidenceRecord
from engine.trust.evidence_records.trees import hash_children
from engine.trust.paths import Material, judge_path, trust_of
from engine.trust.proofs import Doubt, Proof, check_token
from engine.trust.suites.digests import digest_bytes, new_digest
from engine.trust.verdict import Finding, Integrity, Trust

_LARGEST = 4 * 1024 * 1024
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class RecordReport:
    """What a record proves: ``finding`` None when it holds. ``proven_at``: the documents are at least as old."""

    finding: Finding | None
    trust: Trust
    proven_at: datetime | None = None
    stamped_at: tuple[datetime, ...] = ()
    algorithms: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return self.finding is None


def inspect_record(
    record: Path, files: tuple[Path, ...], anchors: tuple[bytes, ...], moment: datetime, retired: dict[bytes, datetime]
) -> RecordReport:
    """Judge a record for one file, or for the files of one group, all of them, in any order."""
    digests: dict[str, list[bytes]] = {}

    def digests_of(algorithm: str) -> list[bytes]:
        if algorithm not in digests:
            digests[algorithm] = [digest_file(algorithm, file) for file in files]
        return digests[algorithm]

    return judge_record(record.read_bytes(), digests_of, anchors, moment, retired)


def judge_record(
    record: bytes,
    digests_of: Callable[[str], Sequence[bytes]],
    anchors: tuple[bytes, ...],
    moment: datetime,
    retired: dict[bytes, datetime],
) -> RecordReport:
    """As ``inspect_record``, by the documents' digests; never raises for the record's bytes."""
    try:
        if len(record) > _LARGEST:
            raise ValueError(f"more than {_LARGEST} bytes")
        stamps = _check_chains(record, digests_of)
        return asyncio.run(_judge(stamps, anchors, moment, retired))
    except Doubt as doubt:
        return RecordReport(doubt.finding, Trust.UNTRUSTED)
    except Exception as error:  # whatever a parser throws at a hostile record is a verdict on it
        why = str(error) or type(error).__name__
        finding = Finding("record.unreadable", f"证据记录无法读取（{why}）。", f"The record cannot be read ({why}).")
        return RecordReport(finding, Trust.UNTRUSTED)


@dataclass(frozen=True, slots=True)
class _Stamp:
    proof: Proof
    at: datetime
    evidence: Evidence
    algorithm: str


def _check_chains(record: bytes, digests_of: Callable[[str], Sequence[bytes]]) -> list[_Stamp]:
    """Everything but trust: each timestamp covers what stands before it."""
    parsed = EvidenceRecord.load(record, strict=True)
    if parsed["version"].native != 1:
        raise ValueError("a version we do not know")
    sequence = parsed["archive_time_stamp_sequence"]
    if not len(sequence) or not all(len(chain) for chain in sequence):
        raise ValueError("no timestamp")
    stamps: list[_Stamp] = []
    for number, chain in enumerate(sequence):
        algorithm = _algorithm_of(chain[0])
        wanted = list(digests_of(algorithm))
        if number:
            before = digest_bytes(algorithm, type(sequence)(list(sequence)[:number]).dump())
            wanted = [digest_bytes(algorithm, digest + before) for digest in wanted]
        for stamp in chain:
            if _algorithm_of(stamp) != algorithm:
                raise _doubt("record.algorithm", "同一链中的散列算法不一致。", "One chain uses two hash algorithms.")
            stamps.append(_check_stamp(stamp, algorithm, wanted))
            wanted = [digest_bytes(algorithm, stamp["time_stamp"].dump())]
    for earlier, later in itertools.pairwise(stamps):
        if later.at < earlier.at:
            raise _doubt("record.order", "时间戳的先后次序颠倒。", "The timestamps do not follow each other in time.")
    return stamps


def _check_stamp(stamp: ArchiveTimeStamp, algorithm: str, wanted: list[bytes]) -> _Stamp:
    """One archive timestamp (4.3) over a document, the documents of a group, or what is renewed."""
    held = stamp["reduced_hashtree"].native
    lists = [list(level) for level in held] if held is not None else []
    size = len(digest_bytes(algorithm, b""))
    if any(not level or any(len(value) != size for value in level) for level in lists):
        raise ValueError("a hash of another size")
    if lists:
        if (len(wanted) > 1 and sorted(wanted) != sorted(lists[0])) or not set(wanted) <= set(lists[0]):
            raise _foreign()
        root = lists[0][0] if len(lists[0]) == 1 else hash_children(algorithm, lists[0])
        for level in lists[1:]:
            root = hash_children(algorithm, [*level, root])
    elif len(wanted) == 1:
        root = wanted[0]
    else:
        raise _foreign()
    signed = stamp["time_stamp"]["content"]
    proof, info = check_token(signed, lambda name: root if name == algorithm else b"")
    return _Stamp(proof, info["gen_time"].native, _evidence_of(signed), algorithm)


async def _judge(
    stamps: list[_Stamp], anchors: tuple[bytes, ...], moment: datetime, retired: dict[bytes, datetime]
) -> RecordReport:
    """Newest first: each timestamp has to be good at the time that the next one proves (5.3)."""
    trust = Trust.TRUSTED if anchors else Trust.UNCHECKED
    for stamp in reversed(stamps):
        material = Material(anchors, stamp.evidence, retired=retired)
        standing = await judge_path(stamp.proof.signer, stamp.proof.others, material, moment, "time_stamping")
        found = trust_of(standing, material)
        if found is not trust:
            trust = found
            break
        moment = stamp.at
    first = stamps[0]
    proven = first.at if trust is Trust.TRUSTED else None
    algorithms = tuple(dict.fromkeys(stamp.algorithm for stamp in stamps))
    return RecordReport(None, trust, proven, tuple(stamp.at for stamp in stamps), algorithms)


def _evidence_of(signed: cms.SignedData) -> Evidence:
    """Certificates and revocation data that lie beside a token's signature (RFC 5652, 5.1 and RFC 5940)."""
    crls: list[bytes] = []
    ocsps: list[bytes] = []
    held = signed["crls"]
    for choice in () if held is core.VOID else held:
        if choice.name == "other":
            ocsps.append(choice.chosen["other_rev_info"].dump())
        else:
            crls.append(choice.chosen.dump())
    certificates = tuple(choice.chosen.dump() for choice in signed["certificates"])
    return Evidence(certificates, tuple(ocsps), tuple(crls))


def _algorithm_of(stamp: ArchiveTimeStamp) -> str:
    named = stamp["digest_algorithm"]
    if named is core.VOID or named.native is None:
        info = stamp["time_stamp"]["content"]["encap_content_info"]["content"].parsed
        named = info["message_imprint"]["hash_algorithm"]
    return str(named["algorithm"].native)


def digest_file(algorithm: str, file: Path) -> bytes:
    """Digest of a file, a block at a time."""
    digest = new_digest(algorithm)
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.digest()


def _foreign() -> Doubt:
    return _doubt(
        "record.foreign",
        "证据记录对应的不是这些文件：文件被改动，或证据记录属于其他文件。",
        "The record belongs to other documents: these were altered, or it was taken from others.",
    )


def _doubt(code: str, zh: str, en: str) -> Doubt:
    return Doubt(Integrity.BROKEN, Finding(code, zh, en))
