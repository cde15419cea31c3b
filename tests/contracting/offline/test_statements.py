"""What a bundle says of a PDF and of the journal is checked against the bytes."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.canonical import canonical_json
from engine.contracting.offline.certificates import Certificate, Trust
from engine.contracting.offline.messages import Invalid
from engine.contracting.offline.statements import (
    canonical,
    check_intent,
    check_journal,
    check_ranges,
    check_signature,
    finished_files,
)
from engine.records.canonical import encode
from engine.trust import cms
from engine.trust.keys import SoftwareKey
from tests.trust.forgery import HOLE, forge_nothing, seal, sign_attributes, signed_pdf, write_pdf
from tests.trust.paper import make_key

NOW = datetime.now(UTC)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def root() -> SoftwareKey:
    return make_key("ec", "Root", usage="ca")


@pytest.fixture(scope="module")
def key(root: SoftwareKey) -> SoftwareKey:
    return make_key("ec", "甲方", root)


@pytest.fixture(scope="module")
def trust(root: SoftwareKey) -> Trust:
    return Trust([Certificate(root.certificate.dump())], [])


@pytest.fixture(scope="module")
def pdf(key: SoftwareKey) -> bytes:
    return signed_pdf(key)


def parts_of(pdf: bytes) -> tuple[list[int], bytes]:
    """Byte range and DER of the one signature."""
    text = pdf[pdf.index(b"/ByteRange") :]
    ranges = [int(number) for number in text[text.index(b"[") + 1 : text.index(b"]")].split()]
    held = bytes.fromhex(pdf[ranges[1] + 1 : ranges[2] - 1].decode())
    size = int.from_bytes(held[2:4], "big") + 4
    return ranges, held[:size]


def test_a_signature_over_the_bytes_it_names_holds(pdf: bytes, trust: Trust) -> None:
    ranges, der = parts_of(pdf)
    check_ranges(pdf, [ranges])
    proven = check_signature(pdf, ranges, der, [], trust, NOW)
    assert proven.signer.name == "甲方"
    assert proven.at is None, "nothing stamped it"
    assert proven.path is not None and proven.path[-1].name == "Root"


def test_without_its_anchor_it_holds_but_leads_nowhere(pdf: bytes) -> None:
    ranges, der = parts_of(pdf)
    assert check_signature(pdf, ranges, der, [], Trust([], []), NOW).path is None


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_changed_byte_of_the_file_is_told_apart(share: float, pdf: bytes, trust: Trust) -> None:
    ranges, der = parts_of(pdf)
    place = int(ranges[1] * share)
    changed = pdf[:place] + bytes([pdf[place] ^ 1]) + pdf[place + 1 :]
    with pytest.raises(Invalid, match="digest"):
        check_signature(changed, ranges, der, [], trust, NOW)


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("does not begin at the start", lambda r: [1, r[1], r[2], r[3]]),
        ("covers nothing", lambda r: [0, 0, r[2], r[3]]),
        ("goes backwards", lambda r: [0, r[2], r[1], r[3]]),
        ("goes beyond the end", lambda r: [0, r[1], r[2], r[3] + 1]),
        ("is negative", lambda r: [0, r[1], r[2], -1]),
        ("has a hole that is more than the signature", lambda r: [0, r[1] - 1, r[2], r[3]]),
        ("has a hole that is less than the signature", lambda r: [0, r[1] + 2, r[2], r[3]]),
    ],
)
def test_a_range_is_refused_that(why: str, change: Any, pdf: bytes, trust: Trust) -> None:
    ranges, der = parts_of(pdf)
    with pytest.raises(Invalid):
        check_signature(pdf, change(ranges), der, [], trust, NOW)


def test_a_signature_file_that_is_not_in_the_pdf_is_told_apart(pdf: bytes, key: SoftwareKey, trust: Trust) -> None:
    ranges, _ = parts_of(pdf)
    other = forge_nothing(key, hashlib.sha256(pdf).digest(), pdf)
    with pytest.raises(Invalid, match="hole"):
        check_signature(pdf, ranges, other, [], trust, NOW)


def test_tokens_that_are_not_in_the_signature_are_told_apart(pdf: bytes, trust: Trust) -> None:
    ranges, der = parts_of(pdf)
    with pytest.raises(Invalid, match="tokens"):
        check_signature(pdf, ranges, der, [b"token"], trust, NOW)


def test_the_file_must_hold_exactly_the_signatures_that_are_listed(pdf: bytes) -> None:
    ranges, _ = parts_of(pdf)
    for stated in ([], [ranges, ranges], [[0, 1, 2, 3]]):
        with pytest.raises(Invalid, match="unlisted"):
            check_ranges(pdf, stated)


def agreed(key: SoftwareKey, change: dict[str, Any] | None = None) -> tuple[bytes, bytes, dict[str, Any]]:
    """A PDF whose signature carries the digest of a proof over its first bytes."""
    empty = signed_pdf(key)
    size = empty.index(b"/ByteRange")
    proof = {"document": hashlib.sha256(empty[:size]).hexdigest(), "size": size, "factor": "sms", **(change or {})}

    def forge(key: SoftwareKey, digest: bytes, covered: bytes) -> bytes:
        intent = hashlib.sha256(canonical(proof)).digest()
        return sign_attributes(key, cms.signed_attributes(key.certificate, digest, "sha256", intent))

    pdf = signed_pdf(key, forge=forge)
    return pdf, parts_of(pdf)[1], proof


def test_a_proof_holds_whose_digest_is_signed_and_whose_document_came_before(key: SoftwareKey) -> None:
    pdf, der, proof = agreed(key)
    check_intent(proof, der, pdf, parts_of(pdf)[0][1])


@pytest.mark.parametrize("change", [{"factor": "face"}, {"size": 1}, {"document": "0" * 64}, {"more": 1}])
def test_a_proof_that_was_changed_is_told_apart(change: dict[str, Any], key: SoftwareKey) -> None:
    pdf, der, proof = agreed(key)
    with pytest.raises(Invalid, match="intent"):
        check_intent({**proof, **change}, der, pdf, parts_of(pdf)[0][1])


@pytest.mark.parametrize("change", [{"document": "0" * 64}, {"size": 0}, {"size": 10**9}, {"size": 5}])
def test_a_signed_proof_of_another_document_is_told_apart(change: dict[str, Any], key: SoftwareKey) -> None:
    pdf, der, proof = agreed(key, change)
    with pytest.raises(Invalid, match="document"):
        check_intent(proof, der, pdf, parts_of(pdf)[0][1])


def test_a_signature_without_the_attribute_carries_no_proof(pdf: bytes) -> None:
    ranges, der = parts_of(pdf)
    with pytest.raises(Invalid, match="intent"):
        check_intent({"document": "", "size": 1}, der, pdf, ranges[1])


def test_an_empty_place_is_no_signature(trust: Trust) -> None:
    content = seal(write_pdf({1: b"<</V <</ByteRange[0 1111111111 1111111111 1111111111]/Contents" + HOLE + b">>>>"}),
                   make_key("ec", "x"), lambda *_: b"")  # fmt: skip
    with pytest.raises(Exception, match=r".*"):
        check_signature(content, parts_of(content)[0], b"", [], trust, NOW)


@given(PLAIN)
def test_the_canonical_form_is_the_engines(value: Any) -> None:
    """Two programs that write it differently would disagree about every proof and every entry."""
    try:
        expected = canonical_json(value)
    except UnicodeEncodeError:  # half a surrogate pair
        return
    assert canonical(value) == expected
    if b"\\u0000" not in expected:
        assert encode(value).encode() == expected


def chain(count: int) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    previous = "00" * 32
    for seq in range(1, count + 1):
        entry: dict[str, Any] = {"seq": seq, "id": seq + 7, "microseconds": seq * 10, "run": None, "event": "e"}
        entry |= {"detail": json.dumps({"n": seq}), "previous": previous}
        head = canonical([entry["seq"], entry["id"], entry["microseconds"], entry["run"], entry["event"]])
        previous = hashlib.sha256(bytes.fromhex(previous) + head + entry["detail"].encode()).hexdigest()
        entries.append({**entry, "digest": previous})
    return entries


def test_a_whole_chain_holds_and_so_do_parts_of_it() -> None:
    check_journal(chain(5))
    check_journal([entry for entry in chain(9) if entry["seq"] in (2, 3, 7)])
    check_journal([])


@pytest.mark.parametrize("name", ["seq", "id", "microseconds", "run", "event", "detail", "previous", "digest"])
def test_no_part_of_an_entry_can_be_changed_unseen(name: str) -> None:
    entries = chain(4)
    entries[2][name] = {"previous": "11" * 32, "digest": "11" * 32}.get(name, 99 if name in ("seq", "id") else "x")
    with pytest.raises((Invalid, TypeError)):
        check_journal(entries)


def test_neighbours_that_do_not_follow_each_other_are_told_apart() -> None:
    """Each entry true to itself, but from two different chains."""
    one, other = chain(3), chain(3)
    other[0]["event"] = "other"
    head = canonical([1, other[0]["id"], other[0]["microseconds"], None, "other"])
    other[0]["digest"] = hashlib.sha256(bytes(32) + head + other[0]["detail"].encode()).hexdigest()
    with pytest.raises(Invalid, match="entry 2"):
        check_journal([other[0], one[1]])
    with pytest.raises(Invalid):
        check_journal([one[1], one[0]])


def test_the_finished_files_are_those_of_the_end_or_what_renewed_them() -> None:
    def entry(event: str, **detail: Any) -> dict[str, Any]:
        return {"event": event, "detail": json.dumps(detail)}

    entries = [entry("submitted"), entry("finished", head=["a", "b"])]
    assert finished_files(entries) == ["a", "b"]
    entries += [entry("renewed", **{"from": "a", "to": "c"}), entry("renewed", **{"from": "x", "to": "y"})]
    assert finished_files(entries) == ["c", "b"]
    assert finished_files(entries[:1]) == []
