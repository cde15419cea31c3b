from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from engine.errors import Rejected, Unavailable
from engine.sandbox import Sandbox
from engine.trust.anchors import load_anchors
from engine.trust.archiving import archive_document, stamp_document
from engine.trust.authority.server import DemoAuthority
from engine.trust.demo import DemoTrust, ensure_demo
from engine.trust.indications import Indication
from engine.trust.keys import Pkcs12Keyring
from engine.trust.preparation import SignatureOrder
from engine.trust.revocation import RevocationSource
from engine.trust.signing import Surroundings, sign_document
from engine.trust.timestamps import TimestampClient
from engine.trust.validation import verify
from engine.trust.verdict import Integrity, Report, Trust
from tests.trust.paper import Crash, Notebook, Rack, check_structure, draw_paper, prove, valid_signatures

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Office:
    """The demo PKI with its server, and everything that asks it."""

    demo: DemoTrust
    sandbox: Sandbox
    stamper: TimestampClient
    keyring: Pkcs12Keyring
    authority: DemoAuthority

    def source(self) -> RevocationSource:
        return RevocationSource(load_anchors(self.demo.anchors_directory), timeout=5)

    async def judge(self, file: Path) -> Report:
        return await verify(self.sandbox, file, load_anchors(self.demo.anchors_directory))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    demo = await ensure_demo(tmp_path_factory.mktemp("pki") / "demo", "development")
    sandbox = Sandbox(preload=("engine.trust.inspection", "engine.trust.preparation", "engine.trust.revisions"))
    anchors = load_anchors(demo.anchors_directory)
    async with demo.serve() as authority, TimestampClient([demo.authority], anchors) as stamper:
        yield Office(demo, sandbox, stamper, Pkcs12Keyring(demo.keyring_directory), authority)
    await sandbox.close()


def surround(office: Office, folder: Path, subject: str, notebook: Notebook | None = None) -> Surroundings:
    workspace = folder / f"{subject}-{len(list(folder.iterdir()))}"
    workspace.mkdir()
    return Surroundings(office.sandbox, Rack(folder / "rack"), (notebook or Notebook()).once, subject, workspace)


async def sign(office: Office, folder: Path, *, stamped: bool = True) -> Path:
    source = draw_paper(folder / "paper.pdf")
    for field, party in (("party-a", "employer"), ("party-b", "employee")):
        order = SignatureOrder(field, datetime.now(UTC), 0)
        around = surround(office, folder, field)
        stamper = office.stamper if stamped else None
        key = await office.keyring.key(party)
        source = await sign_document(
            source, around.workspace / "signed.pdf", order, key, stamper, around, prove(source)
        )
    return source


@pytest.mark.parametrize("level", ["B-LT", "B-LTA"])
async def test_two_signatures_reach_the_level_and_stay_what_they_were(
    office: Office, tmp_path: Path, level: str
) -> None:
    signed = await sign(office, tmp_path)
    around = surround(office, tmp_path, "archive")
    output = around.workspace / "out.pdf"
    async with office.source() as revocation:
        archived = await archive_document(signed, output, level, revocation, office.stamper, around)
    assert archived.read_bytes().startswith(signed.read_bytes())
    report = await office.judge(archived)
    assert (report.trust, report.level) == (Trust.TRUSTED, level)
    later = await verify(
        office.sandbox,
        archived,
        load_anchors(office.demo.anchors_directory),
        at=datetime.now(UTC) + timedelta(days=300),
    )
    assert (later.trust, later.indication) == (Trust.TRUSTED, Indication.PASSED)  # and offline, long after
    assert report.integrity is (Integrity.VALID if level == "B-LTA" else Integrity.EXTENDED)
    check_structure(archived)
    assert valid_signatures(archived) == 2


async def test_a_signature_without_a_timestamp_is_stamped_before_it_is_archived(office: Office, tmp_path: Path) -> None:
    signed = await sign(office, tmp_path, stamped=False)
    around = surround(office, tmp_path, "archive")
    output = around.workspace / "o.pdf"
    async with office.source() as revocation:
        archived = await archive_document(signed, output, "B-LTA", revocation, office.stamper, around)
    assert (await office.judge(archived)).level == "B-LTA"


async def test_a_batch_asks_for_revocation_data_once(office: Office, tmp_path: Path) -> None:
    signed = await sign(office, tmp_path)
    revocation = office.source()
    counts = []
    for number in range(3):
        around = surround(office, tmp_path, f"archive-{number}")
        await archive_document(signed, around.workspace / "o.pdf", "B-LTA", revocation, office.stamper, around)
        counts.append(revocation.requests)
    await revocation.close()
    assert counts[0] > 0
    assert counts[1:] == [counts[0]] * 2


