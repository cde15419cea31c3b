"""A desk where stages sign and archive outside of any run: the demo PKI, a ledger and a content store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine.pipeline.stage import Done, Facts, Stage, Work
from engine.records.intents import MemoryIntents
from engine.sandbox import Sandbox
from engine.trust.anchors import load_anchors
from engine.trust.demo import ensure_demo
from engine.trust.keyring import Sources
from engine.trust.keys import Pkcs12Keyring
from engine.trust.revocation import RevocationSource
from engine.trust.timestamps import TimestampClient
from tests.trust.paper import Notebook, Rack


@dataclass
class Desk:
    sandbox: Sandbox
    keyring: Sources
    timestamps: TimestampClient
    revocation: RevocationSource
    keys: Path
    notebook: Notebook = field(default_factory=Notebook)
    intents: MemoryIntents = field(default_factory=MemoryIntents)

    async def carry_out(self, stage: Stage, source: Path, folder: Path, facts: Facts | None = None) -> Done:
        workspace = folder / f"{stage.name}-{len(list(folder.iterdir()))}"
        workspace.mkdir()
        work = Work((source,), facts or {}, workspace, str(workspace), self.notebook, Rack(folder / "rack"))  # type: ignore[arg-type]
        done = await stage.run(work)
        assert isinstance(done, Done)
        assert done.outputs is not None
        assert done.outputs[0].read_bytes().startswith(source.read_bytes())
        return done


@asynccontextmanager
async def open_desk(folder: Path) -> AsyncIterator[Desk]:
    demo = await ensure_demo(folder / "demo", "development")
    anchors = load_anchors(demo.anchors_directory)
    sandbox = Sandbox(
        preload=(
            *("engine.trust.inspection", "engine.trust.preparation", "engine.trust.revisions"),
            *("engine.pdf.conformance", "engine.pdf.filling", "engine.pdf.normalization", "engine.pdf.placement"),
        )
    )
    async with (
        demo.serve(),
        TimestampClient([demo.authority], anchors) as timestamps,
        RevocationSource(anchors) as revocation,
    ):
        yield Desk(
            sandbox, Sources([Pkcs12Keyring(demo.keyring_directory)]), timestamps, revocation, demo.keyring_directory
        )
    await sandbox.close()
