"""Signed files of other makers; the folder is given by SEALFLOW_CORPUS."""

from __future__ import annotations

import csv
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.trust.inspection import inspect_file
from engine.trust.report import render_html
from engine.trust.verdict import Integrity, Trust

CORPUS = os.environ.get("SEALFLOW_CORPUS")
pytestmark = pytest.mark.skipif(not CORPUS, reason="SEALFLOW_CORPUS names no folder with signed files")
logging.getLogger("pyhanko").setLevel(logging.CRITICAL)

GOOD = {Integrity.VALID, Integrity.EXTENDED}
EXPECTED = {
    "INTACT_WHOLE": {Integrity.VALID},
    "INTACT_LATER_ALLOWED": GOOD,
    "INTACT_LATER_REPORT": {Integrity.EXTENDED, Integrity.MODIFIED},
    "INTACT_LATER_DISALLOWED": {Integrity.MODIFIED},
    "BROKEN": {Integrity.BROKEN},
    "INDETERMINATE": set(Integrity) - GOOD,
    "CONTESTED": set(Integrity) - GOOD,
}


def signed_files() -> list[tuple[Path, str]]:
    if not CORPUS:
        return []
    with (Path(CORPUS) / "manifest.tsv").open(encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if row["category"] == "signed"]
    return [(Path(CORPUS) / row["file"], row["expected"].partition(":")[0]) for row in rows]


@pytest.mark.parametrize(("file", "expected"), [pytest.param(*row, id=row[0].stem) for row in signed_files()])
def test_a_foreign_file_gets_the_verdict_its_makers_say(file: Path, expected: str) -> None:
    report = inspect_file(file, "0" * 64, (), datetime.now(UTC))
    assert report.integrity in EXPECTED[expected]
    assert report.trust is Trust.UNCHECKED
    if expected == "INTACT_LATER_REPORT":
        told = [change for signature in report.signatures for change in signature.later_changes + signature.findings]
        assert told
    assert str(report.size) in render_html(report).replace(",", "")
