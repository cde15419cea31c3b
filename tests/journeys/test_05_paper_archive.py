"""Guide, chapter 5: scans and photographs of a paper contract become one sealed file; many at once go on a ledger."""

from __future__ import annotations

import csv
from pathlib import Path

import pikepdf
import pytest

from tests.journeys import office as desk
from tests.journeys.office import Office

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCAN = desk.SAMPLES / "paper-contract-scan.jpg"
PHOTO = desk.SAMPLES / "paper-contract-photo.jpg"


async def test_a_scan_and_a_photograph_become_one_lasting_file(office: Office, tmp_path: Path) -> None:
    run = await office.send("paper-archive", SCAN, PHOTO)
    file = await office.fetch(run, tmp_path)
    assert desk.pdfsig(file)[0] == ("归档章", "Signature is Valid", "part")
    assert run.facts["level_achieved"] == "B-LTA"
    assert run.facts["signature:归档章"]["party"] == "platform", "nobody else vouches for a paper contract"
    assert desk.page_sizes(file) == {"595.276 x 841.89 pts (A4)"}
    desk.check_structure(file)
    with pikepdf.open(file) as pdf:
        assert len(pdf.pages) == 2
    assert [source["name"] for source in run.sources] == [SCAN.name, PHOTO.name]
    for source, original in zip(run.sources, (SCAN, PHOTO), strict=True):
        stored = await office.engine.storage.get(source["digest"], tmp_path)
        assert stored.read_bytes() == original.read_bytes(), "what was captured is kept untouched"


async def test_pages_stand_in_the_order_they_were_given(office: Office, tmp_path: Path) -> None:
    """The photograph has a brown table around its page; the scan has none."""
    file = await office.fetch(await office.send("paper-archive", PHOTO, SCAN), tmp_path)
    with pikepdf.open(file) as pdf:
        colours = [str(page.Resources.XObject.Im0.ColorSpace) for page in pdf.pages]
    assert colours == ["/DeviceRGB", "/DeviceGray"]


async def test_a_page_that_is_no_picture_stops_its_own_contract_only(
    office: Office, home: Path, records: str, tmp_path: Path
) -> None:
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(SCAN.read_bytes()[:3000])
    out = tmp_path / "archive"
    said = await desk.run_program(home, records, "batch", "paper-archive", SCAN, torn, PHOTO, "-o", out)
    assert said.status == 65 and "Traceback" not in said.err
    with (out / "ledger.csv").open(encoding="utf-8-sig") as file:
        ledger = list(csv.DictReader(file))
    assert [row["state"] for row in ledger] == ["done", "rejected", "done"]
    assert ledger[1]["code"].startswith("document.") and "torn.jpg" in ledger[1]["reason"]
    assert sorted(path.name for path in out.glob("*.pdf")) == [
        "00001-paper-contract-scan.pdf",
        "00003-paper-contract-photo.pdf",
    ]
