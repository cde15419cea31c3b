"""Verifies the signatures of any PDF; comments added after a signature count as changes to the document.

Foreign bytes are opened in a limited child only. Whatever its parsers object to becomes part of the verdict: a file
that cannot be read is never reported as good, and never as an error of ours.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from asn1crypto.x509 import Certificate

from engine.errors import Defect, Rejected, SealflowError
from engine.sandbox import Caller
from engine.trust.clock import system_clock
from engine.trust.evidence import Evidence
from engine.trust.inquiry import Inquiry
from engine.trust.inspection import inspect_file, list_unproven
from engine.trust.verdict import Finding, Integrity, Report, Trust


async def verify(
    sandbox: Caller,
    file: Path,
    anchors: Sequence[Certificate],
    *,
    at: datetime | None = None,
    inquiry: Inquiry | None = None,
    retired: Mapping[bytes, datetime] = MappingProxyType({}),
) -> Report:
    """Check every signature of a file; never raises for its bytes.

    ``anchors``: whom to trust. ``at``: the time to judge for, now if None. ``inquiry``: where to learn of revocations
    the file says nothing about; None, and the file has to say it itself. ``retired``: from when on an
    anchor, by its DER, is believed no more; what is proven to be older it still proves. Raises Rejected
    ``document.missing`` when there is no file.
    """
    moment = at or system_clock()
    digest = await asyncio.to_thread(_digest, file)
    trusted = tuple(anchor.dump() for anchor in anchors)
    try:
        past = dict(retired)
        report = await sandbox.call(inspect_file, file, digest, trusted, moment, retired=past)
        if inquiry is not None and any(entry.unknown_revocation for entry in report.signatures):
            found = await inquiry.evidence(await sandbox.call(list_unproven, file, trusted, moment))
            if found != Evidence():
                report = await sandbox.call(inspect_file, file, digest, trusted, moment, found=found, retired=past)
        return report
    except (Rejected, Defect) as error:
        return _unjudged(file, digest, moment, error)


def _unjudged(file: Path, digest: str, moment: datetime, error: SealflowError) -> Report:
    return Report(
        file=file.name,
        size=file.stat().st_size,
        digest=digest,
        integrity=Integrity.INDETERMINATE,
        trust=Trust.UNCHECKED,
        level=None,
        signatures=(),
        findings=(Finding(error.code, error.text.zh, error.text.en),),
        checked_at=moment,
    )


def _digest(file: Path) -> str:
    if not file.is_file():
        raise Rejected(
            "document.missing",
            zh=f"找不到文件 {file}。请检查路径。",
            en=f"There is no file {file}. Check the path.",
            file=str(file),
        )
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


async def examine(sandbox: Caller, file: Path, field: str | None = None, *, later: bool = True) -> Report:
    """As ``verify`` without anchors and digest: what our own output proves by itself, before anybody relies on it.

    ``field``: this signature alone. ``later`` False leaves out what was done after each signature; for a file whose
    later revisions we appended ourselves a moment ago.
    """
    return await sandbox.call(inspect_file, file, "", (), system_clock(), field, later)


async def digest_of(file: Path) -> str:
    """SHA-256 of a file in hex."""
    return await asyncio.to_thread(_digest, file)
