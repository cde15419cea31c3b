"""Signing at a service over real HTTP: its key is used once, whatever becomes of the answer."""

from __future__ import annotations

import base64
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InDoubt, Misuse, SealflowError, Unavailable
from engine.records.effects import MemoryLedger
from engine.settings import RemoteService
from engine.trust.mechanisms import is_signature
from engine.trust.remote import RemoteSource
from engine.trust.suites import libcrypto, sm2
from tests.trust.signature_service import SignatureService

DATA = b"signed attributes"


@pytest.fixture
async def service() -> AsyncIterator[SignatureService]:
    async with SignatureService().serve() as running:
        yield running


async def sign(ledger: MemoryLedger, table: RemoteService, act: str = "run/3:sign:0") -> bytes:
    """One attempt as a stage makes it: a new client, the same ledger."""
    async with RemoteSource(table) as source:
        key = await source.key("employer", ledger.once, "run/3", None)

        async def use(data: bytes) -> bytes:
            return await key.sign(data, key.digest_algorithm, act)

        async def recall(data: bytes) -> bytes | None:
            return await key.recall(data, key.digest_algorithm, act)

        _, signature = await ledger.once(act, "signature", DATA, use, repeatable=key.repeatable, recall=recall)
        assert is_signature(key.certificate, signature, DATA, key.digest_algorithm)
        return signature


async def failure(ledger: MemoryLedger, table: RemoteService) -> SealflowError:
    with pytest.raises(SealflowError) as caught:
        await sign(ledger, table)
    return caught.value


@pytest.mark.parametrize("kind", ["ec", "rsa", "sm2"])
@pytest.mark.parametrize("mood", ["", "raw"])
async def test_a_service_signs_the_digest_and_its_signature_verifies(kind: str, mood: str, tmp_path: Path) -> None:
    async with SignatureService(kind).serve() as service:
        service.moods = [mood]
        await sign(MemoryLedger(), service.table(tmp_path))
    (asked,) = service.seen
    assert (asked["credentialID"], asked["clientData"], asked["operationMode"]) == ("credential-1", "run/3:sign:0", "S")
    assert DATA not in str(asked).encode(), "a digest leaves the house, no more"


async def test_a_pin_authorises_one_digest_before_the_key_is_used(service: SignatureService, tmp_path: Path) -> None:
    table = service.table(tmp_path, pin=tmp_path / "pin")
    await sign(MemoryLedger(), table)
    assert service.seen[0]["SAD"] == f"activated for {service.seen[0]['hashes'][0]}"
    (tmp_path / "pin").write_text("0000")
    assert (await failure(MemoryLedger(), table)).code == "keys.remote_refused"
    assert service.uses == 1


@pytest.mark.parametrize("mood", ["after", "before", "500", "502", "409", "408", "html", "slow"])
async def test_without_a_word_on_repetition_a_lost_answer_is_in_doubt_and_never_asked_for_again(
    service: SignatureService, tmp_path: Path, mood: str
) -> None:
    service.moods, ledger, table = [mood], MemoryLedger(), service.table(tmp_path, timeout=0.5)
    first = await failure(ledger, table)
    assert isinstance(first, InDoubt)
    assert first.code == "keys.remote_doubt"
    for _ in range(3):
        assert (await failure(ledger, table)).code == "effect.in_doubt"
    assert service.asked == 1


@pytest.mark.parametrize("mood", ["after", "before", "500", "409", "html", "slow"])
async def test_an_idempotent_service_is_asked_again_and_uses_its_key_once(
    service: SignatureService, tmp_path: Path, mood: str
) -> None:
    service.moods, ledger = [mood], MemoryLedger()
    table = service.table(tmp_path, idempotent=True, timeout=0.5)
    assert isinstance(await failure(ledger, table), Unavailable)
    signature = await sign(ledger, table)
    assert await sign(ledger, table) == signature
    assert (service.asked, service.uses) == (2, 1)


@pytest.mark.parametrize("mood", ["after", "slow"])
async def test_a_service_that_tells_what_it_did_settles_the_doubt_at_once(
    service: SignatureService, tmp_path: Path, mood: str
) -> None:
    service.moods, service.remembers = [mood], False
    await sign(MemoryLedger(), service.table(tmp_path, status=True, timeout=0.5))
    assert (service.asked, service.uses) == (1, 1)


async def test_after_a_death_before_the_answer_was_written_down_the_service_is_asked_what_it_did(
    service: SignatureService, tmp_path: Path
) -> None:
    ledger, table = MemoryLedger(), service.table(tmp_path, status=True)
    service.remembers = False

    class Killed(BaseException):
        pass

    async def die(data: bytes) -> bytes:
        async with RemoteSource(table) as source:
            await (await source.key("employer", ledger.once, "run/3", None)).sign(data, "sha256", "run/3:sign:0")
        raise Killed

    with pytest.raises(Killed):
        await ledger.once("run/3:sign:0", "signature", DATA, die, repeatable=False)
    await sign(ledger, table)
    assert (service.asked, service.uses) == (1, 1)


