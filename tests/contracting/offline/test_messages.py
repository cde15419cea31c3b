"""CMS and tokens taken apart: honest ones hold, one lie a case does not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from asn1crypto.x509 import Certificate as Known
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from engine.contracting.offline.arithmetic import Unknown, digest
from engine.contracting.offline.encoding import Malformed, decode
from engine.contracting.offline.messages import Invalid, Message, Token, unwrap
from engine.trust import cms
from engine.trust.der import element, identifier, integer, octets, sequence, set_of
from engine.trust.keys import SoftwareKey
from tests.trust.paper import LocalStamper, make_key

CONTENT = "劳动合同".encode()
DIGEST = hashlib.sha256(CONTENT).digest()
INTENT = hashlib.sha256(b"proof").digest()


@pytest.fixture(scope="module")
def root() -> SoftwareKey:
    return make_key("ec", "Root", usage="ca")


@pytest.fixture(scope="module")
def key(root: SoftwareKey) -> SoftwareKey:
    return make_key("ec", "Signer", root)


def over(content: bytes = CONTENT) -> Callable[[str], bytes]:
    return lambda name: digest(name, content)


def signed(key: SoftwareKey, attributes: bytes | None = None, certificates: list[Known] | None = None) -> bytes:
    """An honest message over honest or given attributes."""
    attributes = attributes or cms.signed_attributes(key.certificate, DIGEST, "sha256", INTENT)
    assert isinstance(key.private, ec.EllipticCurvePrivateKey)
    value = key.private.sign(attributes, ec.ECDSA(hashes.SHA256()))
    carried = certificates or [key.certificate]
    return cms.signed_data(carried, attributes, key.mechanism("sha256").dump(), value, None)


def attribute(kind: str, *values: bytes) -> bytes:
    return sequence(identifier(kind), set_of(*values))


def attributes_of(message: bytes) -> list[bytes]:
    """The signed attributes of a message, each as DER."""
    return [node.raw for node in decode(Message(message).signed).children()]


def test_an_honest_message_holds_and_shows_the_digest_of_its_intent(key: SoftwareKey) -> None:
    message = Message(signed(key))
    message.check(over())
    assert message.signer.name == "Signer"
    assert message.octets() == [INTENT]
    assert message.content is None and message.unsigned == {}


def test_other_content_is_told_apart(key: SoftwareKey) -> None:
    with pytest.raises(Invalid, match="digest"):
        Message(signed(key)).check(over(CONTENT + b"."))


def test_another_keys_signature_is_told_apart(key: SoftwareKey, root: SoftwareKey) -> None:
    """The certificate names one key, the value comes from another."""
    other = make_key("ec", "Signer", root)
    forged = signed(SoftwareKey(other.private, key.certificate, key.chain))
    with pytest.raises(Invalid, match="value"):
        Message(forged).check(over())


def test_a_certificate_of_the_same_name_and_key_but_not_the_one_that_was_bound_is_told_apart(
    key: SoftwareKey, root: SoftwareKey
) -> None:
    twin = make_key("ec", "Signer", root)
    attributes = cms.signed_attributes(twin.certificate, DIGEST)
    with pytest.raises(Invalid, match="certificate"):
        Message(signed(key, attributes)).check(over())


@pytest.mark.parametrize("dropped", ["1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"])
def test_an_attribute_that_must_be_there_may_not_be_missing(dropped: str, key: SoftwareKey) -> None:
    kept = [one for one in attributes_of(signed(key)) if identifier(dropped) not in one]
    with pytest.raises(Malformed):
        Message(signed(key, set_of(*kept))).check(over())


def test_a_message_that_does_not_bind_its_certificate_is_told_apart(key: SoftwareKey) -> None:
    binding = identifier("1.2.840.113549.1.9.16.2.47")
    kept = [one for one in attributes_of(signed(key)) if binding not in one]
    with pytest.raises(Invalid, match="certificate"):
        Message(signed(key, set_of(*kept))).check(over())


def test_an_attribute_given_twice_is_refused(key: SoftwareKey) -> None:
    twice = attribute("1.2.840.113549.1.9.4", octets(DIGEST))
    with pytest.raises(Malformed):
        Message(signed(key, set_of(*attributes_of(signed(key)), twice)))


def test_an_attribute_with_two_values_is_refused(key: SoftwareKey) -> None:
    digests = identifier("1.2.840.113549.1.9.4")
    kept = [one for one in attributes_of(signed(key)) if digests not in one]
    two = attribute("1.2.840.113549.1.9.4", octets(DIGEST), octets(bytes(32)))
    with pytest.raises(Malformed):
        Message(signed(key, set_of(*kept, two))).check(over())


def test_another_content_type_is_told_apart(key: SoftwareKey) -> None:
    kinds = identifier("1.2.840.113549.1.9.3")
    kept = [one for one in attributes_of(signed(key)) if not one[2:].startswith(kinds)]
    other = attribute("1.2.840.113549.1.9.3", identifier("1.2.840.113549.1.9.16.1.4"))
    with pytest.raises(Invalid, match="content-type"):
        Message(signed(key, set_of(*kept, other))).check(over())


def test_a_message_without_its_signers_certificate_is_refused(key: SoftwareKey, root: SoftwareKey) -> None:
    kind, wrapped = decode(signed(key)).fields(2)
    parts = wrapped.children()[0].children()
    other = element(0xA0, root.certificate.dump())
    body = sequence(*(node.raw for node in parts[:3]), other, parts[-1].raw)
    with pytest.raises(Malformed):
        Message(sequence(kind.raw, element(0xA0, body)))


@pytest.mark.parametrize("count", [0, 2])
def test_two_signers_or_none_are_refused(count: int, key: SoftwareKey) -> None:
    kind, wrapped = decode(signed(key)).fields(2)
    parts = wrapped.children()[0].children()
    infos = [parts[-1].children()[0].raw] * count
    body = sequence(*(node.raw for node in parts[:-1]), set_of(*infos))
    with pytest.raises((Malformed, ValueError)):
        Message(sequence(kind.raw, element(0xA0, body)))


@pytest.mark.parametrize("version", [0, 2, 7])
def test_an_odd_version_is_refused(version: int, key: SoftwareKey) -> None:
    kind, wrapped = decode(signed(key)).fields(2)
    parts = wrapped.children()[0].children()
    body = sequence(integer(version), *(node.raw for node in parts[1:]))
    with pytest.raises(Malformed):
        Message(sequence(kind.raw, element(0xA0, body)))


def test_a_digest_algorithm_nobody_announced_is_refused(key: SoftwareKey) -> None:
    kind, wrapped = decode(signed(key)).fields(2)
    parts = wrapped.children()[0].children()
    other = set_of(sequence(identifier("2.16.840.1.101.3.4.2.3")))
    body = sequence(parts[0].raw, other, *(node.raw for node in parts[2:]))
    with pytest.raises(Malformed):
        Message(sequence(kind.raw, element(0xA0, body)))


def test_a_digest_algorithm_nobody_knows_is_unknown(key: SoftwareKey) -> None:
    md5 = sequence(identifier("1.2.840.113549.2.5"))
    honest = sequence(identifier("2.16.840.1.101.3.4.2.1"))
    kind, wrapped = decode(signed(key)).fields(2)
    parts = wrapped.children()[0].children()
    info = [node.raw for node in parts[-1].children()[0].children()]
    info[2] = md5
    body = sequence(parts[0].raw, set_of(honest), *(node.raw for node in parts[2:-1]), set_of(sequence(*info)))
    with pytest.raises(Unknown):
        Message(sequence(kind.raw, element(0xA0, body)))


async def test_an_honest_token_stamps_its_content_and_no_other(root: SoftwareKey) -> None:
    token = Token(await LocalStamper(make_key("rsa", "TSA", root, usage="stamp")).stamp(DIGEST))
    token.check(over())
    assert token.message.signer.name == "TSA"
    with pytest.raises(Invalid, match="imprint"):
        token.check(over(b"other"))


async def test_a_token_of_somebody_who_is_no_authority_is_told_apart(root: SoftwareKey) -> None:
    """Whoever can sign documents must not be able to set the clock."""
    token = Token(await LocalStamper(make_key("rsa", "Somebody", root)).stamp(DIGEST))
    with pytest.raises(Invalid, match="usage"):
        token.check(over())


def test_a_signature_is_no_token(key: SoftwareKey) -> None:
    with pytest.raises(Malformed):
        Token(signed(key))


async def test_only_a_granted_response_is_unwrapped(root: SoftwareKey) -> None:
    token = await LocalStamper(make_key("rsa", "TSA", root, usage="stamp")).stamp(DIGEST)
    granted = sequence(sequence(integer(0)), token)
    assert unwrap(granted) == token
    for other in (
        sequence(sequence(integer(1)), token),
        sequence(sequence(integer(2))),
        sequence(sequence(integer(0)), token, token),
    ):
        with pytest.raises(Malformed):
            unwrap(other)
