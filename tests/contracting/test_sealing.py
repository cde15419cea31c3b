"""Sealing survives a crash at each step with one use of the key, and leaves nothing in the token unprotected."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from asn1crypto import cms, tsp

from engine.contracting.offline.messages import Message, Token, unwrap
from engine.contracting.sealing import response_of, seal
from engine.errors import Rejected, Unavailable
from engine.trust.keys import SoftwareKey
from tests.trust.paper import CountingKey, Crash, LocalStamper, Notebook, make_key

DATA = b'{"format": "x"}'
NAME = "run/evidence/seal"


class Desk:
    def __init__(self) -> None:
        self.root = make_key("ec", "Root", usage="ca")
        self.key = CountingKey(make_key("ec", "Platform", self.root))
        self.stamper = LocalStamper(make_key("rsa", "TSA", self.root, usage="stamp"))
        self.book = Notebook()

    async def seal(self, content: str = "c" * 64, data: bytes = DATA, key: CountingKey | None = None):
        return await seal(content, data, key or self.key, self.stamper, [self.root.certificate], self.book.once, NAME)


@pytest.fixture(scope="module")
def pki() -> Desk:
    return Desk()


@pytest.fixture
def desk(pki: Desk) -> Desk:
    """The same keys, nothing done yet."""
    pki.book, pki.key.uses, pki.stamper.calls, pki.stamper.away = Notebook(), 0, 0, None
    return pki


async def test_signature_and_timestamp_hold_each_other(desk: Desk) -> None:
    made = await desk.seal()
    message, token = Message(made.message), Token(unwrap(made.response))
    message.check(lambda name: hashlib.new(name, DATA).digest())
    token.check(lambda name: hashlib.new(name, made.message).digest())
    assert message.signer.name == "Platform" and token.message.signer.name == "TSA"
    assert token.message.is_bare


@pytest.mark.parametrize("step", [NAME, ":stamp"])
@pytest.mark.parametrize("side", ["die_before", "die_after"])
async def test_a_crash_is_repeated_to_the_same_seal_over_what_was_decided_first(
    step: str, side: str, desk: Desk
) -> None:
    setattr(desk.book, side, step)
    with pytest.raises(Crash):
        await desk.seal()
    made = await desk.seal(content="d" * 64, data=b"drawn anew after an upgrade")
    assert made.content == "c" * 64, "the first intent won"
    Message(made.message).check(lambda name: hashlib.new(name, DATA).digest())
    assert (await desk.seal()).message == made.message
    assert desk.key.uses == 1


async def test_an_authority_that_is_away_costs_no_second_use_of_the_key(desk: Desk) -> None:
    desk.stamper.away = Unavailable("timestamp.unavailable", zh="不可用", en="away")
    with pytest.raises(Unavailable):
        await desk.seal()
    desk.stamper.away = None
    await desk.seal()
    assert desk.key.uses == 1


async def test_a_key_that_was_replaced_in_between_is_refused(desk: Desk) -> None:
    desk.book.die_before = NAME
    with pytest.raises(Crash):
        await desk.seal()
    with pytest.raises(Rejected) as refusal:
        await desk.seal(key=CountingKey(make_key("ec", "Platform", desk.root)))
    assert refusal.value.code == "signature.key_changed"


def with_more(token: bytes, stranger: SoftwareKey) -> bytes:
    """The token with what no signature in it protects: a stranger's certificate and an unsigned attribute."""
    info = cms.ContentInfo.load(token)
    signed = info["content"]
    signed["certificates"].append(cms.CertificateChoices("certificate", stranger.certificate))
    words = {"type": "message_digest", "values": [b"words"]}
    signed["signer_infos"][0]["unsigned_attrs"] = cms.CMSAttributes([cms.CMSAttribute(words)])
    loaded: bytes = info.dump(force=True)
    return loaded


async def test_what_nothing_protects_does_not_stay_in_the_token(desk: Desk) -> None:
    token = await desk.stamper.stamp(hashlib.sha256(DATA).digest())
    stranger = make_key("ec", "Stranger")
    dressed = with_more(token, stranger)
    assert stranger.certificate.dump() in dressed
    response = response_of(dressed, [desk.root.certificate])
    assert stranger.certificate.dump() not in response
    kept = Token(unwrap(response))
    kept.check(lambda name: hashlib.new(name, DATA).digest())
    assert kept.message.is_bare


async def test_other_software_reads_the_response(desk: Desk, tmp_path: Path) -> None:
    made = await desk.seal()
    response = tsp.TimeStampResp.load(made.response, strict=True)
    assert response["status"]["status"].native == "granted"
    signed = cms.ContentInfo.load(made.message, strict=True)["content"]
    assert signed["encap_content_info"]["content"].native is None, "detached"