async def test_an_unsigned_file_is_not_archived(office: Office, tmp_path: Path) -> None:
    around = surround(office, tmp_path, "archive")
    paper = draw_paper(tmp_path / "p.pdf")
    async with office.source() as revocation:
        with pytest.raises(Rejected) as refusal:
            await archive_document(paper, tmp_path / "o.pdf", "B-LT", revocation, office.stamper, around)
    assert refusal.value.code == "archive.unsigned"


async def test_a_stranger_is_not_archived(office: Office, tmp_path: Path) -> None:
    signed = await sign(office, tmp_path)
    around = surround(office, tmp_path, "archive")
    async with RevocationSource([]) as revocation:
        with pytest.raises(Rejected) as refusal:
            await archive_document(signed, tmp_path / "o.pdf", "B-LT", revocation, office.stamper, around)
    assert refusal.value.code == "revocation.no_chain"


@pytest.mark.parametrize("die", ["die_before", "die_after"])
async def test_a_crash_is_repeated_to_the_same_bytes(office: Office, tmp_path: Path, die: str) -> None:
    signed = await sign(office, tmp_path)
    notebook = Notebook()
    setattr(notebook, die, "archive:0")
    revocation = office.source()

    async def archive() -> bytes:
        around = surround(office, tmp_path, "run", notebook)
        output = around.workspace / "o.pdf"
        await archive_document(signed, output, "B-LTA", revocation, office.stamper, around)
        return output.read_bytes()

    with pytest.raises(Crash):
        await archive()
    assert await archive() == await archive()
    await revocation.close()


async def test_a_document_timestamp_alone_proves_a_time_and_no_author(office: Office, tmp_path: Path) -> None:
    around = surround(office, tmp_path, "stamp")
    source = draw_paper(tmp_path / "p.pdf")
    stamped = await stamp_document(source, around.workspace / "o.pdf", office.stamper, around)
    report = await office.judge(stamped)
    assert (report.integrity, report.trust, report.level) == (Integrity.VALID, Trust.TRUSTED, None)
    assert report.signatures[0].kind == "timestamp"
    assert report.signatures[0].proven_at is not None


async def test_a_missing_revocation_service_makes_archiving_wait(office: Office, tmp_path: Path) -> None:
    demo = await ensure_demo(tmp_path / "pki", "development")
    anchors = load_anchors(demo.anchors_directory)
    papers = tmp_path / "papers"
    papers.mkdir()
    async with (
        TimestampClient([demo.authority], anchors) as stamper,
        RevocationSource(anchors, timeout=2) as revocation,
    ):
        own = replace(office, demo=demo, stamper=stamper, keyring=Pkcs12Keyring(demo.keyring_directory))
        async with demo.serve():
            signed = await sign(own, papers)
        around = surround(own, papers, "archive")
        with pytest.raises(Unavailable) as refusal:
            await archive_document(signed, tmp_path / "o.pdf", "B-LTA", revocation, stamper, around)
    assert refusal.value.code == "revocation.unavailable"
    assert not (tmp_path / "o.pdf").exists()


async def test_a_revoked_signer_is_not_archived(office: Office, tmp_path: Path) -> None:
    office.authority.issue("leaver", "DEMO Leaver", "DEMO")
    key = await office.keyring.key("leaver")
    around = surround(office, tmp_path, "sign")
    order = SignatureOrder("party-a", datetime.now(UTC), 0)
    source = draw_paper(tmp_path / "p.pdf")
    signed = await sign_document(source, around.workspace / "s.pdf", order, key, office.stamper, around, prove(source))
    office.authority.revoke(key.certificate.serial_number)
    around = surround(office, tmp_path, "archive")
    async with office.source() as revocation:
        with pytest.raises(Rejected) as refusal:
            await archive_document(signed, tmp_path / "o.pdf", "B-LTA", revocation, office.stamper, around)
    assert refusal.value.code == "revocation.revoked"


async def test_a_damaged_certificate_beside_the_last_timestamp_lowers_the_level_and_is_told(
    office: Office, tmp_path: Path
) -> None:
    signed = await sign(office, tmp_path)
    around = surround(office, tmp_path, "archive")
    output = around.workspace / "out.pdf"
    async with office.source() as revocation:
        archived = await archive_document(signed, output, "B-LTA", revocation, office.stamper, around)
    content = archived.read_bytes()
    beside = (await office.keyring.key("employer")).chain[0].dump().hex().encode()  # the issuing authority
    hole = content.rindex(b"/Contents")
    place = content.lower().index(beside, hole) + len(beside) - 1
    damaged = tmp_path / "damaged.pdf"
    damaged.write_bytes(content[:place] + (b"0" if content[place : place + 1] != b"0" else b"1") + content[place + 1 :])
    report = await office.judge(damaged)
    assert (report.integrity, report.level) == (Integrity.VALID, "B-LT")
    assert [finding.code for finding in report.signatures[-1].findings] == ["signature.damaged_certificate"]
    assert not report.signatures[0].findings
