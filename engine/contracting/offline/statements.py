"""Checks what an evidence bundle states about its PDF files, intents and journal; revocation is not judged here.

Runs inside an evidence bundle: Python 3.8 and its standard library, nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from engine.contracting.offline.arithmetic import digest
from engine.contracting.offline.certificates import Certificate, Trust
from engine.contracting.offline.messages import TOKEN, Invalid, Message, Token

_RANGES = re.compile(rb"/ByteRange\s*\[\s*(\d{1,19})\s+(\d{1,19})\s+(\d{1,19})\s+(\d{1,19})\s*\]")
_HEX = re.compile(rb"<[0-9A-Fa-f]*>")


class Proven:
    """A signature that held: who, when by whose clock (None: only claimed), and the path to an anchor."""

    def __init__(
        self, signer: Certificate, at: datetime | None, authority: str, path: list[Certificate] | None
    ) -> None:
        self.signer = signer
        self.at = at
        self.authority = authority
        self.path = path


def canonical(value: Any) -> bytes:
    """The one form of a JSON value whose digest is taken: sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8")


def parse(content: bytes) -> Any:
    """JSON in which no name stands twice; raises ValueError."""
    return json.loads(content.decode("utf-8"), object_pairs_hook=_refuse_twins)


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice")
    return value


def check_ranges(pdf: bytes, stated: list[list[int]]) -> None:
    """Raise Invalid ``unlisted`` unless the file holds exactly the signatures that are listed."""
    found = sorted([int(number) for number in hit.groups()] for hit in _RANGES.finditer(pdf))
    if found != sorted(stated):
        raise Invalid("unlisted")


def check_signature(
    pdf: bytes, ranges: list[int], der: bytes, tokens: list[bytes], trust: Trust, otherwise: datetime
) -> Proven:
    """Check one signature or document timestamp of a PDF; raises Invalid, Malformed or Unknown.

    ``otherwise``: the time to judge the certificate for when no token says when.
    """
    covered, hole = _split(pdf, ranges)
    if not _HEX.fullmatch(hole):
        raise Invalid("hole")
    held = bytes.fromhex(hole[1:-1].decode("ascii"))
    if held[: len(der)] != der or held[len(der) :].strip(b"\0"):
        raise Invalid("hole")

    def over_ranges(name: str) -> bytes:
        return digest(name, covered)

    message = Message(der)
    if message.content is not None:
        return _stamped(Token(der), over_ranges, trust)
    message.check(over_ranges)
    if [node.raw for node in message.unsigned.get(TOKEN, [])] != tokens:
        raise Invalid("tokens")
    stamps = [_stamped(Token(token), lambda name: digest(name, message.signature), trust) for token in tokens]
    first = min(stamps, key=lambda stamp: stamp.at or otherwise) if stamps else None
    moment = first.at if first and first.at else otherwise
    path = trust.path(message.signer, message.certificates, moment)
    return Proven(message.signer, first.at if first else None, first.authority if first else "", path)


def _stamped(token: Token, digest_of: Callable[[str], bytes], trust: Trust) -> Proven:
    token.check(digest_of)
    signer = token.message.signer
    path = trust.path(signer, token.message.certificates, token.at)
    if path is None:
        raise Invalid("authority")
    return Proven(signer, token.at, signer.name, path)


def _split(pdf: bytes, ranges: list[int]) -> tuple[bytes, bytes]:
    """The bytes a signature covers, and those of its hole."""
    start, length, again, rest = ranges
    if start != 0 or not 0 < length < again or rest < 0 or again + rest > len(pdf):
        raise Invalid("ranges")
    return pdf[:length] + pdf[again : again + rest], pdf[length:again]


def check_intent(proof: Any, der: bytes, pdf: bytes, limit: int) -> None:
    """Raise Invalid unless the signature carries the proof's digest and the proof names what stood there before it.

    ``limit``: where the signature's hole begins; the proof's ``size`` first bytes of the file are what was agreed to.
    """
    if hashlib.sha256(canonical(proof)).digest() not in Message(der).octets():
        raise Invalid("intent")
    size = proof["size"]
    if not 0 < size <= limit or hashlib.sha256(pdf[:size]).hexdigest() != proof["document"]:
        raise Invalid("document")


def check_journal(entries: list[Any]) -> None:
    """Recompute every entry's digest from its predecessor's; raise Invalid with the number of the first wrong one."""
    before: dict[str, Any] = {}
    for entry in entries:
        head = canonical([entry["seq"], entry["id"], entry["microseconds"], entry["run"], entry["event"]])
        previous = bytes.fromhex(entry["previous"])
        found = hashlib.sha256(previous + head + entry["detail"].encode("utf-8")).hexdigest()
        follows = not before or entry["seq"] > before["seq"] + 1 or (
            entry["seq"] == before["seq"] + 1 and entry["previous"] == before["digest"]
        )  # fmt: skip
        if found != entry["digest"] or not follows:
            raise Invalid("entry %s" % entry["seq"])
        before = entry


def finished_files(entries: list[Any]) -> list[str]:
    """Digests of the finished files by the journal: as they were when the run ended, or renewed since."""
    files: list[str] = []
    for entry in entries:
        detail = parse(entry["detail"].encode("utf-8"))
        if entry["event"] == "finished":
            files = list(detail["head"])
        elif entry["event"] == "renewed" and detail["from"] in files:
            files[files.index(detail["from"])] = detail["to"]
    return files
