from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from engine.trust.inspection import inspect_file
from engine.trust.rehearsal import rehearse
from engine.trust.verdict import Integrity


def test_the_rehearsal_really_goes_through_signing_and_judging(tmp_path: Path) -> None:
    rehearse(tmp_path)
    report = inspect_file(tmp_path / "b.pdf", "0" * 64, (), datetime.now(UTC))
    assert report.integrity is Integrity.VALID
    assert [signature.fields for signature in report.signatures] == [("a",), ("b",)]
    archived = inspect_file(tmp_path / "archived.pdf", "0" * 64, (), datetime.now(UTC))
    assert archived.integrity is Integrity.BROKEN  # its timestamp is still missing, and that is told
