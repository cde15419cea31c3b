"""Guide, chapter 8, with no room left: nothing is half stored, and the same run ends well once there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.journeys import office as desk
from tests.journeys.conftest import open_office
from tests.journeys.office import Office

pytestmark = pytest.mark.asyncio(loop_scope="session")

VALUES = desk.sample_values("labour-contract")


async def test_a_store_below_its_floor_takes_nothing_and_goes_on_when_there_is_room(
    office: Office, records: str, tmp_path: Path
) -> None:
    plenty = office.engine.tools.settings
    floor = shutil.disk_usage(plenty.home).free // 2**20 + 2**20  # more MiB than the disk has
    full = msgspec.structs.replace(plenty, vendors={"local": {"floor_mb": floor}})
    run_id = await office.submit("labour-contract", desk.CONTRACT, values=VALUES | {"岗位": "仓库管理员"})
    async with open_office(full) as cramped:
        run = await cramped.engine.carry_out(run_id)
        assert (run.state, desk.error_code(run)) == ("ready", "storage.full")
        assert "MiB" in (run.error or {})["zh"]
    run = await office.engine.again(run_id)
    assert (run.state, run.facts["level_achieved"]) == ("done", "B-LTA")
    assert [attempts for *_, attempts, _ in desk.effects(records, run, "signature")] == [1, 1]
    desk.check_structure(await office.fetch(run, tmp_path))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 40 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=40m,mode=0700", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system is not allowed here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


async def test_no_room_for_temporary_files_rejects_no_contract(
    office: Office, records: str, tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parser without room fails as if the document were broken; the document is not blamed for it."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(39 * 2**20))
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    run = await office.send("labour-contract", desk.CONTRACT, values=VALUES | {"岗位": "门卫"})
    assert (run.state, desk.error_code(run)) == ("ready", "disk.full")
    ballast.unlink()
    run = await office.engine.again(run.id)
    assert (run.state, run.facts["level_achieved"]) == ("done", "B-LTA")
    assert list(small_disk.iterdir()) == [], "nothing is left lying about"


async def test_a_store_that_fills_up_half_way_loses_nothing(
    office: Office, database_url: str, tmp_path: Path, small_disk: Path
) -> None:
    """The disk ends inside a file that is being stored, at whichever stage that comes."""
    ballast = small_disk / "ballast"
    values = VALUES | {"岗位": "电工"}
    settings = msgspec.structs.replace(
        office.engine.tools.settings,
        database_url=database_url,
        vendors={"local": {"folder": str(small_disk / "store"), "floor_mb": 0}},
    )
    async with open_office(settings) as cramped:
        run_id = await cramped.submit("labour-contract", desk.CONTRACT, values=values)
        for room in (0, 600):
            ballast.write_bytes(b"")
            free = shutil.disk_usage(small_disk).free
            ballast.write_bytes(bytes(max(0, free - room * 1024)))
            run = await cramped.engine.again(run_id)
            assert run.state == "done" or (run.state, desk.error_code(run)) == ("ready", "storage.full"), run.error
        assert run.state != "done", "the last rooms were too small, too"
        ballast.unlink()
        run = await cramped.engine.again(run_id)
        file = await cramped.fetch(run, tmp_path)
    assert run.facts["level_achieved"] == "B-LTA"
    assert [finished for *_, finished in desk.effects(database_url, run)] == [True] * 5
    assert [verdict for _, verdict, _ in desk.pdfsig(file)][:2] == ["Signature is Valid"] * 2
