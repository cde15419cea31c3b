"""What is learnt of revocations beside the file: from a real authority on loopback, and from what was kept of it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from asn1crypto.x509 import Certificate

from engine.sandbox import Sandbox
from engine.trust.anchors import load_anchors
from engine.trust.authority.status import Register
from engine.trust.demo import DemoTrust, ensure_demo
from engine.trust.indications import Indication, SubIndication
from engine.trust.inquiry import Inquiry
from engine.trust.keys import Pkcs12Keyring
from engine.trust.preparation import SignatureOrder
from engine.trust.revocation import RevocationSource
from engine.trust.revocation_store import RevocationStore
from engine.trust.signing import Surroundings, sign_document
from engine.trust.validation import verify
from engine.trust.verdict import Integrity, Report, Trust
from tests.trust.paper import Notebook, Rack, draw_paper, prove

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Desk:
    """A signed file, its PKI, and somebody who verifies."""

    demo: DemoTrust
    sandbox: Sandbox
    file: Path
    anchors: tuple[Certificate, ...]
    serial: int

    async def judge(self, inquiry: Inquiry | None, at: datetime | None = None) -> Report:
        return await verify(self.sandbox, self.file, self.anchors, at=at, inquiry=inquiry)

    async def ask(self, store: RevocationStore) -> Report:
        async with RevocationSource(self.anchors, timeout=3) as source:
            return await self.judge(Inquiry(store, source))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    demo = await ensure_demo(folder / "pki", "development")
    sandbox = Sandbox(("engine.trust.inspection", "engine.trust.preparation"))
    key = await Pkcs12Keyring(demo.keyring_directory).key("employer")
    around = Surroundings(sandbox, Rack(folder / "rack"), Notebook().once, "run", folder)
    order = SignatureOrder("party-a", datetime.now(UTC), 0)
    paper = draw_paper(folder / "paper.pdf")
    file = await sign_document(paper, folder / "signed.pdf", order, key, None, around, prove(paper))
    yield Desk(demo, sandbox, file, load_anchors(demo.anchors_directory), key.certificate.serial_number)
    await sandbox.close()


def state(report: Report) -> tuple[object, ...]:
    (entry,) = report.signatures
    return entry.integrity, entry.trust, entry.indication, entry.sub_indication


PASSED = (Integrity.VALID, Trust.TRUSTED, Indication.PASSED, None)
SILENT = (Integrity.VALID, Trust.TRUSTED, Indication.INDETERMINATE, SubIndication.TRY_LATER)


async def test_without_any_answer_the_status_is_try_later_and_names_whom_nobody_vouches_for(
    desk: Desk, tmp_path: Path
) -> None:
    for inquiry in (None, Inquiry(RevocationStore(tmp_path))):
        report = await desk.judge(inquiry)
        assert state(report) == SILENT
        assert len(report.signatures[0].unknown_revocation) == 2  # the signer and the authority that issued to them


async def test_an_authority_that_does_not_answer_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    assert state(await desk.ask(RevocationStore(tmp_path))) == SILENT  # nobody serves the demo PKI now
    assert list(tmp_path.iterdir()) == []


async def test_a_fresh_answer_is_kept_and_serves_without_the_network(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RevocationStore(tmp_path / "cache")
    async with desk.demo.serve():
        report = await desk.ask(store)
    assert state(report) == PASSED
    assert report.level == "B-B"  # what was learnt elsewhere does not make the file more than it is

    def refuse(*_: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert state(await desk.judge(Inquiry(RevocationStore(tmp_path / "cache")))) == PASSED


async def test_an_old_answer_does_not_vouch_for_today(desk: Desk, tmp_path: Path) -> None:
    store = RevocationStore(tmp_path / "cache")
    async with desk.demo.serve():
        await desk.ask(store)
    later = datetime.now(UTC) + timedelta(days=30)
    assert state(await desk.judge(Inquiry(store), later)) == SILENT


async def test_a_damaged_answer_is_thrown_away(desk: Desk, tmp_path: Path) -> None:
    store = RevocationStore(tmp_path / "cache")
    async with desk.demo.serve():
        await desk.ask(store)
    for file in (tmp_path / "cache").iterdir():
        content = bytearray(file.read_bytes())
        content[-3] ^= 1
        file.write_bytes(content)
    assert state(await desk.judge(Inquiry(store))) == SILENT
    assert list((tmp_path / "cache").iterdir()) == []


async def test_a_revoked_signer_without_a_proven_time_is_told(desk: Desk, tmp_path: Path) -> None:
    register = Register(desk.demo.directory / "authority" / "register.json")
    register.record(desk.serial, datetime.now(UTC) - timedelta(hours=1))
    try:
        async with desk.demo.serve():
            report = await desk.ask(RevocationStore(tmp_path))
    finally:
        register.record(desk.serial)
    expected = (Integrity.VALID, Trust.REVOKED, Indication.INDETERMINATE, SubIndication.REVOKED_NO_POE)
    assert state(report) == expected
