"""Judges whether a file, signed or not, is PDF/A level B; structure and readable text (levels A and U) are not judged.

Three judges share the work: a validator looks at a twin without fields (``twins``), our own tests at how the file is
written (``syntax``) and at fields and signatures (``form_clauses``). What no judge knows counts against ``pass``.
"""

from __future__ import annotations

import contextlib
import io
import mmap
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec
import pikepdf
from pikepdf import Dictionary, Name, Pdf

from engine.errors import Rejected
from engine.pdf import form_clauses, intake, syntax, twins
from engine.pdf.clauses import Violation
from engine.pdf.declaration import Profile
from engine.pdf.syntax import Buffer

MOST_VIOLATIONS = 50
"""Kept of one file; who has more reads the first."""


class Verdict(StrEnum):
    """Whether a file keeps its profile."""

    PASS = "pass"  # noqa: S105  # a word, not a password
    FAIL = "fail"
    UNDECIDED = "undecided"
    """Nothing is wrong for certain, but it holds something that nobody here can judge."""


class Conformance(msgspec.Struct, frozen=True):
    """The verdict (一致性结论) on one file for one profile."""

    profile: Profile
    verdict: Verdict
    violations: tuple[Violation, ...] = ()
    appearances: str | None = None
    """Digest of the pictures of all fields, where they were judged apart from the pages."""


def check_conformance(
    file: Path, profile: Profile = "PDF/A-2b", proven: int = 0, passed: tuple[str, ...] = ()
) -> Conformance:
    """Judge ``file``; call it in a limited child. Raises nothing for its bytes.

    ``proven``: size of a first revision that passed before. Then what was appended is judged alone, a tenth of the
    work, unless it changed more of the document than fields. ``passed``: ``appearances`` of files that passed.
    """
    appearances = None
    with _mapped(file) as data:
        try:
            with intake.reading(file.name), intake.open_pdf(file) as pdf:
                found, appearances = _violations(pdf, data, profile, proven, passed)
        except Rejected as refusal:
            found = [Violation("6.1", "file", refusal.text.zh, refusal.text.en)]
    return _conformance(profile, found, appearances)


def _violations(
    pdf: Pdf, data: Buffer, profile: Profile, proven: int, passed: tuple[str, ...]
) -> tuple[list[Violation], str | None]:
    written = syntax.read_syntax(data, proven)
    shortened = 0 < proven < len(data) and _adds_only_fields(pdf, data, proven, written.objects)
    if proven and not shortened:
        written = syntax.read_syntax(data)
    found = written.violations
    found += _check_trailer(pdf)
    found += form_clauses.check_forms(pdf, data)
    if shortened:
        others, appearances = twins.check_appearances(pdf, profile, passed)
        return found + others, appearances
    return found + twins.check_twin(pdf, profile), None  # last, as the twin is made of the document itself


def _conformance(profile: Profile, found: list[Violation], appearances: str | None) -> Conformance:
    certain = [violation for violation in found if violation.certain]
    verdict = Verdict.FAIL if certain else Verdict.UNDECIDED if found else Verdict.PASS
    ordered = certain + [violation for violation in found if not violation.certain]
    return Conformance(profile, verdict, tuple(ordered[:MOST_VIOLATIONS]), appearances)


def _check_trailer(pdf: Pdf) -> list[Violation]:
    found = []
    if Name.ID not in pdf.trailer:
        found.append(Violation("6.1.3", "trailer", "文件尾没有 ID", "the trailer has no ID"))
    if pdf.is_encrypted:
        found.append(Violation("6.1.3", "trailer", "文件被加密", "the file is encrypted"))
    return found


_GROWS = {"/Catalog": {"/AcroForm", "/DSS", "/Perms", "/Extensions"}, "/Page": {"/Annots"}}
"""Entries that signing may change in a catalogue and a page."""


def _adds_only_fields(pdf: Pdf, data: Buffer, size: int, appended: set[int]) -> bool:
    """Whether the objects ``appended`` behind ``size`` redefine nothing but fields and what leads to them."""
    if data.find(b"/ObjStm", size) >= 0:
        return False
    with pikepdf.open(io.BytesIO(data[:size]), conversion_mode="explicit") as base:
        last = int(base.trailer.get(Name.Size, 0))
        return all(
            number >= last or _grows(base.get_object(number, 0), pdf.get_object(number, 0)) for number in appended
        )


def _grows(before: pikepdf.Object | None, after: pikepdf.Object | None) -> bool:
    if not isinstance(before, Dictionary) or not isinstance(after, Dictionary):
        return False
    if before.get(Name.FT) == Name.Sig or before.get(Name.Subtype) == Name.Widget or Name.Fields in before:
        return True
    grown = _GROWS.get(intake.name_of(before.get(Name.Type)), set())
    was, now = dict(before.items()), dict(after.items())
    return all(_written(was.get(key)) == _written(now.get(key)) for key in (was.keys() | now.keys()) - grown)


def _written(value: pikepdf.Object | None) -> bytes | None:
    return None if value is None else value.unparse()


@contextlib.contextmanager
def _mapped(file: Path) -> Iterator[Buffer]:
    with file.open("rb") as stream:
        if not file.stat().st_size:  # nothing cannot be mapped
            yield b""
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data
