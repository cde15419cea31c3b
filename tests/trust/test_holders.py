"""A certificate signs only for whom it names (电子签名法 art. 21)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from engine.errors import Rejected
from engine.trust.holders import Holder, claim_key, mask, require_holder

KEY = ec.generate_private_key(ec.SECP256R1())
CODE, ID_NUMBER = "91990000MA0000000Y", "990000199001010017"
ORGANISATION = {NameOID.COMMON_NAME: "示例（北京）科技有限公司", NameOID.ORGANIZATION_NAME: "Sample Works Ltd"}


def certificate(
    subject: dict[x509.ObjectIdentifier, str], extensions: dict[str, bytes] | None = None, key: object = KEY
) -> Certificate:
    name = x509.Name([x509.NameAttribute(kind, value) for kind, value in subject.items()])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    for oid, value in (extensions or {}).items():
        builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value), critical=False)
    return Certificate.load(builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER))


def refused(subject: Certificate, holder: Holder) -> Rejected:
    with pytest.raises(Rejected) as caught:
        require_holder(subject, holder, "employer")
    assert caught.value.code == "keys.holder_differs"
    return caught.value


@pytest.mark.parametrize(
    "name",
    [
        "示例（北京）科技有限公司",
        "示例(北京)科技有限公司",
        " 示例（北京） 科技有限公司　",
        "ＳＡＭＰＬＥ works  ltd",
        "Sample Works Ltd",
    ],
)
def test_a_name_is_the_same_however_it_is_typed(name: str) -> None:
    require_holder(certificate(ORGANISATION), Holder(name), "employer")


@pytest.mark.parametrize("name", ["示例（上海）科技有限公司", "示例", "示例（北京）科技有限公司分公司", "CN"])
def test_another_name_or_a_part_of_it_is_refused_and_the_error_says_both(name: str) -> None:
    error = refused(certificate(ORGANISATION), Holder(name))
    assert error.facts["expected"] == name
    assert "示例（北京）科技有限公司" in error.say("zh")


@pytest.mark.parametrize(
    "certified",
    [
        certificate(ORGANISATION | {NameOID.ORGANIZATION_IDENTIFIER: f"NTRCN-{CODE}"}),
        certificate(ORGANISATION | {NameOID.SERIAL_NUMBER: CODE}),
        certificate(ORGANISATION, {"1.2.156.10260.4.1.4": b"\x13\x12" + CODE.encode()}),
        certificate(ORGANISATION, {"1.2.156.10260.4.1.4": CODE.encode()}),
        certificate(ORGANISATION, {"1.2.86.11.7.4": b"\x04\x14\x0c\x12" + CODE.encode()}),
        certificate(ORGANISATION, {"1.2.156.10260.4.1.1": b"\xa0\x14\x13\x12" + CODE.encode()}),
    ],
    ids=["organizationIdentifier", "serialNumber", "printable", "bare", "octets", "tagged"],
)
def test_a_number_is_found_wherever_an_authority_puts_it(certified: Certificate) -> None:
    name = ORGANISATION[NameOID.COMMON_NAME]
    require_holder(certified, Holder(name, CODE), "employer")
    require_holder(certified, Holder(CODE), "employer")
    refused(certified, Holder(name, "91990000MA0000001X"))


def test_a_serial_number_of_another_form_says_nothing_about_the_holder() -> None:
    certified = certificate(ORGANISATION | {NameOID.SERIAL_NUMBER: "4711"})
    require_holder(certified, Holder("Sample Works Ltd", CODE), "employer")


@pytest.mark.parametrize("body", [b"", b"\x13", b"\x13\x82", b"\x30\x80", b"\xff\xfe", b"\x0c\x02\xff\xff"])
def test_an_extension_that_is_no_text_is_no_number(body: bytes) -> None:
    certified = certificate(ORGANISATION, {"1.2.156.10260.4.1.4": body})
    require_holder(certified, Holder("Sample Works Ltd", CODE), "employer")


def test_identity_numbers_are_masked_where_people_read_them() -> None:
    certified = certificate({NameOID.COMMON_NAME: "示例", NameOID.SERIAL_NUMBER: ID_NUMBER})
    error = refused(certified, Holder("示例", "990000199001010025"))
    assert ID_NUMBER not in str(error.to_dict())
    assert "990000199001010025" not in str(error.to_dict())
    assert mask(ID_NUMBER) == "990***********0017"
    assert mask("示例") == "示例"


def test_one_key_does_not_sign_one_file_for_two_parties() -> None:
    mine = certificate(ORGANISATION)
    renewed = certificate({NameOID.COMMON_NAME: "Sample"})
    other = certificate(ORGANISATION, key=ec.generate_private_key(ec.SECP256R1()))
    signers = claim_key({}, mine, "employer")
    assert claim_key(signers, mine, "employer") == signers, "a party may sign twice"
    assert len(claim_key(signers, other, "employee")) == 2
    with pytest.raises(Rejected) as caught:
        claim_key(signers, renewed, "employee")
    assert caught.value.code == "keys.shared"
