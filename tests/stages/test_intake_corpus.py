"""Real files that nobody here wrote, each held against the outcome its manifest expects."""

import csv
import os
from pathlib import Path

import pytest

from engine.errors import Rejected
from engine.pdf import inspection
from engine.sandbox import Sandbox
from engine.stages.convert import Convert
from engine.stages.normalize import Normalize
from tests.pdf.pictures_of_pages import is_blank, picture, size
from tests.stages.standalone_work import standalone_work

_CORPUS = Path(os.environ.get("SEALFLOW_CORPUS", ""))

_BAD = ("REJECT_CORRUPT", "REJECT_PASSWORD", "REJECT_EMPTY", "REJECT_TYPE")
_EITHER = ("EITHER", "RESOURCE_LIMIT", "DOS_LOOP", "ACTIVE_CONTENT", "PARSER_DIFFERENTIAL", "SECURITY_", "OK_IMPORT")
_SIGNED = ("INTACT_", "BROKEN", "NO_SIGNATURE", "INDETERMINATE", "CONTESTED")

_NOT_ARCHIVAL = {"cjk/pdfjs__issue11555.pdf": {"vertical writing (WMode 1)"}}
"""Files that do not become PDF/A, and every reason: the validator at hand does not judge vertical writing."""


def _rows() -> list[dict[str, str]]:
    manifest = _CORPUS / "manifest.tsv"
    if not os.environ.get("SEALFLOW_CORPUS") or not manifest.is_file():
        return []
    with manifest.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


async def test_every_file_becomes_what_its_manifest_expects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _rows()
    if not rows:
        pytest.skip("SEALFLOW_CORPUS names no folder with a manifest.tsv")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sandbox = Sandbox(preload=["engine.pdf.conformance", "engine.pdf.conversion", "engine.pdf.normalization"])
    faults: list[str] = []
    try:
        for number, row in enumerate(rows):
            fault = await _fault(sandbox, row, tmp_path / str(number))
            if fault:
                faults.append(f"{row['file']}: {fault} (expected {row['expected']})")
    finally:
        await sandbox.close()
    assert not faults, "\n".join(faults)


async def _fault(sandbox: Sandbox, row: dict[str, str], workspace: Path) -> str | None:
    expected, source = row["expected"], _CORPUS / row["file"]
    try:
        converted = await Convert(sandbox=sandbox).run(standalone_work(workspace, source))
        assert converted.outputs is not None
        normal = await Normalize(sandbox=sandbox).run(standalone_work(workspace, *converted.outputs))
    except Rejected as refusal:
        refused_well = bool(refusal.text.zh and refusal.text.en) and refusal.code != "document.crashes_parser"
        allowed = expected.startswith((*_BAD, *_EITHER, *_SIGNED, "OK_ZIP")) or "or clean" in expected
        return None if allowed and refused_well else f"refused as {refusal.code}"
    if expected.startswith(_BAD):
        return "accepted"
    assert normal.outputs is not None
    (target,) = normal.outputs
    pages = normal.facts["pages"]
    if row["pages"] and pages != int(row["pages"]):
        return f"{pages} pages"
    if any(size(target, page) != pytest.approx((595.276, 841.89), abs=0.01) for page in range(pages)):
        return "not upright A4"
    if row["p1_ink"] and float(row["p1_ink"]) > 0.0005 and is_blank(picture(target)):
        return "blank"
    report = await sandbox.call(inspection.inspect, target)
    if not report.clean:
        return f"still holds {report.findings[0].code}"
    judged = normal.facts["conformance"]
    reasons = {one["en"] for one in judged["violations"]}
    return None if reasons == _NOT_ARCHIVAL.get(row["file"], set()) else f"is {judged['verdict']}: {reasons}"
