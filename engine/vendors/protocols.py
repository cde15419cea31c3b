"""Protocols per vendor capability (at most four methods each) and the values that cross them.

A provider may also have ``async def close(self) -> None``; the registry calls it when the process ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable


@runtime_checkable
class Storage(Protocol):
    """Content store (内容存储): bytes by their sha256, written once, never changed.

    A digest is 64 lower-case hex digits.
    """

    async def put(self, source: Path) -> str:
        """Store a copy durably if absent and return its digest; safe to repeat, also at the same moment elsewhere.

        Content that was already there counts as stored now. Raises Rejected ``document.missing``, Unavailable
        ``storage.full`` or ``storage.unavailable``; after an error nothing half-written can be seen.
        """
        ...

    async def get(self, digest: str, workspace: Path) -> Path:
        """Give a readable local file whose digest was checked just now; it may lie in ``workspace``, never change it.

        Raises Rejected ``storage.missing``, Defect ``storage.corrupt``, Unavailable ``storage.unavailable``.
        """
        ...

    def digests(self, stored_before: datetime) -> AsyncIterator[str]:
        """Digests stored before an instant, for the orphan collector."""
        ...

    async def delete(self, digest: str) -> None:
        """Remove one content; absent content is no error."""
        ...


@dataclass(frozen=True, slots=True)
class Sms:
    """A text message (短信): number in E.164, the name of a template agreed with the vendor, and its variables."""

    phone: str
    template: str
    values: Mapping[str, str]


class SmsState(StrEnum):
    """What a vendor knows of one message."""

    UNKNOWN = "unknown"  # the vendor never accepted it: sending is safe
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILED = "failed"  # accepted, then not delivered


@dataclass(frozen=True, slots=True)
class SmsReport:
    """State of one message; ``reference`` is the vendor's own number, ``reason`` the vendor's word on a failure."""

    state: SmsState
    reference: str | None = None
    reason: str | None = None


@runtime_checkable
class SmsSender(Protocol):
    """Sends text messages (短信服务)."""

    async def send(self, message: Sms, key: str) -> SmsReport:
        """Send once per idempotency ``key``; a repeated key gives the first report without sending again.

        Raises Rejected ``sms.number``, ``sms.template`` or ``sms.refused``; Unavailable ``sms.unavailable`` only if
        the message was surely not sent, else InDoubt ``sms.in_doubt`` (then ``status`` may tell).
        """
        ...

    async def status(self, key: str, phone: str, sent_after: datetime) -> SmsReport:
        """Ask the vendor what became of ``key``; raises Unavailable ``sms.unavailable``.

        ``phone`` and ``sent_after`` are for vendors that search by number and day only.
        """
        ...


@dataclass(frozen=True, slots=True)
class Person:
    """A natural person as on the identity document; ``document`` is its kind: ``resident_id``, ``passport`` …"""

    name: str
    number: str
    document: str = "resident_id"


@dataclass(frozen=True, slots=True)
class FaceCheck:
    """A begun check: the vendor's id, the address to open or show as a QR code, and until when it can be used."""

    id: str
    url: str
    expires_at: datetime


class FaceState(StrEnum):
    """Outcome of a face check as the vendor tells it."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class FaceResult:
    """What the vendor says of one check; ``purpose`` and ``digest`` are the ones it was begun with.

    ``evidence`` is the vendor's own answer as received, without images or video; ``reason`` explains a failure.
    """

    state: FaceState
    purpose: str
    digest: str
    checked_at: datetime | None = None
    reason: str | None = None
    evidence: bytes = b""


@runtime_checkable
class FaceVerifier(Protocol):
    """Checks that the person before the camera is the person named (人脸核身), bound to a purpose."""

    async def start(self, person: Person, purpose: str, digest: str, key: str) -> FaceCheck:
        """Begin a check once per idempotency ``key``.

        ``purpose`` is shown to the person; ``digest`` (sha256, hex) is what the proof is bound to, such as the bytes
        the person saw. Raises Rejected ``face.person`` (the vendor cannot check this kind of document or refuses the
        data), Unavailable ``face.unavailable``.
        """
        ...

    async def result(self, id: str) -> FaceResult:
        """Ask the vendor itself, never a browser or callback; Rejected ``face.missing`` for an id it does not know."""
        ...


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """What a one-time certificate is asked for.

    ``pkcs10``: DER (RFC 2986) signed with the new key, whose public half is to be certified. ``name``, ``number``: whom
    exactly it must name. ``proof``: what the party's identity and will were proved by, as JSON.
    """

    pkcs10: bytes
    name: str
    number: str | None = None
    proof: bytes = b""


@runtime_checkable
class CertificateIssuer(Protocol):
    """Certifies a key that makes one signature and is forgotten (一次性证书, 事件证书)."""

    async def issue(self, request: CertificateRequest, key: str) -> tuple[bytes, ...]:
        """Give the chain in DER, the new certificate first, the root left out or last.

        Once per idempotency ``key``: the same request again gives the same certificate. Raises Rejected
        ``certificate.request`` (no PKCS#10, or not signed with its own key) or ``certificate.refused`` (the authority
        will not certify this party), Unavailable ``certificate.unavailable``.
        """
        ...


@dataclass(frozen=True, slots=True)
class RecognizedLine:
    """One line of text; ``box`` is its four corners (x, y) in pixels of the image, clockwise from the upper left."""

    text: str
    box: tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
    confidence: float


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was read on one upright page image; width and height in pixels, lines in reading order."""

    width: int
    height: int
    lines: tuple[RecognizedLine, ...]


@runtime_checkable
class OcrEngine(Protocol):
    """Reads text on page images (文字识别)."""

    async def recognize(self, image: Path, languages: tuple[str, ...]) -> Recognition:
        """Read one upright PNG or JPEG; languages are BCP 47 tags such as ``zh-Hans`` and ``en``.

        Raises Rejected ``ocr.language`` or ``ocr.unreadable``, Unavailable ``ocr.unavailable``.
        """
        ...
