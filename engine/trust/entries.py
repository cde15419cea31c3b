"""One signature of a file on its way from bytes to a verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from engine.trust.coverage import Coverage
from engine.trust.evidence import Evidence
from engine.trust.proofs import Proof
from engine.trust.verdict import Finding, Integrity, worse_integrity


@dataclass
class Entry:
    """One signature dictionary on its way to a verdict."""

    fields: list[str]
    embedded: EmbeddedPdfSignature | None
    kind: str
    coverage: Coverage
    revision: int = 0
    proof: Proof | None = None
    integrity: Integrity = Integrity.VALID
    findings: list[Finding] = field(default_factory=list)
    later: list[Finding] = field(default_factory=list)
    stamps: list[tuple[Proof, datetime]] = field(default_factory=list)
    stamped_at: datetime | None = None
    evidence: Evidence = field(default_factory=Evidence)
    """For a document timestamp: what its revision covers."""

    def worsen(self, integrity: Integrity, finding: Finding) -> None:
        self.integrity = worse_integrity(self.integrity, integrity)
        self.findings.append(finding)

    @property
    def is_sound(self) -> bool:
        return self.integrity in (Integrity.VALID, Integrity.EXTENDED)
