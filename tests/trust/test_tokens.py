import hashlib
import time
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import cms, tsp
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from engine.trust import der
from engine.trust.authority import certificates
from engine.trust.tokens import REPLY_LIMIT, Question, RefusedRequest, TokenCheck, UntrustedReply
from tests.trust.misbehaviour import BASE, Misbehaviour, TestPki

PKI = TestPki()
QUESTION = Question(hashlib.sha256(b"contract").digest(), "sha256")
REPLY = PKI.issuer().answer(QUESTION.encode())
ASKED_AT = datetime.now(UTC)


def make_check(**bound: float) -> TokenCheck:
    return TokenCheck(PKI.anchors, clock_bound=timedelta(**bound or {"hours": 1}))


def stamped_part(reply: bytes) -> bytes:
    """The bytes under the signature: where the TSTInfo lies in an untouched reply."""
    token = tsp.TimeStampResp.load(reply)["time_stamp_token"]
    return bytes(token["content"]["encap_content_info"]["content"])


async def test_the_token_comes_back_byte_for_byte_as_the_authority_sent_it() -> None:
    token = await make_check().accept(REPLY, QUESTION, ASKED_AT)
    assert REPLY.endswith(token)


@given(position=st.integers(0, len(REPLY) - 1), value=st.integers(1, 255))
async def test_one_changed_byte_never_changes_what_is_stamped_and_never_surfaces_as_a_bug(
    position: int, value: int
) -> None:
    damaged = REPLY[:position] + bytes([REPLY[position] ^ value]) + REPLY[position + 1 :]
    try:
        token = await make_check().accept(damaged, QUESTION, ASKED_AT)
    except (UntrustedReply, RefusedRequest):
        return
    assert stamped_part(REPLY) in token


@given(st.binary(max_size=400))
async def test_arbitrary_bytes_are_refused_and_never_surface_as_a_bug(noise: bytes) -> None:
    with pytest.raises((UntrustedReply, RefusedRequest)):
        await make_check().accept(noise, QUESTION, ASKED_AT)


async def test_very_deep_nesting_is_refused_and_never_exhausts_the_stack() -> None:
    nested = b""
    for _ in range(8_000):
        nested = b"\x30\x80" + nested + b"\x00\x00"
    with pytest.raises(UntrustedReply):
        await make_check().accept(nested, QUESTION, ASKED_AT)


@pytest.mark.parametrize("crowd", ["certificates", "signers", "attributes"])
async def test_a_reply_that_is_full_to_the_limit_costs_no_noticeable_time(crowd: str) -> None:
    signed = tsp.TimeStampResp.load(REPLY)["time_stamp_token"]["content"]
    (signer,) = signed["signer_infos"]
    digest, empty = signed["digest_algorithms"][0].dump(), der.sequence() * 25_000
    certificates, signers = signed["certificates"].dump(), signed["signer_infos"].dump()
    if crowd == "certificates":
        certificates = der.element(0xA0, empty)
    elif crowd == "signers":
        signers = der.set_of(empty)
    else:
        crowded = (der.sequence(der.identifier(f"1.2.3.{n}"), der.set_of(der.integer(n))) for n in range(3_500))
        parts = (der.integer(1), signer["sid"].dump(), digest, der.set_of(*crowded, tag=0xA0))
        signers = der.set_of(der.sequence(*parts, signer["signature_algorithm"].dump(), signer["signature"].dump()))
    content = der.sequence(
        der.integer(3), der.set_of(digest), signed["encap_content_info"].dump(), certificates, signers
    )
    token = der.sequence(cms.ContentType("signed_data").dump(), der.element(0xA0, content))
    reply = der.sequence(der.sequence(der.integer(0)), token)
    assert 50_000 < len(reply) < REPLY_LIMIT
    before = time.process_time()
    with pytest.raises(UntrustedReply):
        await make_check().accept(reply, QUESTION, ASKED_AT)
    assert time.process_time() - before < 1


async def test_a_reply_to_an_earlier_question_about_the_same_digest_is_refused() -> None:
    again = Question(QUESTION.digest, "sha256")
    with pytest.raises(UntrustedReply) as caught:
        await make_check().accept(REPLY, again, ASKED_AT)
    assert caught.value.reason == "nonce"


async def test_a_trusted_path_is_not_remembered_for_other_certificates_or_a_doubtful_clock() -> None:
    check = make_check(minutes=1)
    await check.accept(REPLY, QUESTION, ASKED_AT)
    stranger = TestPki().issuer().answer(QUESTION.encode())
    slow = Misbehaviour(PKI).goes_two_hours_slow(QUESTION.encode())
    for reply, reason in ((stranger, "chain"), (slow, "time")):
        with pytest.raises(UntrustedReply) as caught:
            await check.accept(reply, QUESTION, ASKED_AT)
        assert caught.value.reason == reason


async def test_an_authority_whose_own_certificate_is_the_anchor_is_trusted() -> None:
    anchor = type(PKI.anchors[0]).load(PKI.timestamping.certificate.public_bytes(Encoding.DER))
    check = TokenCheck([anchor], clock_bound=timedelta(hours=1))
    assert await check.accept(REPLY, QUESTION, ASKED_AT)


async def test_an_expired_anchor_vouches_for_no_authority_not_even_itself() -> None:
    expired = certificates.make_timestamping(PKI.issuing, BASE, validity=timedelta(minutes=30))
    anchor = type(PKI.anchors[0]).load(expired.certificate.public_bytes(Encoding.DER))
    check = TokenCheck([anchor], clock_bound=timedelta(hours=1))
    with pytest.raises(UntrustedReply) as caught:
        await check.accept(PKI.issuer(expired).answer(QUESTION.encode()), QUESTION, ASKED_AT)
    assert caught.value.reason == "chain"


async def test_a_remembered_path_ends_with_its_first_certificate() -> None:
    brief = certificates.make_timestamping(PKI.issuing, BASE, validity=timedelta(hours=2))
    later = datetime.now(UTC) + timedelta(hours=1, seconds=1)
    now = [ASKED_AT]
    check = TokenCheck(PKI.anchors, clock_bound=timedelta(hours=1), clock=lambda: now[0])
    await check.accept(PKI.issuer(brief).answer(QUESTION.encode()), QUESTION, ASKED_AT)
    now[0] = later
    with pytest.raises(UntrustedReply) as caught:
        await check.accept(PKI.issuer(brief, clock=lambda: later).answer(QUESTION.encode()), QUESTION, later)
    assert caught.value.reason == "chain"


@given(st.sampled_from(["sha256", "sha384", "sha512"]), st.binary(min_size=1))
def test_a_question_is_what_rfc_3161_describes_and_no_two_share_a_nonce(algorithm: str, data: bytes) -> None:
    digest = hashlib.new(algorithm, data).digest()
    first, second = Question(digest, algorithm), Question(digest, algorithm)
    request = tsp.TimeStampReq.load(first.encode(), strict=True)
    assert request["version"].native == "v1"
    assert request["message_imprint"]["hashed_message"].native == digest
    assert request["message_imprint"]["hash_algorithm"]["algorithm"].native == algorithm
    assert request["cert_req"].native is True
    assert request["nonce"].native == first.nonce != second.nonce
    assert first.nonce.bit_length() == 63
