"""Takes the signatures of a PDF apart into what can be checked without us; runs in a limited child, judges nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from asn1crypto import cms, core
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields

import engine.trust.hexadecimal  # makes reading signatures quick
import engine.trust.references  # noqa: F401 - reads what real writers write
from engine.trust.evidence import read_store, value_at
from engine.trust.preparation import reading

_END = re.compile(rb"%%EOF(?:\r\n|\r|\n)?")


class SignaturePart(msgspec.Struct, frozen=True):
    """One signature ("signature") or document timestamp ("timestamp"): where it stands and its DER."""

    field: str
    kind: str
    byte_range: tuple[int, int, int, int]
    message: bytes
    tokens: tuple[bytes, ...]
    certificates: tuple[bytes, ...]


class Revision(msgspec.Struct, frozen=True):
    """A state of the file: its first ``size`` bytes, their SHA-256 in hex, and the field whose signature ends it."""

    size: int
    digest: str
    field: str = ""


class Parts(msgspec.Struct, frozen=True):
    """What a signed PDF holds as proof, in the order of signing."""

    pages: int
    signatures: tuple[SignaturePart, ...]
    revisions: tuple[Revision, ...]
    certificates: tuple[bytes, ...]
    ocsps: tuple[bytes, ...]
    crls: tuple[bytes, ...]


def extract(source: Path) -> Parts:
    """Take a signed file apart; raises Rejected ``document.unreadable``."""
    content = source.read_bytes()
    with reading(), source.open("rb") as stream:
        reader = PdfFileReader(stream, strict=False)
        found = []
        for name, value, _ in enumerate_sig_fields(reader, filled_status=True):
            dictionary = value.get_object()
            first, length, again, rest = (int(number) for number in dictionary["/ByteRange"])
            kind = "timestamp" if value_at(dictionary, "/SubFilter") == "/ETSI.RFC3161" else "signature"
            message = _trimmed(dictionary.raw_get("/Contents").original_bytes)
            signed = cms.ContentInfo.load(message)["content"]
            tokens = tuple(_tokens(signed))
            carried = (*_certificates(signed), *(one for token in tokens for one in _certificates(_signed(token))))
            place = (first, length, again, rest)
            found.append(SignaturePart(str(name), kind, place, message, tokens, tuple(dict.fromkeys(carried))))
        found = list({part.byte_range: part for part in reversed(found)}.values())  # one may show in several fields
        found.sort(key=lambda part: part.byte_range[2] + part.byte_range[3])
        store = read_store(reader.root)
        pages = int(reader.root["/Pages"]["/Count"])
    revisions = tuple(_revisions(content, found))
    return Parts(pages, tuple(found), revisions, store.certificates, store.ocsps, store.crls)


def _revisions(content: bytes, signatures: list[SignaturePart]) -> Iterator[Revision]:
    """What stood there before the first signature, what each signature covers, and the whole file."""
    if signatures:
        ends = [hit.end() for hit in _END.finditer(content, 0, signatures[0].byte_range[1])]
        if ends:
            yield _revision(content, ends[-1])
    last = 0
    for part in signatures:
        last = part.byte_range[2] + part.byte_range[3]
        yield _revision(content, last, part.field)
    if last != len(content):
        yield _revision(content, len(content))


def _revision(content: bytes, size: int, field: str = "") -> Revision:
    return Revision(size, hashlib.sha256(memoryview(content)[:size]).hexdigest(), field)


def _trimmed(padded: bytes) -> bytes:
    """DER without the zeros that fill its hole."""
    whole: bytes = core.Sequence.load(padded).dump()
    return padded[: len(whole)]


def _signed(token: bytes) -> cms.SignedData:
    return cms.ContentInfo.load(token)["content"]


def _tokens(signed: cms.SignedData) -> Iterator[bytes]:
    (signer,) = signed["signer_infos"]
    attributes = signer["unsigned_attrs"]
    for attribute in () if attributes is core.VOID else attributes:
        if attribute["type"].native == "signature_time_stamp_token":
            yield from (token.dump() for token in attribute["values"])


def _certificates(signed: cms.SignedData) -> Iterator[bytes]:
    for choice in signed["certificates"]:
        if choice.name == "certificate":
            yield choice.chosen.dump()
