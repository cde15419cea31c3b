"""Paths from a certificate to an anchor, and what leads nowhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import pem
from asn1crypto import x509 as asn1

from engine.contracting.offline.certificates import Certificate, Trust, read_pem, same_name
from engine.contracting.offline.encoding import Malformed, decode
from engine.trust.der import element, integer, sequence
from engine.trust.keys import SoftwareKey
from tests.trust.paper import make_key

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def root() -> SoftwareKey:
    return make_key("ec", "根证书", usage="ca")


@pytest.fixture(scope="module")
def issuing(root: SoftwareKey) -> SoftwareKey:
    return make_key("rsa", "Issuing", root, usage="ca")


@pytest.fixture(scope="module")
def leaf(issuing: SoftwareKey) -> SoftwareKey:
    return make_key("ec", "张示例", issuing)


def link(key: SoftwareKey) -> Certificate:
    return Certificate(key.certificate.dump())


def names(path: list[Certificate] | None) -> list[str]:
    return [one.name for one in path or []]


def test_a_certificate_says_what_another_library_reads_in_it(leaf: SoftwareKey) -> None:
    found, known = link(leaf), leaf.certificate
    assert found.name == "张示例"
    assert found.serial == known.serial_number
    assert (found.begins, found.ends) == (known.not_valid_before, known.not_valid_after)
    assert found.subject == known.subject.dump() and found.issuer == known.issuer.dump()
    assert found.fingerprint == known.sha256.hex()


def test_what_may_issue_and_what_may_stamp(root: SoftwareKey, leaf: SoftwareKey) -> None:
    stamping = link(make_key("rsa", "TSA", root, usage="stamp"))
    assert link(root).may_issue and not link(leaf).may_issue and not stamping.may_issue
    assert stamping.may_stamp and not link(leaf).may_stamp and not link(root).may_stamp


def test_a_path_leads_over_what_is_carried(root: SoftwareKey, issuing: SoftwareKey, leaf: SoftwareKey) -> None:
    trust = Trust([link(root)], [])
    assert names(trust.path(link(leaf), [link(issuing)], NOW)) == ["张示例", "Issuing", "根证书"]


def test_a_path_leads_over_what_lies_beside(root: SoftwareKey, issuing: SoftwareKey, leaf: SoftwareKey) -> None:
    trust = Trust([link(root)], [link(issuing)])
    assert len(names(trust.path(link(leaf), [], NOW))) == 3


def test_an_anchor_is_its_own_path(root: SoftwareKey) -> None:
    assert names(Trust([link(root)], []).path(link(root), [], NOW)) == ["根证书"]


def test_without_the_link_between_there_is_no_path(root: SoftwareKey, leaf: SoftwareKey) -> None:
    assert Trust([link(root)], []).path(link(leaf), [], NOW) is None


def test_a_root_of_the_same_name_with_another_key_leads_nowhere(issuing: SoftwareKey, leaf: SoftwareKey) -> None:
    twin = make_key("ec", "根证书", usage="ca")
    assert Trust([link(twin)], [link(issuing)]).path(link(leaf), [], NOW) is None


def test_somebody_who_may_not_issue_leads_nowhere(root: SoftwareKey) -> None:
    person = make_key("ec", "Person", root)
    made = make_key("ec", "Made by a person", person)
    assert Trust([link(root)], [link(person)]).path(link(made), [], NOW) is None


@pytest.mark.parametrize("days", [-800, 800])
def test_a_path_holds_only_while_all_of_it_is_valid(
    days: int, root: SoftwareKey, issuing: SoftwareKey, leaf: SoftwareKey
) -> None:
    trust = Trust([link(root)], [link(issuing)])
    assert trust.path(link(leaf), [], NOW + timedelta(days=days)) is None


def test_certificates_that_issued_each_other_end_the_search(root: SoftwareKey) -> None:
    trust = Trust([], [link(root)] * 3)
    assert trust.path(link(root), [link(root)], NOW) is None


def test_a_damaged_link_is_no_link_and_no_error(root: SoftwareKey, issuing: SoftwareKey, leaf: SoftwareKey) -> None:
    whole = issuing.certificate.dump()
    place = whole.index(bytes.fromhex("551d13"))  # basic constraints
    damaged = Certificate(whole[: place + 3] + bytes([whole[place + 3] ^ 0x00]) + whole[place + 4 :])
    damaged.extensions["2.5.29.19"] = b"\xff\xff"
    assert Trust([link(root)], [damaged]).path(link(leaf), [], NOW) is None


def test_two_names_for_the_signatures_algorithm_are_refused(leaf: SoftwareKey) -> None:
    parts = decode(leaf.certificate.dump()).fields(3)
    other = bytes.fromhex("300a06082a8648ce3d040303")
    with pytest.raises(Malformed):
        Certificate(sequence(parts[0].raw, other, parts[2].raw))


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"\x30\x03\x02\x01\x00", b"\x05\x00"])
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    with pytest.raises(Malformed):
        Certificate(der)


def test_a_pem_file_may_hold_several(root: SoftwareKey, leaf: SoftwareKey) -> None:
    text = b"words\n" + b"".join(pem.armor("CERTIFICATE", one.certificate.dump()) for one in (root, leaf))
    assert [one.name for one in read_pem(text)] == ["根证书", "张示例"]
    assert read_pem(b"nothing here") == []


def test_a_signer_is_named_by_issuer_and_serial_or_by_key(leaf: SoftwareKey, root: SoftwareKey) -> None:
    known: asn1.Certificate = leaf.certificate
    by_serial = decode(sequence(known.issuer.dump(), integer(known.serial_number)))
    assert same_name(link(leaf), by_serial) and not same_name(link(root), by_serial)
    by_key = decode(element(0x80, b"\x01" * 20))
    assert not same_name(link(leaf), by_key)
