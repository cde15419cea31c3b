"""Documents proven together in 2026, and what becomes of their records in the decades after."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from asn1crypto import pem

from engine.sandbox import Sandbox
from engine.trust.evidence_records.archives import Made, RecordAuthority, Subject
from engine.trust.evidence_records.verification import judge_record
from engine.trust.suites.digests import digest_bytes
from engine.trust.verdict import Trust
from tests.trust.evidence_records.second_opinion import Disagreement, verify
from tests.trust.generations import History, live_through

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Shelf:
    """Five documents, two of them a group, and their records."""

    history: History
    sandbox: Sandbox
    folder: Path
    subjects: list[Subject]
    thread: ThreadPoolExecutor
    """The judge runs an event loop of its own."""

    async def work(self, year: int, algorithm: str | None = None, *, build: bool = False) -> list[Made]:
        """Build the records, or renew them, and keep what was made."""
        self.history.time.go(year)
        workspace = self.folder / f"work-{year}-{algorithm}"
        workspace.mkdir()
        async with self.history.stamper() as stamper, self.history.revocation() as revocation:
            authority = RecordAuthority(self.sandbox, stamper, revocation, self.history.anchors, {}, self.history.time)
            work = authority.build(self.subjects, algorithm or "sha256", workspace)
            if not build:
                work = authority.renew(self.subjects, algorithm, workspace)
            made = [entry async for entry in work]
        for entry in made:
            if entry.error is None:
                entry.subject.record.write_bytes(entry.content)
        return made

    def judge(self, subject: Subject, year: int, documents: list[bytes] | None = None) -> tuple[str | None, Trust]:
        self.history.time.go(year)
        contents = documents if documents is not None else [file.read_bytes() for file in subject.files]
        report = self.thread.submit(
            judge_record,
            subject.record.read_bytes(),
            lambda name: [digest_bytes(name, content) for content in contents],
            tuple(anchor.dump() for anchor in self.history.anchors),
            self.history.time.now,
            {},
        ).result()
        return report.finding.code if report.finding else None, report.trust

    def second_opinion(self, subject: Subject) -> list[str]:
        roots = self.folder / "roots.pem"
        roots.write_bytes(b"".join(pem.armor("CERTIFICATE", era.root.dump()) for era in self.history.eras.values()))
        return verify(subject.record.read_bytes(), [file.read_bytes() for file in subject.files], self.folder, roots)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[History, Sandbox]]:
    sandbox = Sandbox(preload=("engine.trust.evidence_records.archives",))
    try:
        async with live_through(tmp_path_factory.mktemp("eras")) as history:
            yield history, sandbox
    finally:
        await sandbox.close()


@pytest.fixture
def shelf(tmp_path: Path, world: tuple[History, Sandbox]) -> Iterator[Shelf]:
    subjects = []
    for number in range(4):
        files = [tmp_path / f"{number}-{part}" for part in range(2 if number == 3 else 1)]
        for file in files:
            file.write_bytes(b"contract %s" % file.name.encode())
        subjects.append(Subject(tmp_path / f"{number}.ers", tuple(files)))
    with ThreadPoolExecutor(1) as thread:
        yield Shelf(*world, tmp_path, subjects, thread)


async def test_records_are_built_renewed_by_timestamp_and_by_hash_tree_and_hold_for_decades(shelf: Shelf) -> None:
    await shelf.work(2026, build=True)
    assert {shelf.judge(subject, 2030) for subject in shelf.subjects} == {(None, Trust.TRUSTED)}
    assert {shelf.judge(subject, 2040) for subject in shelf.subjects} == {(None, Trust.EXPIRED)}
    for year, algorithm in ((2032, None), (2038, "sha512"), (2044, None), (2050, "sha384")):
        assert [made.error for made in await shelf.work(year, algorithm) if made.error] == []
    for subject in shelf.subjects:
        assert shelf.judge(subject, 2056) == (None, Trust.TRUSTED)
        assert [time[:4] for time in shelf.second_opinion(subject)] == ["2026", "2032", "2038", "2044", "2050"]


async def test_altered_documents_swapped_records_and_missing_members_are_refused(shelf: Shelf) -> None:
    await shelf.work(2026, build=True)
    await shelf.work(2032, "sha512")
    one, other, group = shelf.subjects[1], shelf.subjects[2], shelf.subjects[3]
    assert shelf.judge(one, 2033, [b"contract 1-0!"]) == ("record.foreign", Trust.UNTRUSTED)
    assert shelf.judge(Subject(one.record, other.files), 2033)[0] == "record.foreign"
    first, second = (file.read_bytes() for file in group.files)
    assert shelf.judge(group, 2033, [second, first]) == (None, Trust.TRUSTED)
    assert shelf.judge(group, 2033, [first, second, b"a third"])[0] == "record.foreign"
    assert shelf.judge(group, 2033, [first, b"another"])[0] == "record.foreign"
    one.files[0].write_bytes(b"contract 1-0!")
    with pytest.raises(Disagreement):
        shelf.second_opinion(one)


async def test_no_altered_byte_of_a_record_keeps_its_proof(shelf: Shelf) -> None:
    """What the timestamps do not cover, as the certificates beside them, may change; the proof never gets better."""
    await shelf.work(2026, build=True)
    await shelf.work(2032)
    subject = shelf.subjects[1]
    content = subject.record.read_bytes()
    sound = 0
    for place in range(0, len(content), 41):
        subject.record.write_bytes(content[:place] + bytes([content[place] ^ 0x04]) + content[place + 1 :])
        code, trust = shelf.judge(subject, 2033)
        sound += code is None and trust is Trust.TRUSTED
        if code is None and trust is Trust.TRUSTED:
            assert shelf.judge(subject, 2033, [b"anything"])[0] is not None
    assert sound < len(content) // 41 // 2


async def test_a_record_that_ended_is_told_and_the_others_go_on(shelf: Shelf) -> None:
    await shelf.work(2026, build=True)
    shelf.subjects[2].record.write_bytes(b"no record")
    made = {entry.subject.record.name: entry.error for entry in await shelf.work(2032)}
    broken = made.pop("2.ers")
    assert broken is not None and broken.code == "record.not_renewable"
    assert set(made.values()) == {None}
    late = await shelf.work(2042)
    assert all(entry.error is not None and entry.error.code == "record.not_renewable" for entry in late)


async def test_records_that_shared_a_timestamp_share_the_next_one_too(shelf: Shelf) -> None:
    await shelf.work(2026, build=True)
    await shelf.work(2032)
    stamped = {tuple(shelf.second_opinion(subject)) for subject in shelf.subjects}
    assert len(stamped) == 1
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    assert moment.strftime("%Y%m%d") in next(iter(stamped))[0]
