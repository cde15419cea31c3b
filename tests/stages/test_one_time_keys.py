"""Signing with a key that is made and certified for one signature: whatever dies when, one signature is published."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from engine.errors import Conflict, Misuse, Rejected, Unavailable
from engine.pipeline.stage import Done, Work
from engine.records.intents import MemoryIntents
from engine.sandbox import Sandbox
from engine.stages.sign import Sign
from engine.trust.anchors import load_anchors
from engine.trust.demo import ensure_demo
from engine.trust.keyring import Sources
from engine.trust.one_time import OneTimeSource
from engine.trust.revocation import RevocationSource
from engine.trust.timestamps import TimestampClient
from engine.vendors.protocols import CertificateRequest
from plugins.certificates.demo import DemoCertificates
from tests.trust.paper import Crash, Notebook, Rack, draw_paper, valid_signatures
from tests.trust.test_keyring import Gate

pytestmark = pytest.mark.asyncio(loop_scope="module")
NAME = "示例员工"


class Issuer(DemoCertificates):
    """The demo's authority, counted; it may die after it issued, be away, or certify somebody else."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.keys: list[str] = []
        self.proofs: list[bytes] = []
        self.failure: BaseException | None = None
        self.name: str | None = None

    async def issue(self, request: CertificateRequest, key: str) -> tuple[bytes, ...]:
        self.keys.append(key)
        self.proofs.append(request.proof)
        asked = CertificateRequest(request.pkcs10, self.name or request.name, request.number, request.proof)
        chain = await super().issue(asked, key)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return chain


@dataclass
class Desk:
    """What lasts; ``sign`` is one life of a process: a new client, keys of its own."""

    sandbox: Sandbox
    timestamps: TimestampClient
    revocation: RevocationSource
    home: Path
    intents: MemoryIntents = field(default_factory=MemoryIntents)

    def at(self, folder: Path) -> Sitting:
        return Sitting(self, folder)


