"""What a check of a signed file found, as plain data; no verdict sounds better than it is."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from engine.language import Text
from engine.trust.indications import Indication, SubIndication, worst_indication


class Integrity(StrEnum):
    """Whether the bytes are those that were signed; says nothing about who signed."""

    VALID = "valid"
    """Signed and unchanged since."""
    EXTENDED = "extended"
    """Signed; later additions are of the kinds the signature allows, and they are listed."""
    MODIFIED = "modified"
    """Signed; later the file was changed in ways the signature does not allow, or is not covered as it claims."""
    BROKEN = "broken"
    """A signature does not fit the bytes, or is malformed."""
    INDETERMINATE = "indeterminate"
    """Cannot be judged: unknown algorithm, format or damage."""
    UNSIGNED = "unsigned"
    """Holds no signature."""


class Trust(StrEnum):
    """Whether the signer's certificate leads to somebody we trust; says nothing about the bytes."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    REVOKED = "revoked"
    EXPIRED = "expired"
    UNCHECKED = "unchecked"
    """No anchors were given."""


_WORST_FIRST = (Integrity.BROKEN, Integrity.MODIFIED, Integrity.INDETERMINATE, Integrity.EXTENDED, Integrity.VALID)
_LEAST_TRUSTED_FIRST = (Trust.REVOKED, Trust.UNTRUSTED, Trust.EXPIRED, Trust.UNCHECKED, Trust.TRUSTED)
LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")
"""PAdES baseline levels (EN 319 142-1), lowest first."""


class Finding(msgspec.Struct, frozen=True):
    """One thing a person should know: a stable code and a sentence in both languages."""

    code: str
    zh: str
    en: str

    @property
    def text(self) -> Text:
        return Text(zh=self.zh, en=self.en)


class Stamp(msgspec.Struct, frozen=True):
    """A timestamp token: ``at`` is proven only if ``trust`` is trusted. ``scope``: signature or document."""

    at: datetime
    authority: str
    trust: Trust
    scope: str


_MOST_PLACES = 6


class SignatureVerdict(msgspec.Struct, frozen=True):
    """One signature (``kind`` "signature") or document timestamp ("timestamp").

    ``fields``: the form fields that show it. ``level``: PAdES baseline level its own evidence supports, None when it
    is no PAdES signature or its integrity failed. ``covered``: bytes of the file, from its start, that it protects.
    """

    kind: str
    fields: tuple[str, ...]
    integrity: Integrity
    trust: Trust
    findings: tuple[Finding, ...] = ()
    later_changes: tuple[Finding, ...] = ()
    level: str | None = None
    signer: str | None = None
    issuer: str | None = None
    serial: str | None = None
    certificate: str | None = None
    """SHA-256 of the signer's certificate, hex."""
    algorithm: str | None = None
    claimed_at: datetime | None = None
    stamps: tuple[Stamp, ...] = ()
    covered: int = 0
    whole_file: bool = False
    reason: str | None = None
    location: str | None = None
    indication: Indication = Indication.INDETERMINATE
    """Status by EN 319 102-1; integrity and trust above say the same in plain words."""
    sub_indication: SubIndication | None = SubIndication.GENERIC
    value: str | None = None
    """The signature value, hex."""
    signed_digest: str | None = None
    """Digest of the covered bytes that the signer signed, hex; by the digest algorithm in ``algorithm``."""
    cms_digest: str | None = None
    """SHA-256 of the signature data, hex."""
    unknown_revocation: tuple[str, ...] = ()
    """Certificates below the anchor of which nothing at hand says whether they were revoked."""
    intent: str | None = None
    """Digest of the intent proof that the signature names, hex; None: it names none."""

    @property
    def places(self) -> str:
        """Names of its fields, cut short: a riding seal (骑缝章) shows one signature on every page."""
        more = len(self.fields) - _MOST_PLACES
        return ", ".join(self.fields[:_MOST_PLACES]) + (f" (+{more})" if more > 0 else "")

    @property
    def proven_at(self) -> datetime | None:
        """Earliest time a trusted timestamp proves."""
        return min((stamp.at for stamp in self.stamps if stamp.trust is Trust.TRUSTED), default=None)


class Report(msgspec.Struct, frozen=True):
    """The verdict on one file; ``digest`` is its SHA-256 in hex, ``checked_at`` the time the trust was judged for."""

    file: str
    size: int
    digest: str
    integrity: Integrity
    trust: Trust
    level: str | None
    signatures: tuple[SignatureVerdict, ...]
    findings: tuple[Finding, ...]
    checked_at: datetime

    @property
    def indication(self) -> Indication | None:
        """Status of the file by EN 319 102-1: the worst of its signatures, None when it has none."""
        signatures = [verdict for verdict in self.signatures if verdict.kind == "signature"] or list(self.signatures)
        worst = worst_indication(verdict.indication for verdict in signatures)
        if self.integrity is Integrity.BROKEN and Indication.FAILED in (v.indication for v in self.signatures):
            return Indication.FAILED  # a timestamp that fits nothing spoils the file, too
        if self.integrity is Integrity.BROKEN and worst is None:
            return Indication.FAILED
        if self.integrity in (Integrity.VALID, Integrity.EXTENDED, Integrity.UNSIGNED):
            return worst
        return Indication.INDETERMINATE if worst in (None, Indication.PASSED) else worst

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; times in UTC."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        plain["indication"] = self.indication
        for verdict, entry in zip(self.signatures, plain["signatures"], strict=True):
            entry["proven_at"] = msgspec.to_builtins(verdict.proven_at)
        return plain


def worse_integrity(one: Integrity, other: Integrity) -> Integrity:
    """Give the worse of two."""
    return min(one, other, key=_WORST_FIRST.index)


def worst_integrity(verdicts: tuple[SignatureVerdict, ...]) -> Integrity:
    """Integrity of a file from its signatures': the worst; additions are accounted for once a later one covers all."""
    if not verdicts:
        return Integrity.UNSIGNED
    worst = min((verdict.integrity for verdict in verdicts), key=_WORST_FIRST.index)
    if worst is Integrity.EXTENDED and any(verdict.whole_file for verdict in verdicts):
        return Integrity.VALID
    return worst


def least_trust(verdicts: tuple[SignatureVerdict, ...]) -> Trust:
    """Trust of a file: the least of its signatures'; document timestamps count only when there is nothing else."""
    signatures = [verdict for verdict in verdicts if verdict.kind == "signature"] or list(verdicts)
    return min((verdict.trust for verdict in signatures), key=_LEAST_TRUSTED_FIRST.index, default=Trust.UNCHECKED)


def lowest_level(verdicts: tuple[SignatureVerdict, ...]) -> str | None:
    """Level of a file: the lowest of its signatures', None when one has none."""
    levels = [verdict.level for verdict in verdicts if verdict.kind == "signature"]
    if not levels or None in levels:
        return None
    return min((level for level in levels if level), key=LEVELS.index)
