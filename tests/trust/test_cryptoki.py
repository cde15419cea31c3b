"""Keys on a real PKCS#11 token (SoftHSM): what they sign, what is refused, and what survives loss and fork."""

from __future__ import annotations

import asyncio
import multiprocessing
from pathlib import Path

import msgspec
import pytest
from asn1crypto import pem
from pkcs11 import lib

from engine.errors import Misuse, Unavailable
from engine.trust.cryptoki import TokenSource
from engine.trust.mechanisms import is_signature
from tests.trust.paper import Notebook, make_key
from tests.trust.soft_hsm import MODULE, PIN, ROOT, SoftHsm, reload

ONCE = Notebook().once
KINDS = {"employer": "ec", "employee": "2048", "platform": "3072"}


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    hsm = SoftHsm(tmp_path_factory.mktemp("hsm"))
    hsm.make_token("office")
    for label, kind in KINDS.items():
        hsm.make_key("office", label, kind)
    return hsm


@pytest.fixture
def source(hsm: SoftHsm) -> TokenSource:
    return TokenSource(hsm.table("office", **{party: party for party in KINDS}))


async def refusal(source: TokenSource, party: str = "employer") -> Misuse:
    with pytest.raises(Misuse) as caught:
        await source.key(party, ONCE, "run", None)
    return caught.value


@pytest.mark.parametrize("party", KINDS)
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
async def test_a_key_on_the_token_signs_and_its_signature_verifies(
    source: TokenSource, party: str, digest: str
) -> None:
    key = await source.key(party, ONCE, "run", None)
    signature = await key.sign(b"attributes", digest, "act")
    assert is_signature(key.certificate, signature, b"attributes", digest)
    assert not is_signature(key.certificate, signature, b"other", digest)
    assert (key.repeatable, key.digest_algorithm, await key.recall(b"data", "sha256", "act")) == (True, "sha256", None)
    assert key.certificate.subject.native["common_name"] == f"Sample {party}"


async def test_many_at_once_share_one_session(source: TokenSource) -> None:
    keys = [await source.key(party, ONCE, "run", None) for party in ("employer", "employee")]
    signatures = await asyncio.gather(*(keys[n % 2].sign(b"%d" % n, "sha256", "act") for n in range(60)))
    assert all(
        is_signature(keys[n % 2].certificate, signature, b"%d" % n, "sha256") for n, signature in enumerate(signatures)
    )


async def test_the_certificate_may_lie_in_a_file_with_its_issuers(
    hsm: SoftHsm, source: TokenSource, tmp_path: Path
) -> None:

    held = await source.certificate("employer")
    table = hsm.table("office", employer="employer")
    table = type(table)(
        **{**{name: getattr(table, name) for name in table.__struct_fields__}, "certificates": tmp_path}
    )
    (tmp_path / "employer.pem").write_bytes(
        b"".join(pem.armor("CERTIFICATE", one.dump()) for one in (held, ROOT.certificate))
    )
    key = await TokenSource(table).key("employer", ONCE, "run", None)
    assert [one.dump() for one in key.chain] == [ROOT.certificate.dump()]
    other = make_key("ec", "Sample Other").certificate
    (tmp_path / "employer.pem").write_bytes(other.dump())
    key = await TokenSource(table).key("employer", ONCE, "run", None)
    with pytest.raises(Misuse) as caught:
        await key.sign(b"attributes", "sha256", "act")
    assert caught.value.code == "keys.mismatch"
    (tmp_path / "employer.pem").write_bytes(b"nothing")
    assert (await refusal(TokenSource(table))).code == "keys.unreadable"


async def test_a_lost_session_is_opened_anew(source: TokenSource) -> None:
    key = await source.key("employer", ONCE, "run", None)
    await key.sign(b"before", "sha256", "act")
    reload()
    assert is_signature(key.certificate, await key.sign(b"after", "sha256", "act"), b"after", "sha256")
    lib(str(MODULE)).finalize()
    assert is_signature(key.certificate, await key.sign(b"again", "sha256", "act"), b"again", "sha256")


