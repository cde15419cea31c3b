"""Reads the signatures of a PDF and judges each; runs in a limited child because it parses foreign bytes."""

from __future__ import annotations

import asyncio
import mmap
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import IO

from asn1crypto import cms, core, parser
from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.generic import DictionaryObject, IndirectObject
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

import engine.trust.hexadecimal  # makes reading signatures quick
import engine.trust.identities  # and finding their certificates
import engine.trust.references  # reads what real writers write
import engine.trust.usages  # noqa: F401 - makes comparing many revisions quick
from engine.trust.comparison import compare_later
from engine.trust.coverage import BEYOND, Coverage, measure_coverage
from engine.trust.entries import Entry
from engine.trust.evidence import Evidence, read_store, value_at
from engine.trust.judgement import judge_entries
from engine.trust.paths import Material
from engine.trust.proofs import Doubt, Proof, check_signature, check_token
from engine.trust.suites.digests import digest_bytes
from engine.trust.verdict import (
    Finding,
    Integrity,
    Report,
    least_trust,
    lowest_level,
    worse_integrity,
    worst_integrity,
)

_PADES = "/ETSI.CAdES.detached"
_DETACHED = {_PADES, "/adbe.pkcs7.detached"}
_TIMESTAMP = "/ETSI.RFC3161"
_NOTHING = Evidence()
_OVER_SHA1 = "/adbe.pkcs7.sha1"
"""Signs the SHA-1 of the bytes as its content (ISO 32000-1, 12.8.3.3); deprecated, but met in archives."""


def inspect_file(
    file: Path,
    digest: str,
    anchors: tuple[bytes, ...],
    moment: datetime,
    only: str | None = None,
    later: bool = True,
    found: Evidence = _NOTHING,
    retired: Mapping[bytes, datetime] = MappingProxyType({}),
) -> Report:
    """Verdict on one file; ``digest`` is its SHA-256, ``anchors`` DER certificates, ``moment`` the time of judgement.

    ``only``: look at the signature of this field alone. ``later``: judge what was done after each signature.
    ``found``: evidence beside what the file holds. ``retired``: from when on an anchor is believed no more.
    """
    with file.open("rb") as stream:
        entries, findings, material = _read(file, stream, anchors, only, later)
        material = replace(material, found=found, retired=dict(retired))
        verdicts = asyncio.run(judge_entries(entries, material, moment)).verdicts
    integrity = worst_integrity(verdicts)
    if findings and verdicts:
        integrity = worse_integrity(integrity, Integrity.INDETERMINATE)
    elif findings:
        locked = any(finding.code == "document.encrypted" for finding in findings)
        integrity = Integrity.BROKEN if _count_signatures(file) and not locked else Integrity.INDETERMINATE
    return Report(
        file=file.name,
        size=file.stat().st_size,
        digest=digest,
        integrity=integrity,
        trust=least_trust(verdicts),
        level=lowest_level(verdicts) if integrity in (Integrity.VALID, Integrity.EXTENDED) else None,
        signatures=verdicts,
        findings=tuple(findings),
        checked_at=moment,
    )


def list_unproven(file: Path, anchors: tuple[bytes, ...], moment: datetime) -> tuple[tuple[bytes, ...], ...]:
    """Trusted paths, certificate to anchor, of which the file does not say for all whether they were revoked; DER."""
    with file.open("rb") as stream:
        entries, _, material = _read(file, stream, anchors, None, later=False)
        return asyncio.run(judge_entries(entries, material, moment)).unproven


def _read(
    file: Path, stream: IO[bytes], anchors: tuple[bytes, ...], only: str | None, later: bool
) -> tuple[list[Entry], list[Finding], Material]:
    material = Material(anchors, Evidence())
    try:
        reader = PdfFileReader(stream, strict=False)
        if reader.encrypted and not _open(reader):
            return [], [_locked()], material
        entries = examine_entries(reader, stream, only, later)
        material = Material(anchors, read_store(reader.root))
        for entry in entries:
            if entry.kind == "timestamp":
                entry.evidence = read_store(reader.get_historical_root(entry.revision))
        if entries and only is None and _count_signatures(file) > len(entries) + _count_rights(reader):
            return entries, [_lost()], material
    except RecursionError:
        return [], [_unreadable("nested too deeply")], material
    except Exception as error:  # whatever a parser throws at a hostile file is a verdict on that file
        return [], [_unreadable(str(error) or type(error).__name__)], material
    return entries, [], material


