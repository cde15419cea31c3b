import asyncio
import base64
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from asn1crypto import cms, tsp
from prometheus_client import REGISTRY

import engine.trust.timestamps
from engine.errors import Misuse, Unavailable
from engine.settings import Authority
from engine.trust.authority.stamping import POLICY
from engine.trust.timestamps import TimestampClient
from tests.trust.misbehaviour import REPLY, Misbehaviour, TestPki, listening, served

DIGEST = hashlib.sha256(b"contract").digest()
PKI = TestPki()
BEHAVIOUR = Misbehaviour(PKI)


@asynccontextmanager
async def client_of(*authorities: Authority, timeout: float = 30.0, **options: str) -> AsyncIterator[TimestampClient]:
    async with TimestampClient(authorities, PKI.anchors, timeout=timeout, **options) as client:
        yield client


def read_token(token: bytes) -> tsp.TSTInfo:
    return cms.ContentInfo.load(token, strict=True)["content"]["encap_content_info"]["content"].parsed


def unused_address() -> Authority:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Authority(url=f"http://127.0.0.1:{probe.getsockname()[1]}/stamp")


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
async def test_an_honest_authority_gives_a_token_over_exactly_the_digest_asked_for(algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"contract").digest()
    async with served(BEHAVIOUR.honest) as authority, client_of(authority) as client:
        imprint = read_token(await client.stamp(digest, algorithm))["message_imprint"]
    assert imprint["hashed_message"].native == digest
    assert imprint["hash_algorithm"]["algorithm"].native == algorithm


async def test_granted_with_modifications_is_accepted_as_the_standard_allows() -> None:
    async with served(BEHAVIOUR.grants_with_changes) as authority, client_of(authority) as client:
        assert read_token(await client.stamp(DIGEST))["message_imprint"]["hashed_message"].native == DIGEST


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("stamps_another_digest", "imprint"),
        ("stamps_with_another_algorithm", "imprint"),
        ("sends_another_nonce", "nonce"),
        ("forgets_the_nonce", "nonce"),
        ("forgets_its_certificate", "malformed"),
        ("has_an_expired_certificate", "chain"),
        ("has_no_purpose", "usage"),
        ("has_another_purpose", "usage"),
        ("has_one_purpose_too_many", "usage"),
        ("has_an_uncritical_purpose", "usage"),
        ("belongs_to_strangers", "chain"),
        ("signs_with_another_key", "signature"),
        ("does_not_name_its_certificate", "signature"),
        ("names_another_certificate", "signature"),
        ("goes_two_hours_fast", "time"),
        ("goes_two_hours_slow", "time"),
        ("cuts_its_reply_short", "malformed"),
        ("adds_bytes_to_its_reply", "malformed"),
        ("sends_nothing", "malformed"),
        ("sends_html", "malformed"),
        ("sends_far_too_much", "malformed"),
        ("grants_without_a_token", "malformed"),
        ("sends_a_forest_of_certificates", "malformed"),
    ],
)
async def test_an_authority_that_lies_is_found_out_and_its_token_never_returned(behaviour: str, reason: str) -> None:
    async with served(getattr(BEHAVIOUR, behaviour)) as authority, client_of(authority) as client:
        with pytest.raises(Unavailable) as caught:
            await client.stamp(DIGEST)
    assert caught.value.code == "timestamp.untrusted"
    assert f"/stamp: {reason}" in str(caught.value.facts["failures"])


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [(REPLY, 500, "HTTP 500"), (REPLY, 401, "HTTP 401"), ("text/html", 200, "content type text/html")],
)
async def test_an_http_refusal_means_unavailable_even_around_a_perfect_token(kind: str, status: int, said: str) -> None:
    async with served(BEHAVIOUR.honest, kind=kind, status=status) as authority, client_of(authority) as client:
        with pytest.raises(Unavailable) as caught:
            await client.stamp(DIGEST)
    assert caught.value.code == "timestamp.unavailable"
    assert said in str(caught.value.facts["failures"])


async def test_an_honest_refusal_is_no_lie_and_is_reported_in_the_authoritys_words() -> None:
    async with served(BEHAVIOUR.refuses) as authority, client_of(authority) as client:
        with pytest.raises(Unavailable) as caught:
            await client.stamp(DIGEST)
    assert caught.value.code == "timestamp.unavailable"
    assert "rejection bad_data_format" in str(caught.value.facts["failures"])


