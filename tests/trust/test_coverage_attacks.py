"""Files that claim a coverage they do not have, and structures made to confuse readers; none may look signed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.trust.verdict import Integrity
from tests.trust.forgery import (
    CATALOGUE,
    FIELD,
    HOLE,
    OBJECTS,
    PAGE,
    RANGE,
    SIGNATURE,
    TEXT,
    VALUE,
    append,
    seal,
    signed_pdf,
    write_pdf,
)
from tests.trust.paper import make_key
from tests.trust.test_later_changes import judge

logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
KEY = make_key("ec", "Sample Person", make_key("ec", "Sample Root", usage="ca"))
SIGNED = signed_pdf(KEY)
GREEN = (Integrity.VALID, Integrity.EXTENDED)


def between(content: bytes, start: bytes, end: bytes, new: bytes) -> bytes:
    """The content with what stands between two marks replaced, the length kept where it can be."""
    first = content.index(start) + len(start)
    last = content.index(end, first)
    return content[:first] + new.ljust(last - first) + content[last:]


def with_range(new: bytes) -> bytes:
    return between(SIGNED, b"/ByteRange[", b"]", new)


def with_contents(new: bytes) -> bytes:
    return between(SIGNED, b"/Contents<", b">", new)


def numbers() -> list[int]:
    return [int(number) for number in SIGNED.partition(b"/ByteRange[")[2].partition(b"]")[0].split()]


def der_digits() -> bytes:
    return SIGNED.partition(b"/Contents<")[2].partition(b">")[0]


_, BEFORE, RESUME, AFTER = numbers()
FALSE_CLAIMS = {
    "no range": SIGNED.replace(b"/ByteRange", b"/ByteRagne"),
    "an empty range": with_range(b""),
    "a range of nulls": with_range(b"null null null null"),
    "a range of zeros": with_range(b"0 0 0 0"),
    "a negative range": with_range(b"0 -1 %d %d" % (RESUME, AFTER)),
    "a range beyond the end": with_range(b"0 %d %d %d" % (BEFORE, RESUME, AFTER + 1)),
    "a huge range": with_range(b"0 %d %d %b" % (BEFORE, RESUME, b"9" * 18)),
    "an overlapping range": with_range(b"0 %d %d %d" % (BEFORE, BEFORE - 9, AFTER)),
    "a range that starts later": with_range(b"1 %d %d %d" % (BEFORE - 1, RESUME, AFTER)),
    "a range without the first bytes": with_range(b"9 %d %d %d" % (BEFORE - 9, RESUME, AFTER)),
    "a range without the last bytes": with_range(b"0 %d %d %d" % (BEFORE, RESUME, AFTER - 9)),
    "a wider gap": with_range(b"0 %d %d %d" % (BEFORE - 20, RESUME, AFTER)),
    "a range of two": with_range(b"0 %d" % BEFORE),
    "a range of six": with_range(b"0 9 9 9 20 %d" % AFTER),
    "a range of fractions": with_range(b"0 1.5 %d %d" % (RESUME, AFTER)),
    "a range of names": with_range(b"/a /b /c /d"),
    "no contents": SIGNED.replace(b"/Contents<", b"/Cnotents<"),
    "empty contents": SIGNED.replace(b"/Contents<" + der_digits() + b">", b"/Contents<>"),
    "contents of zeros": with_contents(b"0" * 6000),
    "odd contents": with_contents(der_digits()[:301]),
    "cut contents": with_contents(der_digits()[:1200].ljust(6000, b"0")),
    "contents of no hex": with_contents(b"xyz!" * 1500),
    "contents that are a name": SIGNED.replace(b"/Contents<" + der_digits() + b">", b"/Contents/Nothing"),
    "contents of null": SIGNED.replace(b"/Contents<" + der_digits() + b">", b"/Contents null"),
    "no sub-filter": SIGNED.replace(b"/SubFilter/ETSI.CAdES.detached", b"/SubFitler/ETSI.CAdES.detached"),
    "an unknown sub-filter": SIGNED.replace(b"ETSI.CAdES.detached", b"ETSI.CAdES.attached"),
    "garbage behind the end": SIGNED + b"garbage",
    "another file behind the end": SIGNED + write_pdf(OBJECTS | {VALUE: b"<<>>"}),
    "one changed byte": SIGNED.replace(b"(100)", b"(900)"),
    "another header": SIGNED.replace(b"%PDF-1.7", b"%PDF-1.4"),
}


@pytest.mark.parametrize("claim", FALSE_CLAIMS)
def test_a_false_claim_is_never_green(tmp_path: Path, claim: str) -> None:
    assert FALSE_CLAIMS[claim] != SIGNED
    report = judge(FALSE_CLAIMS[claim], tmp_path)
    assert report.integrity not in (*GREEN, Integrity.UNSIGNED)
    told = [*report.findings, *(finding for entry in report.signatures for finding in entry.findings)]
    assert told and all(finding.zh and finding.en for finding in told)


def wrap() -> bytes:
    """Signature wrapping: the signed bytes move behind, other content takes their place."""
    content = signed_pdf(KEY)
    tail = content[RESUME:]
    other = tail.replace(b"(100)", b"(900)")
    moved = content[:RESUME] + other + tail
    return moved.replace(
        b"/ByteRange[0 %d %d" % (BEFORE, RESUME), b"/ByteRange[0 %d %d" % (BEFORE, RESUME + len(other))
    )


def steal_signature() -> bytes:
    """The signature of one document in another."""
    other = write_pdf(OBJECTS | {TEXT: OBJECTS[TEXT].replace(b"100", b"900")})
    return other.replace(HOLE, b"<" + der_digits() + b">").replace(
        RANGE, b"[0 %d %d %d" % (BEFORE, RESUME, AFTER) + b" ]"
    )


def new_catalogue() -> bytes:
    """A revision whose trailer names another catalogue, with other pages and the old form."""
    objects = {
        30: OBJECTS[CATALOGUE].replace(b"2 0 R", b"31 0 R"),
        31: b"<</Type/Pages/Kids[32 0 R]/Count 1>>",
        32: OBJECTS[PAGE].replace(b"4 0 R", b"33 0 R").replace(b"2 0 R", b"31 0 R"),
        33: OBJECTS[TEXT].replace(b"100", b"900"),
    }
    return append(SIGNED, objects).replace(b"/Root 1 0 R/Prev", b"/Root 30 0 R/Prev")


def forget_history() -> bytes:
    """A revision that names no earlier one and brings all objects anew."""
    objects = OBJECTS | {
        TEXT: OBJECTS[TEXT].replace(b"100", b"900"),
        VALUE: SIGNED.partition(b"6 0 obj\n")[2].partition(b"\nendobj")[0],
    }
    content = append(SIGNED, objects)
    previous = content.rindex(b"/Prev ")
    return content[:previous] + content[previous:].replace(b"/Prev ", b"/Perv ", 1)


def hybrid() -> bytes:
    """A table for old readers, a stream for new ones, and they disagree (ISO 32000-2, 7.5.8.4)."""
    content = SIGNED + b"\n"
    text = len(content)
    content += b"40 0 obj\n%b\nendobj\n" % OBJECTS[TEXT].replace(b"100", b"900")
    stream = len(content)
    entry = b"\x01" + text.to_bytes(4, "big") + b"\x00"
    content += (
        b"41 0 obj\n<</Type/XRef/Size 60/W[1 4 1]/Index[4 1]/Root 1 0 R/Length 6>>stream\n%b\nendstream\nendobj\n"
        % entry
    )
    table = len(content)
    previous = SIGNED.rpartition(b"startxref\n")[2].split()[0]
    content += b"xref\n0 1\n0000000000 65535 f \ntrailer\n<</Size 60/Root 1 0 R/Prev %b/XRefStm %d>>\n" % (
        previous,
        stream,
    )
    return content + b"startxref\n%d\n%%%%EOF\n" % table


def prev_to_itself() -> bytes:
    content = append(SIGNED, {20: b"null"})
    place = content.rpartition(b"startxref\n")[2].split()[0]
    previous = SIGNED.rpartition(b"startxref\n")[2].split()[0]
    return content.replace(b"/Prev " + previous, b"/Prev " + place)


def deep() -> bytes:
    return append(
        SIGNED,
        {20: b"[" * 30_000 + b"]" * 30_000, CATALOGUE: OBJECTS[CATALOGUE].replace(b"/Pages", b"/X 20 0 R/Pages")},
    )


def cyclic_fields() -> bytes:
    field = OBJECTS[FIELD].replace(b"/V 6 0 R", b"/Kids[5 0 R]/Parent 5 0 R")
    return append(SIGNED, {FIELD: field})


def freed_signature() -> bytes:
    content = append(SIGNED, {20: b"null"})
    table = content.rindex(b"xref\n20 1")
    return content[:table] + content[table:].replace(b"xref\n20 1", b"xref\n6 1\n0000000000 00001 f \n20 1", 1)


ATTACKS: tuple[Callable[[], bytes], ...] = (
    wrap, steal_signature, new_catalogue, forget_history, hybrid, prev_to_itself, deep, cyclic_fields, freed_signature,
)  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_is_seen_within_seconds(tmp_path: Path, attack: Callable[[], bytes]) -> None:
    begin = time.process_time()
    report = judge(attack(), tmp_path)
    assert report.integrity not in GREEN
    assert time.process_time() - begin < 5


def test_one_signature_shown_by_many_fields_is_one(tmp_path: Path) -> None:
    fields = {number: OBJECTS[FIELD].replace(b"(first)", b"(f%d)" % number) for number in range(100, 400)}
    listed = b" ".join(b"%d 0 R" % number for number in fields)
    catalogue = OBJECTS[CATALOGUE].replace(b"8 0 R]", b"8 0 R " + listed + b"]")
    report = judge(signed_pdf(KEY, {CATALOGUE: catalogue, **fields}), tmp_path)
    assert report.integrity is Integrity.VALID
    assert len(report.signatures) == 1 and len(report.signatures[0].fields) == 301


def test_a_signature_within_its_field_counts(tmp_path: Path) -> None:
    """Some programs write no object of its own for it."""
    inside = OBJECTS[FIELD].replace(b"/V 6 0 R", b"/V" + SIGNATURE)
    content = seal(
        write_pdf({number: body for number, body in OBJECTS.items() if number != VALUE} | {FIELD: inside}), KEY
    )
    assert judge(content, tmp_path).integrity is Integrity.VALID
    assert judge(content.replace(b"(100)", b"(900)"), tmp_path).integrity is Integrity.BROKEN
    later = append(content, {TEXT: OBJECTS[TEXT].replace(b"(100)", b"(900)")})
    assert judge(later, tmp_path).integrity is Integrity.MODIFIED


def test_a_reference_to_object_zero_is_null(tmp_path: Path) -> None:
    field = OBJECTS[FIELD].replace(b"/V", b"/AP<</N 0 0 R/D  00 0  R>>/V")
    assert judge(signed_pdf(KEY, {FIELD: field}), tmp_path).integrity is Integrity.VALID


@pytest.mark.parametrize("entry", [b"/UR3", b"/UR"])
def test_usage_rights_are_no_lost_signature(tmp_path: Path, entry: bytes) -> None:
    rights = b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/adbe.pkcs7.detached/ByteRange[0 1 2 3]/Contents<00>>>"
    catalogue = OBJECTS[CATALOGUE].replace(b"/Pages", b"/Perms<<%b 20 0 R>>/Pages" % entry)
    assert judge(signed_pdf(KEY, {CATALOGUE: catalogue, 20: rights}), tmp_path).integrity is Integrity.VALID
    report = judge(signed_pdf(KEY, {20: rights}), tmp_path)
    assert report.integrity is Integrity.INDETERMINATE
    assert [finding.code for finding in report.findings] == ["document.lost_signature"]


def test_a_copy_of_a_signature_is_no_lost_signature(tmp_path: Path) -> None:
    value = SIGNED.partition(b"6 0 obj\n")[2].partition(b"\nendobj")[0]
    report = judge(append(SIGNED, {20: value}), tmp_path)
    assert "document.lost_signature" not in [finding.code for finding in report.findings]


FILTER = b"/CF<</F<</CFM/AESV2/Length 16%b>>>>/StmF/F/StrF/F/Length 128"
PASSWORD = b"/Standard/V 4/R 4/O<%b>/U<%b>/P -4" % (b"00" * 32, b"11" * 32) + FILTER % b""
RECIPIENT = b"/Adobe.PubSec/SubFilter/adbe.pkcs7.s5/V 4" + FILTER % b"/Recipients[<3000>]/EncryptMetadata true"


@pytest.mark.parametrize("handler", [PASSWORD, RECIPIENT], ids=["password", "recipient"])
def test_a_locked_file_cannot_be_judged_and_is_not_called_broken(tmp_path: Path, handler: bytes) -> None:
    objects = OBJECTS | {50: b"<</Filter%b>>" % handler}
    report = judge(seal(write_pdf(objects, trailer=b"/ID[<00><00>]/Encrypt 50 0 R"), KEY), tmp_path)
    assert report.integrity is Integrity.INDETERMINATE
    assert [finding.code for finding in report.findings] == ["document.encrypted"]
    assert "密码" in report.findings[0].zh and "password" in report.findings[0].en
