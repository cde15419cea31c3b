"""Builds and renews the evidence records of many documents, one timestamp for all of them (批量证据记录).

Records are foreign bytes: each is read, completed and checked in a limited child. One that cannot be renewed is told
and left as it is; the others go on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asn1crypto import cms
from asn1crypto.x509 import Certificate
from pyhanko.sign.general import extract_certificate_info

from engine.errors import Rejected, SealflowError
from engine.sandbox import Caller
from engine.trust.chains import Chain
from engine.trust.clock import Clock, system_clock
from engine.trust.evidence import Evidence
from engine.trust.evidence_records import records
from engine.trust.evidence_records.trees import HashTree, build_tree, hash_group
from engine.trust.evidence_records.verification import RecordReport, digest_file, inspect_record
from engine.trust.revocation import RevocationSource
from engine.trust.signing import Stamper
from engine.trust.verdict import Trust


@dataclass(frozen=True, slots=True)
class Subject:
    """What one record is about: a document, or the documents of a group."""

    record: Path
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A new record of a subject, or why there is none."""

    subject: Subject
    content: bytes = b""
    error: SealflowError | None = None


@dataclass(frozen=True, slots=True)
class RecordAuthority:
    """Who stamps, who says what was revoked, and who judges."""

    sandbox: Caller
    stamper: Stamper
    revocation: RevocationSource
    anchors: Sequence[Certificate]
    retired: dict[bytes, datetime]
    clock: Clock = system_clock

    async def judge(self, subject: Subject, record: Path | None = None) -> RecordReport:
        """Verdict on a record, with its documents."""
        roots = tuple(anchor.dump() for anchor in self.anchors)
        place, now = record or subject.record, self.clock()
        return await self.sandbox.call(inspect_record, place, subject.files, roots, now, self.retired)

    async def build(self, subjects: Sequence[Subject], algorithm: str, workspace: Path) -> AsyncIterator[Made]:
        """First records; raises what the stamper raises, before any is given."""
        groups = ([digest_file(algorithm, file) for file in subject.files] for subject in subjects)
        leaves = (hash_group(algorithm, digests) for digests in groups)
        with build_tree(workspace / "tree", algorithm, leaves) as tree:
            token = await self.stamper.stamp(tree.root, algorithm)
            for index, subject in enumerate(subjects):
                digests = [tree.leaf(index)]
                if len(subject.files) > 1:
                    digests = [digest_file(algorithm, file) for file in subject.files]
                reduced = records.reduce_tree(digests, tree.siblings(index))
                yield Made(subject, records.make_record(algorithm, reduced, token))

    async def renew(self, subjects: Sequence[Subject], algorithm: str | None, workspace: Path) -> AsyncIterator[Made]:
        """Renewed records: of the timestamp, or with ``algorithm`` of the hash tree (RFC 4998, 5.2).

        The timestamps to be renewed get their revocation data first. Raises what the stamper raises.
        """
        ready: list[tuple[Subject, Path, list[bytes]]] = []
        by: dict[str, list[int]] = {}
        for number, subject in enumerate(subjects):
            try:
                completed = workspace / f"{number}.ers"
                name, digests = await self._complete(subject, completed, algorithm)
            except SealflowError as error:
                yield Made(subject, error=error)
            else:
                by.setdefault(name, []).append(len(ready))
                ready.append((subject, completed, digests))
        for name, members in by.items():
            async for made in self._stamp(name, [ready[member] for member in members], algorithm, workspace):
                yield made

    async def _complete(self, subject: Subject, completed: Path, algorithm: str | None) -> tuple[str, list[bytes]]:
        """Check a record, put its revocation data in, and give what has to be stamped, with the hash algorithm."""
        report = await self.judge(subject)
        if not report.holds or report.trust is not Trust.TRUSTED:
            raise _not_renewable(subject, report)
        chain = await self.sandbox.call(read_chain, subject.record)
        evidence = await self.revocation.evidence([chain])
        return await self.sandbox.call(complete_record, subject.record, completed, evidence, algorithm, subject.files)

    async def _stamp(
        self,
        name: str,
        ready: Sequence[tuple[Subject, Path, list[bytes]]],
        algorithm: str | None,
        workspace: Path,
    ) -> AsyncIterator[Made]:
        """One tree over what many records have to prove; records that shared a timestamp share a leaf."""
        places: dict[bytes, int] = {}
        for _, _, digests in ready:
            places.setdefault(hash_group(name, digests), len(places))
        with build_tree(workspace / f"tree-{name}", name, places) as tree:
            token = await self.stamper.stamp(tree.root, name)
            for subject, completed, digests in ready:
                reduced = _reduce(tree, places[hash_group(name, digests)], digests)
                content = await self.sandbox.call(extend_record, completed, algorithm, reduced, token)
                completed.write_bytes(content)
                report = await self.judge(subject, completed)
                if not report.holds or report.trust is not Trust.TRUSTED:
                    yield Made(subject, error=_not_renewable(subject, report))
                else:
                    yield Made(subject, content)


def read_chain(record: Path) -> Chain:
    """Whose certificate the newest timestamp of a record rests on."""
    found = extract_certificate_info(cms.ContentInfo.load(records.last_token(record.read_bytes()))["content"])
    return Chain(found.signer_cert.dump(), tuple(other.dump() for other in found.other_certs))


def complete_record(
    record: Path, completed: Path, evidence: Evidence, algorithm: str | None, files: tuple[Path, ...]
) -> tuple[str, list[bytes]]:
    """Write a record with revocation data in its newest timestamp; gives what its renewal has to stamp, and by what."""
    content = records.complete_token(record.read_bytes(), evidence)
    completed.write_bytes(content)
    if algorithm is None:
        return records.last_algorithm(content), [records.hash_for_timestamp(content)]
    digests = [digest_file(algorithm, file) for file in files]
    return algorithm, records.hashes_for_tree(content, algorithm, digests)


def extend_record(completed: Path, algorithm: str | None, reduced: list[list[bytes]], token: bytes) -> bytes:
    """Add the renewing timestamp."""
    content = completed.read_bytes()
    if algorithm is None:
        return records.renew_timestamp(content, reduced, token)
    return records.renew_tree(content, algorithm, reduced, token)


def _reduce(tree: HashTree, index: int, digests: Sequence[bytes]) -> list[list[bytes]]:
    return records.reduce_tree(digests, tree.siblings(index))


def _not_renewable(subject: Subject, report: RecordReport) -> Rejected:
    why = report.finding
    zh = why.zh if why else f"时间戳已不可信（{report.trust}）。"
    en = why.en if why else f"a timestamp is not trusted ({report.trust})."
    return Rejected(
        "record.not_renewable",
        zh=f"证据记录 {subject.record.name} 不能续期：{zh}",
        en=f"The evidence record {subject.record.name} cannot be renewed: {en}",
        record=str(subject.record),
        trust=str(report.trust),
    )
