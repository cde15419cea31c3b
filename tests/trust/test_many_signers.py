from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.sandbox import Sandbox
from engine.trust.anchors import load_anchors
from engine.trust.archiving import archive_document
from engine.trust.authority import pki
from engine.trust.demo import ensure_demo
from engine.trust.indications import Indication
from engine.trust.inspection import inspect_file
from engine.trust.keys import Pkcs12Keyring
from engine.trust.preparation import SignatureOrder
from engine.trust.revocation import RevocationSource
from engine.trust.signing import Surroundings, sign_document
from engine.trust.timestamps import TimestampClient
from engine.trust.verdict import Integrity, Trust
from tests.trust.paper import Notebook, Rack, draw_paper, prove

SIGNERS = 50


async def sign_in_turn(folder: Path) -> tuple[Path, tuple[bytes, ...]]:
    """A contract that 50 people signed, archived for the long term; and the anchors they lead to."""
    demo = await ensure_demo(folder / "pki", "development")
    anchors = load_anchors(demo.anchors_directory)
    keyring = Pkcs12Keyring(demo.keyring_directory)
    fields = tuple(f"party-{number}" for number in range(SIGNERS))
    source = draw_paper(folder / "paper.pdf", fields, pages=3)
    sandbox = Sandbox(("engine.trust.preparation", "engine.trust.revisions"))
    around = Surroundings(sandbox, Rack(folder / "rack"), Notebook().once, "run", folder)
    try:
        async with (
            demo.serve(),
            TimestampClient([demo.authority], anchors) as stamper,
            RevocationSource(anchors) as revocation,
            sandbox.document(),
        ):
            for field in fields:
                order = SignatureOrder(field, datetime.now(UTC), 0, sound=True)
                turn = Surroundings(sandbox, Rack(folder / "rack"), Notebook().once, field, folder)
                goal = folder / f"{field}.pdf"
                source = await sign_document(
                    source, goal, order, await keyring.key(field), stamper, turn, prove(source)
                )
            goal = folder / "archived.pdf"
            return await archive_document(source, goal, "B-LTA", revocation, stamper, around), tuple(
                anchor.dump() for anchor in anchors
            )
    finally:
        await sandbox.close()


def people() -> dict[str, tuple[str, str]]:
    """Names for the certificates of all signers."""
    return {f"party-{number}": (f"Person {number}", f"Office {number}") for number in range(SIGNERS)}


def test_a_file_of_fifty_signers_has_fifty_good_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it takes is measured by ``./run bench verification``."""
    monkeypatch.setattr(pki, "PARTIES", people())
    file, anchors = asyncio.run(sign_in_turn(tmp_path))
    report = inspect_file(file, "0" * 64, anchors, datetime.now(UTC))
    assert (report.integrity, report.trust, report.level) == (Integrity.VALID, Trust.TRUSTED, "B-LTA")
    assert report.indication is Indication.PASSED
    signers = {entry.signer for entry in report.signatures if entry.kind == "signature"}
    assert len(signers) == SIGNERS
