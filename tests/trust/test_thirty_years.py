"""A contract of 2026 is carried to 2056 through five generations of timestamp authorities."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import ades
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.policy_decl import (
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec, ValidationTimingInfo
from pyhanko_certvalidator.fetchers.aiohttp_fetchers import AIOHttpFetcherBackend
from pyhanko_certvalidator.ltv import ades_past, poe, types
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

from engine.errors import Rejected
from engine.sandbox import Sandbox
from engine.trust.archiving import archive_document
from engine.trust.indications import SubIndication
from engine.trust.preparation import SignatureOrder
from engine.trust.renewal import Renewer, find_due, renew_document
from engine.trust.signing import Surroundings, sign_document
from engine.trust.terms import read_term
from engine.trust.validation import verify
from engine.trust.verdict import Integrity, Report, Trust
from tests.trust.generations import History, live_through
from tests.trust.paper import Crash, Notebook, Rack, check_structure, draw_paper, prove, valid_signatures

pytestmark = pytest.mark.asyncio(loop_scope="module")
RENEWALS = (2032, 2038, 2044, 2050)
MARGIN = timedelta(days=365)


@dataclass
class Archive:
    """One file as it was in each year, and whatever renews it."""

    history: History
    sandbox: Sandbox
    folder: Path
    copies: dict[int, Path] = field(default_factory=dict)

    def around(self, subject: str) -> Surroundings:
        workspace = self.folder / f"{subject}-{len(list(self.folder.iterdir()))}"
        workspace.mkdir()
        return Surroundings(self.sandbox, Rack(self.folder / "rack"), Notebook().once, subject, workspace)

    async def begin(self) -> Path:
        """Sign by two parties and archive, in 2026."""
        self.history.time.go(2026)
        source = draw_paper(self.folder / "paper.pdf")
        async with self.history.stamper() as stamper, self.history.revocation() as revocation:
            for name in ("party-a", "party-b"):
                around = self.around(name)
                order = SignatureOrder(name, self.history.time.now, 0)
                key = self.history.party(name)
                signed = around.workspace / "s.pdf"
                source = await sign_document(source, signed, order, key, stamper, around, prove(source))
            around = self.around("archive")
            return await archive_document(source, around.workspace / "a.pdf", "B-LTA", revocation, stamper, around)

    async def renew(
        self, source: Path, retired: dict[bytes, datetime] | None = None, notebook: Notebook | None = None
    ) -> Path:
        around = self.around("renewal")
        if notebook is not None:
            around = replace(around, once=notebook.once, subject="run")
        output = around.workspace / "renewed.pdf"
        async with self.history.stamper() as stamper, self.history.revocation() as revocation:
            anchors = self.history.anchors
            renewer = Renewer(anchors, revocation, stamper, retired or {}, clock=self.history.time)
            await renew_document(source, output, renewer, around)
        return output

    async def judge(self, file: Path, year: int, retired: dict[bytes, datetime] | None = None) -> Report:
        self.history.time.go(year)
        at = self.history.time.now
        return await verify(self.sandbox, file, self.history.anchors, at=at, retired=retired or {})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Archive]:
    folder = tmp_path_factory.mktemp("archive")
    sandbox = Sandbox(preload=("engine.trust.inspection", "engine.trust.terms", "engine.trust.revisions"))
    try:
        async with live_through(tmp_path_factory.mktemp("eras")) as history:
            kept = Archive(history, sandbox, folder)
            kept.copies[2026] = file = await kept.begin()
            for year in RENEWALS:
                history.time.go(year)
                kept.copies[year] = file = await kept.renew(file)
            yield kept
    finally:
        await sandbox.close()


def is_whole(report: Report) -> bool:
    """Whether everything holds: both signatures and every document timestamp.

    Offline nobody can say whether the newest authority was revoked since: until its turn comes, "try later" it is.
    """
    return (
        report.integrity is Integrity.VALID
        and report.level == "B-LTA"
        and all(found.trust is Trust.TRUSTED for found in report.signatures)
        and all(found.sub_indication in (None, SubIndication.TRY_LATER) for found in report.signatures)
    )


async def test_in_2056_the_contract_is_whole_and_still_of_2026(archive: Archive) -> None:
    report = await archive.judge(archive.copies[2050], 2056)
    assert is_whole(report), report.to_dict()
    signatures = [found for found in report.signatures if found.kind == "signature"]
    assert [found.proven_at for found in signatures] == [datetime(2026, 6, 1, tzinfo=UTC)] * 2
    stamps = [found.proven_at for found in report.signatures if found.kind == "timestamp"]
    assert [moment.year for moment in stamps if moment] == [2026, *RENEWALS]


async def test_every_copy_holds_from_its_renewal_until_the_next_is_due(archive: Archive) -> None:
    for year, last in ((2026, 2033), (2032, 2038), (2038, 2044), (2044, 2050), (2050, 2056)):
        for later in range(year, last + 1):
            assert is_whole(await archive.judge(archive.copies[year], later)), (year, later)


async def test_a_renewal_only_appends(archive: Archive) -> None:
    contents = [archive.copies[year].read_bytes() for year in (2026, *RENEWALS)]
    assert all(new.startswith(old) for old, new in itertools.pairwise(contents))
    check_structure(archive.copies[2050])
    assert valid_signatures(archive.copies[2050]) == 2


@pytest.mark.parametrize("die", ["die_before", "die_after"])
async def test_a_renewal_that_died_is_repeated_to_the_same_bytes(archive: Archive, die: str) -> None:
    archive.history.time.go(2032)
    notebook = Notebook()
    setattr(notebook, die, "renewal-2:0")
    with pytest.raises(Crash):
        await archive.renew(archive.copies[2026], notebook=notebook)
    first = await archive.renew(archive.copies[2026], notebook=notebook)
    again = await archive.renew(archive.copies[2026], notebook=notebook)
    assert first.read_bytes() == again.read_bytes()
    assert list(notebook.entries) == ["run:renewal-2:0"]


@pytest.mark.parametrize("missed", RENEWALS)
async def test_without_one_renewal_nothing_is_proven_and_it_cannot_be_made_up_for(
    archive: Archive, missed: int
) -> None:
    years = [2026, *RENEWALS]
    before = archive.copies[years[years.index(missed) - 1]]
    report = await archive.judge(before, 2056)
    assert report.integrity is Integrity.VALID
    assert report.trust is Trust.EXPIRED
    assert report.level != "B-LTA"
    archive.history.time.go(min(missed + 2, 2056))
    with pytest.raises(Rejected) as refusal:
        await archive.renew(before)
    assert refusal.value.code == "renewal.too_late"


async def test_a_term_says_when_and_why_a_copy_is_due(archive: Archive) -> None:
    for year, ends in ((2026, 2033), (2032, 2038), (2038, 2044), (2044, 2050), (2050, 2056)):
        term = await archive.sandbox.call(read_term, archive.copies[year])
        due = find_due(term, MARGIN)
        assert (due.cause, due.at.year) == ("certificate", ends - 1), year
    assert term.generation == 5


async def test_a_root_that_is_believed_no_more_still_proves_what_is_older(archive: Archive) -> None:
    roots = {year: era.root.dump() for year, era in archive.history.eras.items()}
    after = {roots[2026]: datetime(2033, 1, 1, tzinfo=UTC), roots[2031]: datetime(2039, 1, 1, tzinfo=UTC)}
    assert is_whole(await archive.judge(archive.copies[2050], 2056, after))
    too_early = {roots[2031]: datetime(2038, 1, 1, tzinfo=UTC)}
    report = await archive.judge(archive.copies[2050], 2056, too_early)
    assert report.integrity is Integrity.VALID
    assert report.trust is not Trust.TRUSTED


async def test_an_independent_validator_agrees_for_as_long_as_it_can(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 2046 on it cannot: past the end of an issuing CA, which ended with all proven, it looks no further."""
    now = archive.history.time.go(2045)

    class Simulated(datetime):
        """The library looks at the machine's clock behind its callers' backs."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain one is good enough
            return now.astimezone(tz)

    for module in (ades, poe, ades_past, types):
        monkeypatch.setattr(module, "datetime", Simulated)
    assert await judge_by_pyhanko(archive.history, archive.copies[2044]) == ["OK"] * 2
    assert await judge_by_pyhanko(archive.history, archive.copies[2032]) != ["OK"] * 2


async def judge_by_pyhanko(history: History, file: Path) -> list[str]:
    """EN 319 102-1, 5.6.3 by another implementation; it asks the authorities themselves about the newest timestamp."""
    now = history.time.now
    policy = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build(trust_roots=list(history.anchors)),
        revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO, retroactive_revinfo=True),
    )
    async with aiohttp.ClientSession() as session:
        gathering = RevocationInfoGatheringSpec(
            RevinfoOnlineFetchingRule.NO_HISTORICAL_FETCH, AIOHttpFetcherBackend(session)
        )
        spec = PdfSignatureValidationSpec(SignatureValidationSpec(policy, revinfo_gathering_policy=gathering))
        told = []
        with file.open("rb") as stream:
            for embedded in PdfFileReader(stream).embedded_regular_signatures:
                timing = ValidationTimingInfo(now, now, point_in_time_validation=False)
                result = await ades_lta_validation(embedded, spec, timing)
                told.append(result.ades_subindic.name)
    return told
