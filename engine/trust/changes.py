"""Hands out what each signer signed: the signed revision, byte for byte, and pictures of the pages that look different.

A signature that fits no bytes has no signed revision. At most five revisions of a file are compared, the oldest first.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from engine.errors import SealflowError
from engine.language import Text
from engine.pdf.page_comparison import PagesCompared, compare_pages
from engine.sandbox import Caller
from engine.trust.verdict import Integrity, Report, SignatureVerdict

_MOST_REVISIONS = 5
_BLOCK = 1 << 20


@dataclass(frozen=True)
class PageChanges:
    """How the pages changed since a signature; ``pages`` is None, with the reason, when they cannot be drawn."""

    field: str
    pages: PagesCompared | None
    reason: Text | None = None


async def extract_revisions(file: Path, report: Report, folder: Path) -> tuple[Path, ...]:
    """Write what each signature covers, from the file's start to the end of its revision, as ``<number>-<field>.pdf``.

    Raises OSError when the folder cannot be written.
    """
    return await asyncio.to_thread(_extract, file, report, folder)


def _extract(file: Path, report: Report, folder: Path) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, entry in enumerate(report.signatures, 1):
        if not _has_revision(entry):
            continue
        goal = folder / f"{_name(number, entry)}.pdf"
        with file.open("rb") as source, goal.open("wb") as sink:
            left = entry.covered
            while left and (block := source.read(min(left, _BLOCK))):
                sink.write(block)
                left -= len(block)
        written.append(goal)
    return tuple(written)


async def draw_changes(
    sandbox: Caller, file: Path, report: Report, folder: Path, *, pictures: int = 12
) -> tuple[PageChanges, ...]:
    """Compare the pages each signer signed with those of the file; ``pictures``: how many PNG files to write at most.

    Raises OSError when the folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: list[PageChanges] = []
    seen: set[int] = set()
    for number, entry in enumerate(report.signatures, 1):
        if not _has_revision(entry) or entry.covered >= report.size or entry.covered in seen:
            continue
        if len(seen) == _MOST_REVISIONS:
            break
        seen.add(entry.covered)
        try:
            pages = await sandbox.call(compare_pages, file, entry.covered, folder, _name(number, entry), pictures)
        except SealflowError as error:
            found.append(PageChanges(entry.fields[0], None, error.text))
            continue
        pictures -= sum(page.picture is not None for page in pages.differing)
        found.append(PageChanges(entry.fields[0], pages))
    return tuple(found)


def _has_revision(entry: SignatureVerdict) -> bool:
    """Whether the bytes up to the end of the coverage are what was signed."""
    if entry.integrity in (Integrity.VALID, Integrity.EXTENDED):
        return True
    uncovered = any(finding.code == "signature.coverage" for finding in entry.findings)
    return entry.integrity is Integrity.MODIFIED and entry.covered > 0 and not uncovered


def _name(number: int, entry: SignatureVerdict) -> str:
    field = re.sub(r"[^\w.-]+", "_", entry.fields[0])[:60]
    return f"{number:02d}-{field}"