def examine_entries(
    reader: PdfFileReader, stream: IO[bytes], only: str | None = None, later: bool = True
) -> list[Entry]:
    """All signatures of a file, or that of one field, with everything that can be said without trust."""
    entries = _find_entries(reader, only)
    newer = None
    for entry in reversed(entries):
        _examine(entry, stream)
        if later and entry.embedded is not None:
            newer = compare_later(entry, entry.embedded, reader, stream, newer)
    return entries


def _find_entries(reader: PdfFileReader, only: str | None) -> list[Entry]:
    """Signature dictionaries once each, in the order of their revisions, with all fields that point to them."""
    found: dict[tuple[int, int] | int, Entry] = {}
    for name, value, reference in enumerate_sig_fields(reader, filled_status=True, with_name=only):
        raw = reference.get_object().raw_get("/V")
        if not isinstance(raw, IndirectObject):
            raw.reference = raw.container_ref  # the library asks every signature for it; this one lives in its field
        key = (raw.idnum, raw.generation) if isinstance(raw, IndirectObject) else id(value)
        if key in found:
            found[key].fields.append(str(name))
            continue
        dictionary = value.get_object()
        kind = "timestamp" if str(value_at(dictionary, "/SubFilter")) == _TIMESTAMP else "signature"
        entry = Entry([str(name)], None, kind, Coverage(0, False))
        found[key] = entry
        form = str(value_at(dictionary, "/SubFilter"))
        if form not in {*_DETACHED, _TIMESTAMP, _OVER_SHA1}:
            entry.worsen(Integrity.INDETERMINATE, _finding_format(form))
            continue
        try:
            entry.embedded = EmbeddedPdfSignature(reader, reference, name)
            entry.revision = entry.embedded.signed_revision
        except Exception as error:  # as in _read: malformed signature data is a verdict
            entry.worsen(Integrity.BROKEN, _malformed(error))
    return sorted(found.values(), key=lambda entry: entry.revision)


def _examine(entry: Entry, stream: IO[bytes]) -> None:
    """Everything about one signature that needs no trust."""
    embedded = entry.embedded
    if embedded is None:
        return
    entry.coverage = measure_coverage(stream, embedded.byte_range, embedded.pkcs7_content)
    if entry.coverage.oddity == BEYOND:
        entry.worsen(Integrity.BROKEN, _missing_bytes())
    if entry.coverage.uneven:
        entry.findings.append(_uneven())
    try:
        _refuse_stowaways(embedded.pkcs7_content)
        if entry.kind == "timestamp":
            entry.proof, stamped = check_token(embedded.signed_data, embedded.compute_digest)
            entry.stamped_at = stamped["gen_time"].native
        elif str(value_at(embedded.sig_object, "/SubFilter")) == _OVER_SHA1:
            entry.proof = _check_over_sha1(embedded)
        else:
            _refuse_own_content(embedded.signed_data)
            entry.proof = check_signature(embedded.signed_data, "data", embedded.compute_digest)
    except Doubt as doubt:
        entry.worsen(doubt.integrity, doubt.finding)
    except Exception as error:  # as in _read
        entry.worsen(Integrity.BROKEN, _malformed(error))
    if entry.proof is not None and "sha1" in entry.proof.algorithm:
        entry.findings.append(_weak())
    _read_stamps(entry)


def _refuse_stowaways(contents: bytes) -> None:
    """Nothing covers what stands behind the CMS in its hole; only the zeros of the padding may."""
    if contents[parser.peek(contents) :].strip(b"\0"):
        raise Doubt(
            Integrity.MODIFIED,
            Finding(
                "signature.stowaway",
                "签名数据之后藏有不受保护的内容。",
                "Behind the signature data there is something nobody signed.",
            ),
        )


def _refuse_own_content(signed: cms.SignedData) -> None:
    content = signed["encap_content_info"]["content"]
    if content.native is not None:
        raise Doubt(
            Integrity.BROKEN,
            Finding(
                "signature.own_content",
                "签名数据自带内容，与 PDF 的分离式签名规范不符，签名无效。",
                "The signature brings its own content; a detached PDF signature must not, so it is invalid.",
            ),
        )


