"""Shows a file with signatures to a PDF/A validator that knows none: a copy with every field drawn into its page.

What a field or a signature may hold is therefore not judged here but in ``engine.pdf.form_clauses``. Where the
validator meets an entry it does not know, it says so and looks no deeper: such a file never passes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, Stream, pdfa

from engine.pdf import overlays
from engine.pdf.clauses import Violation
from engine.pdf.declaration import Profile
from engine.pdf.overlays import Flattened

_BESIDE = (Name.AcroForm, Name.DSS, Name.Perms)
"""What signing adds to a catalogue."""

_ASIDE = (Name.Annots, Name.Trans, Name.Dur)
"""What a page has beside its content: drawn by now, or lawful and unknown to the validator."""


def check_twin(pdf: Pdf, profile: Profile) -> list[Violation]:
    """Judge everything a page shows, fields included; ``pdf`` becomes the twin."""
    for page in pdf.pages:
        over = overlays.appearance_commands(pdf, page.obj, Flattened(), stale=False)
        if over:
            content = page.obj.get(Name.Contents)
            before = list(content) if isinstance(content, Array) else [content] if content is not None else []
            page.obj[Name.Contents] = Array([*before, pdf.make_stream(b"\n" + over)])
        for key in _ASIDE:
            if key in page.obj:
                del page.obj[key]
    for key in _BESIDE:
        if key in pdf.Root:
            del pdf.Root[key]
    written = io.BytesIO()
    # Streams stay as they are: the library would make a forbidden filter a good one.
    pdf.save(
        written,
        compress_streams=False,
        stream_decode_level=pikepdf.StreamDecodeLevel.none,
        fix_metadata_version=False,
        deterministic_id=True,
    )
    written.seek(0)
    return _violations(pdfa.validate_written(written, _flavour(profile)))


def check_appearances(pdf: Pdf, profile: Profile, passed: Collection[str]) -> tuple[list[Violation], str]:
    """Judge the pictures of fields alone, beside the metadata and output intent of their document.

    Gives violations and the digest of all that was judged; what is among ``passed`` is not judged again: every
    contract of a company carries the same seals.
    """
    with Pdf.new() as sheet:
        pictures = Dictionary()
        for page in pdf.pages:
            annotations = page.obj.get(Name.Annots)
            for annotation in annotations if isinstance(annotations, Array) else ():
                states = annotation.get(Name.AP) if isinstance(annotation, Dictionary) else None
                picture = states.get(Name.N) if isinstance(states, Dictionary) else None
                if isinstance(picture, Stream) and len(picture.read_raw_bytes()):
                    pictures[f"/Over{len(pictures)}"] = sheet.copy_foreign(picture)
        blank = sheet.add_blank_page().obj
        blank[Name.Resources] = Dictionary(XObject=pictures)
        blank[Name.Contents] = sheet.make_stream(" ".join(f"{name} Do" for name in pictures).encode("ascii"))
        for key in (Name.Metadata, Name.OutputIntents):
            value = pdf.Root.get(key)
            if value is not None:
                sheet.Root[key] = sheet.copy_foreign(value if value.is_indirect else pdf.make_indirect(value))
        digest = _digest(sheet, profile)
        if digest in passed:
            return [], digest
        return _violations(pdfa.check(sheet, _flavour(profile), deterministic_id=True)), digest


def _digest(pdf: Pdf, profile: Profile) -> str:
    content = hashlib.sha256(profile.encode("ascii"))
    for item in pdf.objects:
        content.update(item.stream_dict.unparse() if isinstance(item, Stream) else item.unparse(resolved=True))
        if isinstance(item, Stream):
            content.update(item.read_raw_bytes())
    return content.hexdigest()


def _flavour(profile: Profile) -> str:
    return profile.removeprefix("PDF/A-")


def _violations(report: pdfa.Report) -> list[Violation]:
    return [_violation(finding) for finding in report.findings]


def _violation(finding: pdfa.Finding) -> Violation:
    source, _, rule = finding.rule.partition(":")
    clause = rule.partition("-")[0] if source.startswith("ISO") else ""
    certain = finding.kind == "violation" and bool(clause)  # without a clause the library met what it does not know
    zh = f"不符合要求（{finding.message}）" if certain else f"无法判断（{finding.message}）"
    return Violation(clause, finding.where, zh, finding.message, certain)
