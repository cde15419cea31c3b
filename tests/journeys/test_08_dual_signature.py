"""Guide, chapter 8: one party signs a document twice, for readers everywhere and with SM2, by the built-in pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.trust.anchors import load_anchors
from engine.trust.validation import verify
from engine.trust.verdict import Integrity, Trust
from tests.journeys import office as desk
from tests.journeys.office import Office

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_both_signatures_and_both_document_timestamps_last(office: Office, home: Path, tmp_path: Path) -> None:
    letter = desk.SAMPLES / "employment-agreement-letter.pdf"
    run = await office.send("dual-signature", letter)
    file = await office.fetch(run, tmp_path)
    anchors = load_anchors(home / "demo-pki" / "anchors")
    report = await verify(office.engine.tools.sandbox, file, anchors)
    assert (report.integrity, report.trust, report.level) == (Integrity.VALID, Trust.TRUSTED, "B-LTA")
    assert [(entry.fields[0], entry.algorithm, entry.trust) for entry in report.signatures] == [
        ("签章", "sha256_ecdsa / sha256", Trust.TRUSTED),
        ("国密签名", "sm2_sm3 / sm3", Trust.TRUSTED),
        ("timestamp-1", "sm2_sm3 / sm3", Trust.TRUSTED),
        ("timestamp-2", "sha256_ecdsa / sha256", Trust.TRUSTED),
    ]
    assert run.facts["conformance"]["verdict"] == "pass"
    assert run.facts["signature:签章"]["signer"] == run.facts["signature:国密签名"]["signer"]
    seen = {field: verdict for field, verdict, _ in desk.pdfsig(file)}
    assert seen["签章"] == "Signature is Valid"
    assert seen["国密签名"].startswith("Unknown"), "poppler does not know SM2, and does not call it wrong"
    desk.check_structure(file)
