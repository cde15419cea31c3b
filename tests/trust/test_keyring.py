"""The keyring over several sources: who is asked, what a key must prove before it is given and before it signs."""

from __future__ import annotations

from pathlib import Path

import pytest
from asn1crypto.x509 import Certificate

from engine.errors import Conflict, Misuse, Rejected
from engine.trust.demo import ensure_demo
from engine.trust.holders import Holder
from engine.trust.keyring import Sources
from engine.trust.keys import Pkcs12Keyring, SigningKey
from tests.trust.paper import CountingKey, Notebook, make_key

COMPANY = make_key("ec", "Sample Works Ltd")
PERSON = make_key("ec", "Sample Person")
ONCE = Notebook().once


class Drawer:
    """A source that holds keys in memory."""

    def __init__(self, place: str, **keys: SigningKey) -> None:
        self.place = place
        self._keys = keys
        self.closed = False

    def holds(self, party: str) -> bool:
        return party in self._keys

    def parties(self) -> list[str]:
        return sorted(self._keys)

    async def key(self, party: str, *about: object) -> SigningKey:
        return self._keys[party]

    async def certificate(self, party: str) -> Certificate:
        return self._keys[party].certificate

    async def close(self) -> None:
        self.closed = True


class Gate:
    """A standing that tests open and shut."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked: list[str] = []

    async def require(self, party: str, certificate: Certificate) -> None:
        self.asked.append(party)
        if self.error is not None:
            raise self.error


async def test_sources_are_asked_in_order_and_all_are_closed() -> None:
    first, second = Drawer("first", employer=COMPANY), Drawer("second", employer=PERSON, employee=PERSON)
    keyring = Sources([first, second])
    assert await keyring.key("employer", ONCE, "run") is COMPANY
    assert await keyring.key("employee", ONCE, "run") is PERSON
    assert [(party, source.place) for party, source in keyring.listed()] == [
        ("employee", "second"),
        ("employer", "first"),
    ]
    await keyring.close()
    assert (first.closed, second.closed) == (True, True)


async def test_an_unknown_party_is_told_what_each_source_knows() -> None:
    with pytest.raises(Misuse) as caught:
        await Sources([Drawer("token A", employer=COMPANY), Drawer("folder B")]).key("emploer", ONCE, "run")
    assert caught.value.code == "keys.unknown_party"
    assert "token A: employer; folder B: -" in str(caught.value)


async def test_a_key_that_was_stopped_after_it_was_given_does_not_sign() -> None:
    counting, gate = CountingKey(COMPANY), Gate()
    key = await Sources([Drawer("drawer", employer=counting)], gate).key("employer", ONCE, "run")
    await key.sign(b"data", "sha256", "act")
    gate.error = Conflict("keys.suspended", zh="暂停", en="suspended")
    with pytest.raises(Conflict):
        await key.sign(b"data", "sha256", "act")
    assert counting.uses == 1
    assert gate.asked == ["employer", "employer"]
    assert (key.certificate, key.chain, key.digest_algorithm, key.repeatable) == (
        COMPANY.certificate,
        COMPANY.chain,
        "sha256",
        True,
    )
    assert key.mechanism("sha256").native == COMPANY.mechanism("sha256").native
    assert await key.recall(b"data", "sha256", "act") is None


async def test_a_certificate_must_name_the_holder_that_settings_or_the_caller_say() -> None:
    drawer = Drawer("drawer", employer=COMPANY)
    settings = {"employer": "Sample Works Ltd"}
    assert await Sources([drawer], holders=settings).key("employer", ONCE, "run") is COMPANY
    for keyring, holder in (
        (Sources([drawer], holders=settings), Holder("Other")),
        (Sources([drawer]), Holder("Other")),
    ):
        with pytest.raises(Rejected) as caught:
            await keyring.key("employer", ONCE, "run", holder)
        assert caught.value.code == "keys.holder_differs"
    with pytest.raises(Rejected):
        await Sources([drawer], holders={"employer": "Other"}).key("employer", ONCE, "run")


async def test_production_signs_for_nobody_whose_name_it_was_not_told() -> None:
    keyring = Sources([Drawer("drawer", employer=COMPANY)], environment="production")
    with pytest.raises(Misuse) as caught:
        await keyring.key("employer", ONCE, "run")
    assert caught.value.code == "keys.holder_missing"
    assert await keyring.key("employer", ONCE, "run", Holder("Sample Works Ltd")) is COMPANY


async def test_production_does_not_sign_with_a_key_a_demo_authority_certified(tmp_path: Path) -> None:
    demo = await ensure_demo(tmp_path / "demo", "development")
    source = Pkcs12Keyring(demo.keyring_directory)
    name = (await source.certificate("employer")).subject.native["common_name"]
    assert await Sources([source]).key("employer", ONCE, "run", Holder(name))
    with pytest.raises(Misuse) as caught:
        await Sources([source], environment="production").key("employer", ONCE, "run", Holder(name))
    assert caught.value.code == "trust.demo_in_production"