async def test_a_hanging_authority_costs_the_timeout_and_no_more() -> None:
    released = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    async with listening(hang) as authority, client_of(authority, timeout=0.1) as client:
        with pytest.raises(Unavailable) as caught:
            await asyncio.wait_for(client.stamp(DIGEST), 3)
        released.set()
    assert "timeout" in str(caught.value.facts["failures"])


async def test_a_dropped_connection_is_unavailable_and_not_a_bug() -> None:
    async def drop(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with listening(drop) as authority, client_of(authority) as client:
        with pytest.raises(Unavailable) as caught:
            await client.stamp(DIGEST)
    assert caught.value.code == "timestamp.unavailable"


async def test_a_redirect_is_not_followed() -> None:
    async with served(BEHAVIOUR.honest) as honest:

        async def redirect(_request: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(honest.url)

        async with listening(redirect) as authority, client_of(authority) as client:
            with pytest.raises(Unavailable) as caught:
                await client.stamp(DIGEST)
    assert "HTTP 307" in str(caught.value.facts["failures"])


async def test_the_next_authority_is_asked_when_one_lies_and_one_is_away_and_each_try_has_a_new_nonce() -> None:
    nonces = []

    def lie(body: bytes) -> bytes:
        nonces.append(tsp.TimeStampReq.load(body)["nonce"].native)
        return BEHAVIOUR.stamps_another_digest(body)

    async with (
        served(lie) as liar,
        served(BEHAVIOUR.honest) as honest,
        client_of(liar, unused_address(), honest) as client,
    ):
        token = await client.stamp(DIGEST)
    nonces.append(read_token(token)["nonce"].native)
    assert read_token(token)["message_imprint"]["hashed_message"].native == DIGEST
    assert len(set(nonces)) == 2


async def test_a_mixture_of_lies_and_silence_counts_as_unavailable_and_names_everybody() -> None:
    away = unused_address()
    async with served(BEHAVIOUR.sends_another_nonce) as liar, client_of(liar, away) as client:
        with pytest.raises(Unavailable) as caught:
            await client.stamp(DIGEST)
    assert caught.value.code == "timestamp.unavailable"
    assert caught.value.facts["authorities"] == 2
    for authority in (liar, away):
        assert authority.url.removeprefix("http://") in str(caught.value.facts["failures"])


async def test_an_authority_that_failed_three_times_is_asked_last_until_its_pause_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def fail(_body: bytes) -> bytes:
        asked.append("first")
        return b""

    def answer(body: bytes) -> bytes:
        asked.append("second")
        return BEHAVIOUR.honest(body)

    async with served(fail) as first, served(answer) as second, client_of(first, second) as client:
        for _ in range(5):
            await client.stamp(DIGEST)
        assert asked == ["first", "second"] * 3 + ["second"] * 2
        later = engine.trust.timestamps.time.monotonic() + 31
        monkeypatch.setattr(
            engine.trust.timestamps, "time", type("Clock", (), {"monotonic": staticmethod(lambda: later)})
        )
        await client.stamp(DIGEST)
    assert asked[-2:] == ["first", "second"]


async def test_an_authority_in_its_pause_still_serves_when_it_is_the_only_one() -> None:
    broken = True
    async with (
        served(lambda body: b"" if broken else BEHAVIOUR.honest(body)) as authority,
        client_of(authority) as client,
    ):
        for _ in range(4):
            with pytest.raises(Unavailable):
                await client.stamp(DIGEST)
        broken = False
        assert await client.stamp(DIGEST)


async def test_a_wanted_policy_is_asked_for_and_checked() -> None:
    async with served(BEHAVIOUR.honest) as authority, client_of(Authority(authority.url, policy=POLICY)) as client:
        assert read_token(await client.stamp(DIGEST))["policy"].dotted == POLICY


async def test_a_token_under_another_policy_than_the_wanted_one_is_refused() -> None:
    wanted = "1.3.6.1.4.1.32473.9"
    async with (
        served(BEHAVIOUR.sends_the_usual_policy) as authority,
        client_of(Authority(authority.url, policy=wanted)) as client,
    ):
        with pytest.raises(Unavailable) as caught:
            await client.stamp(DIGEST)
    assert caught.value.code == "timestamp.untrusted"
    assert f"policy: stamped under {POLICY}" in str(caught.value.facts["failures"])


async def test_account_and_password_travel_and_never_appear_in_an_error() -> None:
    seen = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(status=403)

    async with listening(handle) as plain:
        authority = Authority(url=plain.url, username="账户", password="ge:heim")
        async with client_of(authority) as client:
            with pytest.raises(Unavailable) as caught:
                await client.stamp(DIGEST)
    assert seen == ["Basic " + base64.b64encode("账户:ge:heim".encode()).decode()]
    assert "heim" not in str(caught.value.to_dict())


async def test_requests_go_through_the_proxy_when_one_is_set() -> None:
    targets = []

    async def proxy(request: web.Request) -> web.Response:
        targets.append(str(request.url))
        return web.Response(body=BEHAVIOUR.honest(await request.read()), content_type=REPLY)

    async with (
        listening(proxy) as door,
        client_of(Authority("http://tsa.example/stamp"), proxy=door.url.removesuffix("/stamp")) as client,
    ):
        assert await client.stamp(DIGEST)
    assert targets == ["http://tsa.example/stamp"]


async def test_many_stamps_share_one_connection() -> None:
    peers = set()

    async def handle(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(body=BEHAVIOUR.honest(await request.read()), content_type=REPLY)

    async with listening(handle) as authority, client_of(authority) as client:
        tokens = [await client.stamp(DIGEST) for _ in range(5)]
    assert len(peers) == 1
    assert len(set(tokens)) == 5


async def test_health_gets_a_real_token_from_every_authority_and_says_what_is_wrong() -> None:
    away = unused_address()
    async with (
        served(BEHAVIOUR.honest) as honest,
        served(BEHAVIOUR.sends_another_nonce) as liar,
        client_of(honest, liar, away) as client,
    ):
        healthy, lying, absent = await client.health()
    assert [found.authority for found in (healthy, lying, absent)] == [
        authority.url.removeprefix("http://") for authority in (honest, liar, away)
    ]
    assert healthy.problem is None and healthy.policy == POLICY
    assert healthy.ahead is not None and abs(healthy.ahead) < 60
    assert healthy.certificate_ends == PKI.timestamping.certificate.not_valid_after_utc
    assert lying.problem is not None and lying.problem.startswith("nonce")
    assert absent.problem and absent.ahead is None


async def test_what_authorities_answered_is_counted_for_operators() -> None:
    def count(authority: Authority, outcome: str) -> float:
        labels = {"authority": authority.url.removeprefix("http://"), "outcome": outcome}
        return REGISTRY.get_sample_value("sealflow_timestamp_replies_total", labels) or 0.0

    away = unused_address()
    async with (
        served(BEHAVIOUR.sends_another_nonce) as liar,
        served(BEHAVIOUR.honest) as honest,
        client_of(liar, away, honest) as client,
    ):
        for _ in range(4):
            await client.stamp(DIGEST)
    assert [count(liar, "untrusted"), count(away, "failed"), count(honest, "granted")] == [3, 3, 4]
    shunned = REGISTRY.get_sample_value("sealflow_timestamp_authority_shunned", {"authority": away.url[7:]})
    assert shunned == 1, "three failures, and it is asked last"


async def test_a_digest_of_the_wrong_length_or_kind_is_a_misuse_and_nobody_is_asked() -> None:
    async with client_of(unused_address()) as client:
        for digest, algorithm in ((b"short", "sha256"), (DIGEST, "sha512"), (bytes(16), "md5")):
            with pytest.raises(Misuse) as caught:
                await client.stamp(digest, algorithm)
            assert caught.value.code == "timestamp.digest"


@pytest.mark.parametrize("url", ["", "tsa.example/stamp", "ftp://tsa.example", "http://", "http://tsa.example:port/"])
def test_an_unusable_address_is_refused_at_the_start_and_not_at_the_first_signature(url: str) -> None:
    with pytest.raises(Misuse) as caught:
        TimestampClient([Authority(url)], PKI.anchors)
    assert caught.value.code == "timestamp.address"


async def test_an_authority_on_this_machine_is_asked_without_the_proxy() -> None:
    nowhere = unused_address().url
    async with served(BEHAVIOUR.honest) as authority, client_of(authority, proxy=nowhere) as client:
        assert await client.stamp(DIGEST)


def test_a_client_without_authorities_says_which_setting_to_fill() -> None:
    with pytest.raises(Misuse) as caught:
        TimestampClient([], PKI.anchors)
    assert "trust.timestamp_authorities" in caught.value.say("zh")
