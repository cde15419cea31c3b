"""``sealflow check`` on the sample contract, and on what somebody did to it afterwards."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest

SAMPLES = Path(__file__).parents[2] / "samples"
Sealflow = Callable[..., tuple[int, str, str]]
SealflowJson = Callable[..., tuple[int, Any]]


@pytest.fixture
def contract(sealflow: Sealflow, tmp_path: Path) -> Path:
    """The sample contract, signed by two and archived."""
    out = tmp_path / "contract.pdf"
    given = (SAMPLES / "labour-contract.docx", "--values", SAMPLES / "labour-contract.values.json")
    assert sealflow("run", "labour-contract", *given, "-o", out)[0] == 0
    return out


def test_the_archived_contract_holds_all_three_and_a_changed_one_says_which_it_lost(
    sealflow: Sealflow, sealflow_json: SealflowJson, contract: Path, tmp_path: Path
) -> None:
    status, told, _ = sealflow("check", contract)
    assert status == 0
    heading, verdicts = (line for line in told.splitlines() if "PAdES" in line or "holds" in line)
    assert all(word in heading for word in ("PDF/A-2b", "PAdES B-LTA", "Unchanged content"))
    assert verdicts.count("✓ holds") == 3
    assert all(word in told for word in ("甲方盖章", "乙方签字", "reaches B-LTA", "no clause is broken"))
    assert all(len(line) <= 80 for line in told.splitlines())

    # Nothing of ours has a say here.
    assert subprocess.run(["qpdf", "--check", contract], capture_output=True, check=False).returncode == 0
    fonts = subprocess.run(["pdffonts", contract], capture_output=True, check=True, text=True).stdout.splitlines()[2:]
    assert fonts and all(line.split()[-5] == "yes" for line in fonts)  # emb sub uni object generation
    words = subprocess.run(["pdftotext", contract, "-"], capture_output=True, check=True, text=True).stdout
    assert "劳动合同" in "".join(words.split()) and "张示例" in words

    changed = tmp_path / "changed.pdf"
    data = contract.read_bytes()
    at = data.index(b"stream\n") + 40
    changed.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    status, found = sealflow_json("check", changed)
    assert (status, found["holds"], found["unchanged"]["holds"]) == (65, False, False)
    assert {one["unchanged"] for one in found["unchanged"]["signers"]} == {False}

    commented = tmp_path / "commented.pdf"
    commented.write_bytes(data + b"%nothing but a comment\n")
    status, found = sealflow_json("check", commented)
    assert (status, found["conformance"]["holds"]) == (65, False)
    assert [one["clause"] for one in found["conformance"]["violations"]] == ["6.1.3"]

    assert sealflow("check", contract, "--anchors", tmp_path / "nobody")[0] == 64


def test_a_level_that_is_not_reached_and_a_profile_that_is_not_kept_are_told_apart(
    sealflow: Sealflow, sealflow_json: SealflowJson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare.pdf"
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(bare)
    status, found = sealflow_json("check", bare, "--level", "B-B", "--profile", "PDF/A-3b")
    assert (status, found["conformance"]["verdict"], found["level"]["achieved"]) == (65, "fail", None)
    assert found["unchanged"]["signers"] == [] and not found["unchanged"]["holds"]
    monkeypatch.setenv("SEALFLOW_LANG", "zh")
    status, told, _ = sealflow("check", bare)
    assert status == 65 and told.count("✗ 不成立") == 3
    assert "没有签名" in told and "第 6.6.2.1 条（元数据流）" in told
    assert sealflow("check", bare, "--profile", "PDF/X")[0] == 64
