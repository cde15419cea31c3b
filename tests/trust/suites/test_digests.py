"""Digests have one door, and SM3 is among them with the library's names for it."""

import msgspec
import pytest
from asn1crypto.algos import DigestAlgorithm
from asn1crypto.tsp import TimeStampReq

from engine.trust import archiving, signing
from engine.trust.embedding import Hole
from engine.trust.suites.digests import DIGEST_IDENTIFIERS, digest_bytes, new_digest
from engine.trust.tokens import Question


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_gives_the_digests_of_the_standard(message: bytes, digest: str) -> None:
    """GB/T 32905-2016, appendix A."""
    assert digest_bytes("sm3", message).hex() == digest


@pytest.mark.parametrize("name", DIGEST_IDENTIFIERS)
def test_a_digest_may_be_fed_in_pieces_and_read_twice(name: str) -> None:
    digest = new_digest(name)
    for piece in (b"", b"one", memoryview(b"two")):
        digest.update(piece)
    assert digest.digest() == digest.digest() == digest_bytes(name, b"onetwo")


@pytest.mark.parametrize(("name", "identifier"), DIGEST_IDENTIFIERS.items())
def test_the_asn1_library_knows_every_digest_by_name(name: str, identifier: str) -> None:
    assert DigestAlgorithm({"algorithm": name})["algorithm"].dotted == identifier
    read_back = DigestAlgorithm.load(DigestAlgorithm({"algorithm": identifier}).dump())
    assert read_back["algorithm"].native == name


def test_a_question_to_an_authority_may_carry_an_sm3_imprint() -> None:
    asked = TimeStampReq.load(Question(bytes(32), "sm3").encode())
    assert asked["message_imprint"]["hash_algorithm"]["algorithm"].native == "sm3"


def test_intents_recorded_before_digests_could_be_chosen_mean_sha256() -> None:
    old = msgspec.msgpack.encode(["tail", Hole(1, 9), b"attributes", b"mechanism", [b"certificate"]])
    assert msgspec.msgpack.decode(old, type=signing.Intent).digest_algorithm == "sha256"
    old = msgspec.msgpack.encode(["tail", None, b"digest"])
    assert msgspec.msgpack.decode(old, type=archiving.Intent).digest_algorithm == "sha256"
