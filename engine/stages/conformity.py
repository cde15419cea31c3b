"""The fact ``conformance``: whether a document is PDF/A, and of which bytes that was found.

A stage that rewrites without breaking the profile hands the fact on with the digest of its own output, so that the
archive need judge only what signing appended.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import Defect, Rejected
from engine.pdf import declaration
from engine.pdf.clauses import Violation
from engine.pdf.conformance import Conformance, Verdict, check_conformance
from engine.pdf.declaration import Profile
from engine.pipeline.stage import Facts
from engine.sandbox import Caller, Limits, Sandbox
from engine.trust.validation import digest_of

CONFORMANCE = "conformance"
REWRITTEN = "rewritten"
"""Fact: we wrote every page of the document anew, and whatever was added since: no foreign hand is in its structure."""
LIMITS = Limits(cpu_seconds=30, wall_seconds=60.0)
"""A file that takes longer to judge is not judged; it holds thousands of pages."""
_passed: dict[str, None] = {}
"""Digests of seal pictures that passed, newest last."""
_PASSED_KEPT = 64


async def judge(sandbox: Caller, file: Path, profile: Profile, proven: int = 0) -> Conformance:
    """Judge a file as ``check_conformance``; one that no judge gets through, too large or torn, is ``undecided``."""
    try:
        found = await sandbox.call(check_conformance, file, profile, proven, tuple(_passed))
    except (Rejected, Defect) as refusal:
        violation = Violation("", "file", refusal.text.zh, refusal.text.en, certain=False)
        return Conformance(profile, Verdict.UNDECIDED, (violation,))
    if found.appearances is not None and found.verdict is Verdict.PASS:
        _passed[found.appearances] = None
        while len(_passed) > _PASSED_KEPT:
            del _passed[next(iter(_passed))]
    return found


async def judge_rewritten(sandbox: Sandbox, file: Path) -> Mapping[str, Any]:
    """Judge a file we wrote and give the fact; where it does not pass, the file stops claiming the profile."""
    found = await judge(sandbox.within(LIMITS), file, "PDF/A-2b")
    if found.verdict is not Verdict.PASS:
        await sandbox.call(declaration.withdraw, file)
    return await as_fact(found, file)


async def as_fact(found: Conformance, file: Path) -> Mapping[str, Any]:
    """The fact for ``file``."""
    return {
        "profile": found.profile,
        "verdict": found.verdict.value,
        "violations": [
            {"clause": one.clause, "place": one.place, "zh": one.zh, "en": one.en, "certain": one.certain}
            for one in found.violations
        ],
        "digest": await digest_of(file),
        "size": file.stat().st_size,
    }


async def handed_on(facts: Facts, source: Path, output: Path) -> Facts:
    """The fact for ``output``, which keeps what was found of ``source``; none if nothing was."""
    known = facts.get(CONFORMANCE)
    if not isinstance(known, Mapping) or known.get("digest") != await digest_of(source):
        return {}
    return {CONFORMANCE: {**known, "digest": await digest_of(output), "size": output.stat().st_size}}


async def proven_part(facts: Facts, file: Path, profile: Profile) -> int:
    """Size of the first revision of ``file`` if it is the one that passed, else 0."""
    known = facts.get(CONFORMANCE)
    if not isinstance(known, Mapping) or known.get("profile") != profile or known.get("verdict") != Verdict.PASS:
        return 0
    size = int(known.get("size", 0))
    return size if known.get("digest") == await asyncio.to_thread(_digest, file, size) else 0


def _digest(file: Path, size: int) -> str:
    """SHA-256 of the first ``size`` bytes, in hex."""
    content = hashlib.sha256()
    with file.open("rb") as stream:
        while size > 0 and (block := stream.read(min(size, 1 << 20))):
            content.update(block)
            size -= len(block)
    return content.hexdigest()