def _check_over_sha1(embedded: EmbeddedPdfSignature) -> Proof:
    content = embedded.signed_data["encap_content_info"]["content"].native
    proof = check_signature(
        embedded.signed_data, "data", lambda name: digest_bytes(name, bytes(content or b"")), bare=True
    )
    if content != embedded.compute_digest("sha1"):
        raise Doubt(
            Integrity.BROKEN,
            Finding(
                "signature.digest",
                "文件内容与签名时不一致：签名保护的内容已被改动。",
                "The content is not what was signed: protected bytes were changed.",
            ),
        )
    return proof


def _read_stamps(entry: Entry) -> None:
    """Signature timestamps among the unsigned attributes; a wrong one is told, because it proves nothing."""
    if entry.proof is None or entry.kind == "timestamp":
        return
    value = entry.proof.info["signature"].native
    try:
        attributes = entry.proof.info["unsigned_attrs"]
        tokens = [
            token["content"]
            for attribute in (() if attributes is core.VOID else attributes)
            if attribute["type"].native == "signature_time_stamp_token"
            for token in attribute["values"]
        ]
        for token in tokens:
            proof, stamped = check_token(token, lambda name: digest_bytes(name, value))
            entry.stamps.append((proof, stamped["gen_time"].native))
    except Doubt as doubt:
        entry.worsen(Integrity.INDETERMINATE, doubt.finding)
    except Exception as error:  # as in _read
        entry.worsen(Integrity.INDETERMINATE, _malformed(error))


def _count_signatures(file: Path) -> int:
    """Signatures that stand in the bytes, whether or not the form still leads to them; copies of one count once."""
    if not file.stat().st_size:
        return 0
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return len({tuple(found[1].split()) for found in re.finditer(rb"/ByteRange\s*\[([^\]<>]{0,200})", view)})


def _count_rights(reader: PdfFileReader) -> int:
    """Usage rights (ISO 32000-1, 12.8.2.3): signatures of a program's maker that no field shows."""
    permissions = value_at(reader.root, "/Perms")
    names = permissions if isinstance(permissions, DictionaryObject) else {}
    return sum(1 for name in ("/UR", "/UR3") if name in names)


def _open(reader: PdfFileReader) -> bool:
    """Whether the file opens without a password or key."""
    try:
        return reader.decrypt("").status is not AuthStatus.FAILED
    except PdfError:
        return False


def _finding_format(form: str) -> Finding:
    return Finding(
        "signature.format",
        f"签名格式 {form} 不受支持，无法判断签名是否有效。",
        f"The signature format {form} is not supported; the signature cannot be judged.",
    )


def _missing_bytes() -> Finding:
    return Finding(
        "signature.missing_bytes",
        "签名所保护的一部分内容不在文件中，文件可能被截断。",
        "A part of what the signature protects is not in the file; it may have been cut off.",
    )


def _uneven() -> Finding:
    return Finding(
        "signature.uneven_digits",
        "签名数据的十六进制字符大小写混杂或夹有空白：其值未变，但签署之后有程序改写过这些字符。",
        "The hexadecimal digits of the signature mix cases or have blanks among them: their value is the same, "
        "but something rewrote them after signing.",
    )


def _lost() -> Finding:
    return Finding(
        "document.lost_signature",
        "文件中有签名数据不再属于任何签名域，可能有签名被移除。",
        "The file holds signature data that no field leads to; a signature may have been removed.",
    )


def _locked() -> Finding:
    return Finding(
        "document.encrypted",
        "文件已加密，没有密码或密钥无法打开，因此无法判断其中的签名。请提供解除加密的原件。",
        "The file is encrypted and does not open without its password or key, so its signatures cannot be judged. "
        "Ask for it without encryption.",
    )


def _weak() -> Finding:
    return Finding(
        "signature.weak_digest",
        "签名使用 SHA-1 摘要，今天已不能排除两份文件摘要相同的可能。",
        "The signature rests on SHA-1; today two files with one such digest can be made.",
    )


def _unreadable(why: str) -> Finding:
    return Finding(
        "document.unreadable", f"文件结构无法读取（{why}）。", f"The structure of the file cannot be read ({why})."
    )


def _malformed(error: Exception) -> Finding:
    why = str(error) or type(error).__name__
    return Finding(
        "signature.malformed", f"签名数据的格式不符合规范（{why}）。", f"The signature data is malformed ({why})."
    )
