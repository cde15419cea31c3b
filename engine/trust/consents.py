"""Holds intent proofs against a signed PDF: named by the signature, about these bytes, and nothing slipped in between.

It proves what the service recorded when it used the key. That the vendor's answer was true, the vendor has to say.
Everything that reads the PDF belongs in a limited child.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import msgspec
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import (
    DEFAULT_DIFF_POLICY,
    FormUpdatingRule,
    GenericFieldModificationRule,
    ModificationLevel,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
)
from pyhanko.sign.fields import enumerate_sig_fields

from engine.errors import Rejected
from engine.language import Text
from engine.trust.differences import Comparison
from engine.trust.entries import Entry
from engine.trust.inspection import examine_entries
from engine.trust.intent import IntentProof, find_intent, read_proof
from engine.trust.preparation import reading

_POLICY = StandardDiffPolicy(
    DEFAULT_DIFF_POLICY.global_rules,
    FormUpdatingRule(
        [
            SigFieldCreationRule(),
            SigFieldModificationRule(),
            GenericFieldModificationRule(allow_in_place_appearance_stream_changes=False),
        ]
    ),
)
"""The library's default counts every field whose look could have been exchanged in place among the changed ones."""


class Standing(StrEnum):
    """What a signature's proof is worth."""

    BOUND = "bound"
    """Named by the signature, and about exactly the document that was signed."""
    OTHER_DOCUMENT = "other_document"
    """Named by the signature, but the document it is about is not the beginning of this file."""
    ALTERED = "altered"
    """The document was changed between the party's consent and its signature."""
    MISSING = "missing"
    """The signature names a proof that is not among those at hand."""
    NONE = "none"
    """The signature names no proof."""
    BROKEN = "broken"
    """The signature itself does not stand, so neither does what it names."""


WORDS = {
    Standing.BOUND: Text("意愿证明与所签文件一致", "The proof of intent is about the document that was signed"),
    Standing.OTHER_DOCUMENT: Text("意愿证明针对的是另一份文件", "The proof of intent is about another document"),
    Standing.ALTERED: Text(
        "取得意愿之后、签署之前，文件被改动", "The document was changed between consent and signature"
    ),
    Standing.MISSING: Text(
        "签名所引用的意愿证明不在所给文件中", "The proof of intent that the signature names is not here"
    ),
    Standing.NONE: Text("签名没有引用意愿证明", "The signature names no proof of intent"),
    Standing.BROKEN: Text("签名本身无效，意愿证明不予采信", "The signature does not stand, nor does what it names"),
}


class Consent(msgspec.Struct, frozen=True):
    """One signature and its proof, if that is at hand."""

    fields: tuple[str, ...]
    standing: Standing
    intent: str | None
    proof: IntentProof | None = None


def load_proofs(place: Path) -> tuple[IntentProof, ...]:
    """Proofs from a JSON file (one, a list, or an object of several) or from all ``*.json`` in a folder.

    Raises Rejected ``intent.malformed`` naming nothing but what is wrong.
    """
    files = sorted(place.glob("*.json")) if place.is_dir() else [place]
    found: list[IntentProof] = []
    for file in files:
        try:
            content = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise Rejected(
                "intent.unreadable",
                zh=f"无法读取意愿证明 {file}：{error}。请提供 JSON 文件。",
                en=f"The intent proofs {file} cannot be read: {error}. Hand in a JSON file.",
                file=str(file),
            ) from error
        if isinstance(content, dict) and "token" not in content:
            content = list(content.values())
        found += [read_proof(record) for record in (content if isinstance(content, list) else [content])]
    return tuple(found)


def check_consents(file: Path, proofs: tuple[IntentProof, ...]) -> tuple[Consent, ...]:
    """Judge every signature of a file, timestamps left out; raises Rejected ``document.unreadable``."""
    by_digest = {proof.digest.hex(): proof for proof in proofs}
    with reading(), file.open("rb") as stream:
        reader = PdfFileReader(stream, strict=False)
        entries = examine_entries(reader, stream)
        history = _History(reader, stream, entries)
        return tuple(_judge(entry, by_digest, history) for entry in entries if entry.kind == "signature")


def _judge(entry: Entry, proofs: dict[str, IntentProof], history: _History) -> Consent:
    named = find_intent(entry.proof.info) if entry.proof is not None else None
    proof = proofs.get(named or "")
    if not entry.is_sound:
        standing = Standing.BROKEN
    elif named is None:
        standing = Standing.NONE
    elif proof is None:
        standing = Standing.MISSING
    else:
        standing = history.judge(entry, proof)
    return Consent(tuple(entry.fields), standing, named, proof)


class _History:
    """The revisions of a file, and what each of them did."""

    def __init__(self, reader: PdfFileReader, stream: IO[bytes], entries: Sequence[Entry]) -> None:
        self._reader = reader
        self._stream = stream
        self._signed = {entry.revision for entry in entries if entry.is_sound}
        self._signature_fields = {str(name) for name, _, _ in enumerate_sig_fields(reader)}
        total = reader.xrefs.total_revisions
        self._ends = [reader.xrefs.get_xref_container_info(number).end_location for number in range(total)]
        self._lawful: dict[int, bool] = {}

    def judge(self, entry: Entry, proof: IntentProof) -> Standing:
        """Whether the proof's document is the file before a signature, and only signing followed until this one."""
        if not 0 < proof.size < entry.coverage.end or self._digest(proof.size) != proof.document:
            return Standing.OTHER_DOCUMENT
        first = next((number for number, end in enumerate(self._ends) if end > proof.size), None)
        if first is None or first not in self._signed or first > entry.revision:
            return Standing.ALTERED
        lawful = all(self._only_signs(number) for number in range(first, entry.revision + 1))
        return Standing.BOUND if lawful else Standing.ALTERED

    def _digest(self, size: int) -> str:
        digest = hashlib.sha256()
        self._stream.seek(0)
        while size > 0 and (block := self._stream.read(min(size, 1 << 20))):
            digest.update(block)
            size -= len(block)
        return digest.hexdigest()

    def _only_signs(self, number: int) -> bool:
        """Whether a revision signed, stamped or added evidence, and filled nothing in."""
        if number not in self._lawful:
            self._lawful[number] = number > 0 and self._filled(number) <= self._signature_fields
        return self._lawful[number]

    def _filled(self, number: int) -> set[str]:
        """Fields that a revision filled; a change that is none is told as a field without a name."""
        old, new = (self._reader.get_historical_resolver(revision) for revision in (number - 1, number))
        try:
            change = _POLICY.apply(old, new)
            if change.modification_level is not ModificationLevel.OTHER:
                return set(change.changed_form_fields)
        except Exception:  # noqa: S110  # the library gives up on forms that others accept: a second opinion follows
            pass
        return self._compared(number)

    def _compared(self, number: int) -> set[str]:
        try:
            comparison: Any = Comparison(self._reader, number - 1, lambda _: False, frozen=False, later=number)
            comparison.run()
        except Exception:  # a comparison that fails cannot vouch for the change
            return {""}
        return set(comparison.fields)
