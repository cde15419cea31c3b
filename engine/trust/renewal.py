"""Renews what proves a file before it runs out (续期): fresh validation data and one more document timestamp.

What has run out already cannot be renewed: nothing then proves that the file is as old as it says.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from asn1crypto.x509 import Certificate

from engine.errors import Defect, Rejected
from engine.trust.algorithms import Suite, sunset
from engine.trust.archiving import append_timestamp
from engine.trust.clock import Clock, system_clock
from engine.trust.revisions import list_signers
from engine.trust.revocation import RevocationSource
from engine.trust.signing import Stamper, Surroundings
from engine.trust.terms import Term, read_term
from engine.trust.validation import verify
from engine.trust.verdict import Integrity, Report, Trust

_SOUND = (Integrity.VALID, Integrity.EXTENDED)


@dataclass(frozen=True, slots=True)
class Due:
    """When a file has to be renewed at the latest, the margin taken off; ``cause``: certificate or algorithm."""

    at: datetime
    cause: str
    what: str
    """The certificate's subject, or the algorithm's name in the table of sunsets."""


@dataclass(frozen=True, slots=True)
class Renewer:
    """Everything a renewal asks; ``retired``: days from which roots are believed no more, by their DER."""

    anchors: Sequence[Certificate]
    revocation: RevocationSource
    stamper: Stamper
    retired: Mapping[bytes, datetime]
    digest_algorithm: str | None = None
    """Of the new timestamp; None: as the archive stage chooses."""
    clock: Clock = system_clock


def find_due(term: Term, margin: timedelta, sunsets: Mapping[str, date] = {}) -> Due:
    """The first end of a term, ``margin`` before it comes."""
    ends = [(term.ends_at, "certificate", term.ends)]
    for suite in term.suites:
        end = sunset(Suite.parse(suite), sunsets)
        if end is not None:
            ends.append((end[0], "algorithm", end[1]))
    at, cause, what = min(ends)
    return Due(at - margin, cause, what)


async def renew_document(source: Path, output: Path, renewer: Renewer, around: Surroundings) -> Report:
    """Write the renewed file, which begins with the source's bytes, and give its verdict; the source is not touched.

    Raises Rejected ``renewal.too_late``, ``renewal.not_intact`` and what reading, revocation and the stamper raise;
    Defect ``renewal.unproven`` when the result is not better than the source in every respect.
    """
    now = renewer.clock()
    term = await around.sandbox.call(read_term, source)
    if term.ends_at <= now:
        raise Rejected(
            "renewal.too_late",
            zh=f"保护该文件的时间戳证书（{term.ends}）已于 {term.ends_at.date()} 到期，"
            "现在续期不能再证明到期之前的状态。请改用到期前制作的副本或证据记录。",
            en=f"The certificate that protects the document ({term.ends}) ended on {term.ends_at.date()}; renewed now, "
            "nothing would prove what was before. Use a copy renewed in time, or an evidence record.",
            ended=term.ends_at.isoformat(),
            subject=term.ends,
        )
    before = await verify(around.sandbox, source, renewer.anchors, at=now, retired=renewer.retired)
    _refuse_unsound(before)
    evidence = await renewer.revocation.evidence(term.chains)
    algorithm = renewer.digest_algorithm or (await around.sandbox.call(list_signers, source)).digest_algorithm
    name = f"renewal-{term.generation + 1}"
    await append_timestamp(source, output, evidence, renewer.stamper, around, name, algorithm)
    after = await verify(around.sandbox, output, renewer.anchors, at=renewer.clock(), retired=renewer.retired)
    if not _is_kept(before, after) or await asyncio.to_thread(_digest_start, output, before.size) != before.digest:
        raise Defect(
            "renewal.unproven",
            zh="续期后的文件未通过核对，原文件保持不变。请将错误编号和文件交给维护人员。",
            en="The renewed file did not pass its check; the file stays as it was. "
            "Give this code and the file to support.",
            level=after.level,
        )
    return after


def _refuse_unsound(report: Report) -> None:
    """Renewing would dress up a file that nobody should rely on."""
    lost = [found for found in report.signatures if found.trust is not Trust.TRUSTED]
    if report.integrity in _SOUND and not lost:
        return
    why = next((finding for found in report.signatures for finding in found.findings), None)
    zh, en = (why.zh, why.en) if why else ("签名或时间戳已不可信。", "a signature or timestamp is not trusted.")
    raise Rejected(
        "renewal.not_intact",
        zh=f"该文件不能续期：{zh}（完整性 {report.integrity}，信任 {report.trust}）请用 sealflow verify 查看详情。",
        en=f"The document cannot be renewed: {en} (integrity {report.integrity}, trust {report.trust}) "
        "sealflow verify says more.",
        integrity=str(report.integrity),
        trust=str(report.trust),
    )


def _is_kept(before: Report, after: Report) -> bool:
    """Whether all earlier signatures still say the same and one timestamp came to them."""
    if len(after.signatures) != len(before.signatures) + 1 or after.level not in ("B-LTA", None):
        return False
    for old, new in zip(before.signatures, after.signatures, strict=False):
        same = (old.fields, old.certificate, old.covered, old.proven_at) == (
            new.fields,
            new.certificate,
            new.covered,
            new.proven_at,
        )
        if not same or new.integrity not in _SOUND or new.trust is not Trust.TRUSTED:
            return False
    last = after.signatures[-1]
    return after.integrity in _SOUND and last.kind == "timestamp" and last.trust is Trust.TRUSTED and last.whole_file


def _digest_start(file: Path, size: int) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while size and (block := stream.read(min(size, 1 << 20))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()