class Sitting:
    """One document that is to be signed."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.folder = desk, folder
        self.notebook, self.issuer, self.gate = Notebook(), Issuer(desk.home), Gate()
        self.paper = draw_paper(folder / "paper.pdf")

    async def sign(self, holder: str | None = NAME) -> Path:
        workspace = self.folder / uuid4().hex
        workspace.mkdir()
        keyring = Sources([OneTimeSource(self.issuer, "demo", ["employee"])], self.gate)
        desk = self.desk
        stage = Sign(
            desk.sandbox, keyring, desk.timestamps, desk.revocation, desk.intents,
            as_="employee", field="party-a", holder=holder,
        )  # fmt: skip
        work = Work((self.paper,), {}, workspace, str(self.folder), self.notebook, Rack(self.folder / "rack"))
        done = await stage.run(work)
        assert isinstance(done, Done)
        assert done.outputs is not None
        return done.outputs[0]

    def signatures(self) -> list[bytes]:
        """Values that the ledger published, without those that were published as never made."""
        acts = [key for key in self.notebook.entries if key.rpartition(":")[0].endswith(":sign")]
        return [value for key in acts if (value := self.notebook.entries[key][1])]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    home = tmp_path_factory.mktemp("home")
    demo = await ensure_demo(home / "demo-pki", "development")
    anchors = load_anchors(demo.anchors_directory)
    sandbox = Sandbox(preload=("engine.trust.inspection", "engine.trust.preparation"))
    async with (
        demo.serve(),
        TimestampClient([demo.authority], anchors) as timestamps,
        RevocationSource(anchors) as revocation,
    ):
        yield Desk(sandbox, timestamps, revocation, home)
    await sandbox.close()


async def test_each_signature_has_a_key_and_a_certificate_of_its_own(desk: Desk, tmp_path: Path) -> None:
    sitting = desk.at(tmp_path)
    signed = await sitting.sign()
    assert valid_signatures(signed) == 1
    assert NAME.encode("utf-8").hex() in signed.read_bytes().decode("latin-1").lower()
    assert len(sitting.issuer.keys) == len(sitting.signatures()) == 1
    assert b'"party":"employee"' in sitting.issuer.proofs[0], (
        "the authority is told what the party's will was proved by"
    )
    assert (await sitting.sign()).read_bytes() == signed.read_bytes(), "a replay needs no key and no certificate"
    assert len(sitting.issuer.keys) == 1


@pytest.mark.parametrize(
    ("die", "certificates"),
    [
        ("before certificate:0", 1),
        ("after certificate:0", 2),
        ("before sign:0", 2),
        ("after sign:0", 1),
        ("before stamp", 1),
        ("after stamp", 1),
    ],
)
async def test_after_a_death_anywhere_one_signature_is_published(
    desk: Desk, tmp_path: Path, die: str, certificates: int
) -> None:
    sitting = desk.at(tmp_path)
    when, step = die.split()
    setattr(sitting.notebook, f"die_{when}", step)
    with pytest.raises(Crash):
        await sitting.sign()
    recovered = await sitting.sign()
    again = await sitting.sign()
    assert recovered.read_bytes() == again.read_bytes()
    assert valid_signatures(recovered) == 1
    assert len(sitting.signatures()) == 1
    assert len(sitting.issuer.keys) == certificates


async def test_a_certificate_whose_key_died_before_it_came_is_given_up(desk: Desk, tmp_path: Path) -> None:
    sitting = desk.at(tmp_path)
    sitting.issuer.failure = Crash()
    with pytest.raises(Crash):
        await sitting.sign()
    assert valid_signatures(await sitting.sign()) == 1
    assert len(set(sitting.issuer.keys)) == 2, "no request goes under the key of another"
    assert len(sitting.signatures()) == 1


async def test_an_authority_that_is_away_is_asked_again(desk: Desk, tmp_path: Path) -> None:
    sitting = desk.at(tmp_path)
    sitting.issuer.failure = Unavailable("certificate.unavailable", zh="不可用", en="away")
    with pytest.raises(Unavailable):
        await sitting.sign()
    assert valid_signatures(await sitting.sign()) == 1


async def test_a_suspended_party_costs_no_certificate_for_every_try(desk: Desk, tmp_path: Path) -> None:
    sitting = desk.at(tmp_path)
    sitting.gate.error = Conflict("keys.suspended", zh="暂停", en="suspended")
    for _ in range(3):
        with pytest.raises(Conflict):
            await sitting.sign()
    assert len(sitting.issuer.keys) == 1
    sitting.gate.error = None
    assert valid_signatures(await sitting.sign()) == 1
    assert len(sitting.signatures()) == 1


async def test_a_certificate_for_somebody_else_signs_nothing(desk: Desk, tmp_path: Path) -> None:
    sitting = desk.at(tmp_path)
    sitting.issuer.name = "示例他人"
    with pytest.raises(Rejected) as caught:
        await sitting.sign()
    assert caught.value.code == "keys.holder_differs"
    assert sitting.signatures() == []


@pytest.mark.parametrize("holder", [None, "", "长" * 65])
async def test_nobody_is_certified_whose_name_is_not_known_or_does_not_fit(
    desk: Desk, tmp_path: Path, holder: str | None
) -> None:
    sitting = desk.at(tmp_path)
    with pytest.raises(Misuse) as caught:
        await sitting.sign(holder)
    assert caught.value.code == "keys.one_time_holder"
    assert sitting.issuer.keys == []


async def test_everybody_may_be_meant(tmp_path: Path) -> None:
    source = OneTimeSource(Issuer(tmp_path), "demo", ["visitor", "*"])
    assert source.holds("anybody")
    assert source.parties() == ["visitor"]
    assert source.place == "demo"
    assert await source.certificate("visitor") is None
    assert not OneTimeSource(Issuer(tmp_path), "demo", ["visitor"]).holds("anybody")