async def test_what_it_did_not_do_stays_in_doubt_even_when_it_tells(service: SignatureService, tmp_path: Path) -> None:
    service.moods, ledger, table = ["before"], MemoryLedger(), service.table(tmp_path, status=True)
    assert isinstance(await failure(ledger, table), InDoubt)
    assert (await failure(ledger, table)).code == "effect.in_doubt", "it may still be on its way"
    assert service.uses == 0


@pytest.mark.parametrize("mood", ["429", "503"])
async def test_a_service_that_says_it_did_not_act_is_asked_later(
    service: SignatureService, tmp_path: Path, mood: str
) -> None:
    service.moods, ledger, table = [mood, mood], MemoryLedger(), service.table(tmp_path)
    for _ in range(2):
        assert (await failure(ledger, table)).code == "keys.remote_unavailable"
    await sign(ledger, table)
    assert service.uses == 1


async def test_a_service_that_cannot_be_reached_did_not_act(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    service, ledger = SignatureService(), MemoryLedger()
    service.url = f"http://127.0.0.1:{port}/csc/v2"
    (tmp_path / "employer.pem").write_bytes(service.key.certificate.dump())
    table = service.table(tmp_path, certificates=tmp_path)
    for _ in range(2):
        assert (await failure(ledger, table)).code == "keys.remote_unavailable"
    async with service.serve(port):
        await sign(ledger, table)
    assert service.uses == 1


@pytest.mark.parametrize("mood", ["wrong", "other"])
@pytest.mark.parametrize("more", [{}, {"idempotent": True}, {"status": True}], ids=str)
async def test_a_signature_that_is_not_the_certificates_is_never_published(
    service: SignatureService, tmp_path: Path, mood: str, more: dict[str, Any]
) -> None:
    service.moods, ledger = [mood], MemoryLedger()
    error = await failure(ledger, service.table(tmp_path, **more))
    assert isinstance(error, InDoubt)
    assert service.uses == 1


@pytest.mark.parametrize("status", ["400", "401", "403", "404", "422", "302"])
async def test_a_refusal_names_the_service_and_what_it_said(
    service: SignatureService, tmp_path: Path, status: str
) -> None:
    service.moods, ledger, table = [status], MemoryLedger(), service.table(tmp_path)
    error = await failure(ledger, table)
    assert isinstance(error, Misuse)
    assert (error.code, error.facts["status"]) == ("keys.remote_refused", int(status))
    await sign(ledger, table)


async def test_an_address_without_encryption_is_refused() -> None:
    with pytest.raises(Misuse) as caught:
        RemoteSource(RemoteService(url="http://sign.example/csc/v2", parties={}))
    assert caught.value.code == "keys.remote_address"


async def test_what_is_wrong_with_a_service_is_said(service: SignatureService, tmp_path: Path) -> None:
    table = service.table(tmp_path)
    async with RemoteSource(table) as source:
        for party, code in (("employer", ""), ("nobody", "keys.unknown_party")):
            if code:
                with pytest.raises(Misuse) as caught:
                    await source.key(party, MemoryLedger().once, "run", None)
                assert caught.value.code == code
        assert [one.dump() for one in (await source.key("employer", MemoryLedger().once, "run", None)).chain]
    (tmp_path / "token").write_text("stolen")
    assert (await failure(MemoryLedger(), table)).code == "keys.remote_refused"
    (tmp_path / "token").chmod(0o644)
    assert (await failure(MemoryLedger(), table)).code == "keys.permissions"
    assert service.uses == 0


async def test_an_sm2_credential_is_asked_for_sm2_over_sm3_of_identity_and_data(tmp_path: Path) -> None:
    async with SignatureService("sm2").serve() as service:
        await sign(MemoryLedger(), service.table(tmp_path))
        public_key = service.key.certificate.public_key
    (asked,) = service.seen
    assert (asked["hashAlgorithmOID"], asked["signAlgo"]) == ("1.2.156.10197.1.401", "1.2.156.10197.1.501")
    assert asked["hashes"] == [base64.b64encode(sm2.digest(public_key, DATA)).decode()]


async def test_an_sm2_credential_is_not_used_where_its_signature_could_not_be_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SignatureService("sm2").serve() as service:
        monkeypatch.setattr(libcrypto, "_NAMES", ())
        libcrypto.libcrypto.cache_clear()
        try:
            refused = await failure(MemoryLedger(), service.table(tmp_path))
        finally:
            libcrypto.libcrypto.cache_clear()
    assert (refused.code, service.asked) == ("keys.no_sm2", 0)
