"""Guide, chapter 8: a dispute. The keeper hands over one file; whoever judges needs neither us nor the network."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.records.runs import Run
from tests.contracting.stand import by_openssl, by_python
from tests.journeys import office as desk
from tests.journeys.office import Said


@pytest.mark.asyncio(loop_scope="session")
async def test_one_command_gives_a_bundle_that_convinces_without_us(
    contract_run: Run, contract: Path, home: Path, records: str, tmp_path: Path
) -> None:
    bundle = tmp_path / "evidence.zip"
    said = await desk.run_program(home, records, "evidence", contract_run.id, "-o", bundle)
    assert (said.status, said.out.strip()) == (0, str(bundle)), said.err
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "court")
    court = tmp_path / "court"
    assert (court / "contract.pdf").read_bytes() == contract.read_bytes()
    assert by_python(court, bundle).status == 0
    assert by_openssl(court, bundle).status == 0

    page = court / "evidence-page.pdf"
    desk.check_structure(page)
    assert desk.pdfsig(page)[0][:2] == ("平台存证签名", "Signature is Valid")
    text = desk.words(page)
    for words in ("签约存证页", "SAMPLE-2026-0002", "甲方盖章", "乙方签字", "第十三条", "+08:00", "无人值守"):
        assert words in text, words
    assert contract_run.facts["values"]["证件号码"] not in text, "masked"
    assert "示例𠮷䶮" in text, "characters beyond the usual ones"


def test_an_unknown_run_has_no_evidence(sealflow: Callable[..., Said], tmp_path: Path) -> None:
    said = sealflow("evidence", "00000000-0000-4000-8000-000000000000", "-o", tmp_path / "none.zip")
    assert said.status == 65
    assert "run.unknown" in said.err


def test_the_shell_program_is_plain_posix(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "engine" / "contracting" / "offline" / "verify.sh"
    assert subprocess.run(["sh", "-n", source], capture_output=True).returncode == 0
