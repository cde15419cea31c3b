"""Says whether a good verdict on a spoilt file is false, from the raw bytes and from what a renderer shows."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import pypdfium2
from PIL import Image, ImageChops

from engine.trust.verdict import LEVELS, Integrity, Report, Trust

GOOD = (Integrity.VALID, Integrity.EXTENDED)
_RANGE = re.compile(rb"/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]")


@dataclass(frozen=True)
class Signed:
    """What signers of the untouched files really signed: end of the coverage and digest of the covered bytes."""

    coverages: frozenset[tuple[int, int, str]]
    trusted: bool
    """Somebody trusted is among them."""
    level: int
    """Place in LEVELS of the best level among them, -1 for none."""


def coverages(content: bytes) -> frozenset[tuple[int, int, str]]:
    """Of each ByteRange in the bytes: length of its first part, its end, and what it covers; without any parser."""
    found = set()
    for match in _RANGE.finditer(content):
        if any(len(number) > 12 for number in match.groups()):
            continue
        start, before, resume, after = map(int, match.groups())
        if start == 0 and before < resume and resume + after <= len(content):
            digest = hashlib.sha256(content[:before])
            digest.update(content[resume : resume + after])
            found.add((before, resume + after, digest.hexdigest()))
    return frozenset(found)


def signed_by(contents: list[bytes], reports: list[Report]) -> Signed:
    """Everything that may be found good later on."""
    signatures = [entry for report in reports for entry in report.signatures]
    return Signed(
        frozenset(coverage for content in contents for coverage in coverages(content)),
        any(entry.trust is Trust.TRUSTED for entry in signatures),
        max((LEVELS.index(entry.level) for entry in signatures if entry.level), default=-1),
    )


def judge_verdict(content: bytes, report: Report, honest: Signed) -> str | None:
    """Why a verdict is false, None when it may stand."""
    if report.integrity not in GOOD:
        return None
    if not report.signatures:
        return "good without a signature"
    here = coverages(content)
    for entry in report.signatures:
        mine = {coverage for coverage in here if coverage[1] == entry.covered}
        if not mine & honest.coverages:
            return f"{entry.fields[0]} covers bytes that nobody signed"
        if entry.trust is Trust.TRUSTED and not honest.trusted:
            return f"{entry.fields[0]} became trusted"
        if entry.level and LEVELS.index(entry.level) > honest.level:
            return f"{entry.fields[0]} rose to {entry.level}"
    widest = max(entry.covered for entry in report.signatures)
    if widest == len(content) or not content[widest:].strip():
        return None
    if report.integrity is Integrity.VALID:
        return "valid, yet bytes follow that no signature covers"
    told = any(
        change.code in ("later.form", "later.fields") for entry in report.signatures for change in entry.later_changes
    )
    return _differs(content[:widest], content, with_fields=not told)


def _differs(old: bytes, new: bytes, *, with_fields: bool) -> str | None:
    """Whether the pages show something else than what was signed; fields may, if the verdict says that some changed."""
    try:
        before, after = pypdfium2.PdfDocument(old), pypdfium2.PdfDocument(new)
    except pypdfium2.PdfiumError:
        return None  # a renderer that shows nothing shows nothing false
    both = (before, after)
    try:
        if len(before) != len(after):
            return "pages were added or removed"
        for document in both:
            document.init_forms()
        for number in range(min(len(before), 5)):
            one, other = (_draw(document, number, with_fields) for document in both)
            if one.size != other.size or ImageChops.difference(one, other).getbbox():
                return f"page {number + 1} shows something else"
    except pypdfium2.PdfiumError:
        return None
    finally:
        for document in both:
            document.close()
    return None


def _draw(document: pypdfium2.PdfDocument, number: int, with_fields: bool) -> Image.Image:
    page = document[number]
    drawn: Image.Image = page.render(scale=0.5, may_draw_forms=with_fields, draw_annots=with_fields).to_pil()
    page.close()
    return drawn