async def test_a_token_that_went_away_is_unavailable_and_found_when_it_is_back(hsm: SoftHsm) -> None:
    hsm.make_token("travelling")
    hsm.make_key("travelling", "employer", "ec")
    key = await TokenSource(hsm.table("travelling", employer="employer")).key("employer", ONCE, "run", None)
    tokens = hsm.folder / "tokens"
    try:
        tokens.rename(hsm.folder / "away")
        tokens.mkdir()
        reload()
        with pytest.raises(Unavailable) as caught:
            await key.sign(b"data", "sha256", "act")
        assert caught.value.code == "keys.token_unavailable"
    finally:
        tokens.rmdir()
        (hsm.folder / "away").rename(tokens)
        reload()
    assert is_signature(key.certificate, await key.sign(b"data", "sha256", "act"), b"data", "sha256")


async def test_a_wrong_pin_is_given_once_and_by_nobody_else_until_somebody_logs_in(hsm: SoftHsm) -> None:
    hsm.make_token("guarded")
    hsm.make_key("guarded", "employer", "ec")
    table = hsm.table("guarded", employer="employer")
    wrong = msgspec.structs.replace(table, pin=hsm.write_pin("wrong", "000000"))
    source = TokenSource(wrong)
    for _ in range(3):
        assert (await refusal(source)).code == "keys.pin"
    assert (await refusal(TokenSource(wrong))).code == "keys.pin_endangered", "another process spares the device"
    with lib(str(MODULE)).get_token(token_label="guarded").open(user_pin=PIN):
        pass  # the device's own tool
    assert await TokenSource(table).key("employer", ONCE, "run", None)
    hsm.write_pin("wrong", PIN)
    assert await source.key("employer", ONCE, "run", None), "a corrected file is read"


async def test_what_is_wrong_with_a_token_is_said(hsm: SoftHsm, tmp_path: Path) -> None:
    table = hsm.table("office", employer="employer", ghost="ghost", loose="loose", bare="bare", small="small")
    hsm.make_key("office", "loose", "ec", extractable=True)
    hsm.make_key("office", "bare", "ec", certificate="elsewhere")
    hsm.make_key("office", "small", "1024")
    source = TokenSource(table)
    assert (await refusal(source, "nobody")).code == "keys.unknown_party"
    assert (await refusal(source, "ghost")).code == "keys.token_key"
    assert (await refusal(source, "loose")).code == "keys.extractable"
    assert (await refusal(source, "bare")).code == "keys.token_certificate"
    assert (await refusal(source, "small")).code == "keys.weak"
    open_pin = tmp_path / "pin"
    open_pin.write_text(PIN)
    open_pin.chmod(0o644)
    for pin, code in ((open_pin, "keys.permissions"), (tmp_path / "none", "keys.passphrase_file")):
        assert (await refusal(TokenSource(msgspec.structs.replace(table, pin=pin)))).code == code
    absent = TokenSource(msgspec.structs.replace(table, module=tmp_path / "absent.so"))
    assert (await refusal(absent)).code == "keys.module"
    with pytest.raises(Unavailable):
        await TokenSource(hsm.table("nowhere", employer="employer")).key("employer", ONCE, "run", None)


def _sign_in_child(source: TokenSource, answers: object) -> None:
    key = asyncio.run(source.key("employer", ONCE, "run", None))
    answers.put(asyncio.run(key.sign(b"child", "sha256", "act")))  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_opens_a_session_of_its_own_and_leaves_its_parents(source: TokenSource) -> None:
    key = asyncio.run(source.key("employer", ONCE, "run", None))
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    children = [context.Process(target=_sign_in_child, args=(source, answers)) for _ in range(2)]
    for child in children:
        child.start()
    signatures = [answers.get(timeout=30) for _ in children]
    for child in children:
        child.join(30)
    assert all(is_signature(key.certificate, signature, b"child", "sha256") for signature in signatures)
    assert is_signature(key.certificate, asyncio.run(key.sign(b"parent", "sha256", "act")), b"parent", "sha256")
