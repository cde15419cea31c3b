"""Signed files to spoil: contracts of several parties at every level, and those of the corpus where it is at hand."""

from __future__ import annotations

import csv
import os
from datetime import UTC, datetime
from pathlib import Path

from engine.sandbox import Sandbox
from engine.trust.anchors import load_anchors
from engine.trust.archiving import archive_document
from engine.trust.demo import ensure_demo
from engine.trust.keys import Pkcs12Keyring
from engine.trust.preparation import SignatureOrder
from engine.trust.revocation import RevocationSource
from engine.trust.signing import Surroundings, sign_document
from engine.trust.timestamps import TimestampClient
from tests.trust.forgery import FILLED, OBJECTS, append, signed_pdf
from tests.trust.paper import Notebook, Rack, draw_paper, make_key, prove

PARTIES = ("employer", "employee-sm2", "employer", "employee", "employer-sm2")
LARGEST = 400_000
"""Bytes; larger files of the corpus take the time of many small ones."""


async def make_seeds(folder: Path) -> tuple[bytes, ...]:
    """Fill the folder with files to spoil; gives the anchors they lead to, DER."""
    demo = await ensure_demo(folder / "pki", "development")
    anchors = load_anchors(demo.anchors_directory)
    sandbox = Sandbox(("engine.trust.preparation", "engine.trust.revisions"))
    (folder / "seeds").mkdir()
    try:
        async with (
            demo.serve(),
            TimestampClient(demo.authorities, anchors) as stamper,
            RevocationSource(anchors) as revocation,
        ):
            for count in (1, 2, 5):
                source = await _sign(folder, count, Pkcs12Keyring(demo.keyring_directory), stamper, sandbox)
                (folder / "seeds" / f"own-{count}-B-T.pdf").write_bytes(source.read_bytes())
                around = Surroundings(sandbox, Rack(folder / "rack"), Notebook().once, f"archive-{count}", folder)
                for level in ("B-LT", "B-LTA"):
                    goal = folder / "seeds" / f"own-{count}-{level}.pdf"
                    await archive_document(source, goal, level, revocation, stamper, around)
    finally:
        await sandbox.close()
    root = make_key("ec", "Sample Root", usage="ca")
    small = signed_pdf(make_key("ec", "Sample Person", root))
    (folder / "seeds" / "own-small.pdf").write_bytes(small)
    filled = OBJECTS[FILLED].replace(b"/V(100)", b"/V(101)")
    (folder / "seeds" / "own-small-filled.pdf").write_bytes(append(small, {FILLED: filled}))
    for file in corpus_files():
        if file.stat().st_size <= LARGEST:
            (folder / "seeds" / file.name).write_bytes(file.read_bytes())
    return (*(anchor.dump() for anchor in anchors), root.certificate.dump())


async def _sign(folder: Path, count: int, keyring: Pkcs12Keyring, stamper: TimestampClient, sandbox: Sandbox) -> Path:
    fields = tuple(f"party-{number}" for number in range(count))
    source = draw_paper(folder / f"paper-{count}.pdf", fields, pages=2)
    for field, party in zip(fields, PARTIES, strict=False):
        around = Surroundings(sandbox, Rack(folder / "rack"), Notebook().once, f"{count}-{field}", folder)
        order = SignatureOrder(field, datetime.now(UTC), 0)
        goal = folder / f"signed-{count}-{field}.pdf"
        source = await sign_document(source, goal, order, await keyring.key(party), stamper, around, prove(source))
    return source


def corpus_files() -> list[Path]:
    """Signed files of the corpus, none where it is not."""
    corpus = os.environ.get("SEALFLOW_CORPUS")
    if not corpus:
        return []
    with (Path(corpus) / "manifest.tsv").open(encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if row["category"] == "signed"]
    return [Path(corpus) / row["file"] for row in rows]
