"""Runs one stage on files at hand, without records: nothing is remembered, a failed call starts from the beginning."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.errors import Conflict
from engine.pipeline.delivery import deliver
from engine.pipeline.stage import Done, Effect, Facts, Ledger, Paused, Stage, Work, select_facts
from engine.pipeline.step import refuse_changed_bytes, work_folder
from engine.vendors.protocols import Storage


async def run_alone(
    stage: Stage,
    sources: tuple[Path, ...],
    facts: Facts,
    target: Path,
    *,
    ledger: Ledger,
    storage: Storage,
) -> tuple[tuple[Path, ...], Facts]:
    """Run ``stage`` and write its file to ``target`` (several files: ``target`` is a folder); give files and facts.

    Raises what the stage raises, and Conflict ``stage.waits`` for a stage that waits for an event.
    """
    subject, known, added = f"alone/{uuid.uuid4()}", dict(facts), dict[str, Any]()
    with work_folder() as folder:
        for part in itertools.count():
            workspace = folder / str(part)
            workspace.mkdir()
            work = Work(sources, select_facts(stage.reads, known), workspace, subject, ledger, storage)
            result = await stage.run(work)
            if isinstance(result, Paused):
                raise result.reason or _waits(stage, result.event)
            outputs = sources if result.outputs is None else result.outputs
            if stage.effect is not Effect.REWRITES:
                refuse_changed_bytes(stage.name, sources, outputs)
            known |= result.facts
            added |= result.facts
            if isinstance(result, Done):
                break
            sources = outputs
        return deliver(outputs, target), added


def _waits(stage: Stage, event: str) -> Conflict:
    return Conflict(
        "stage.waits",
        zh=f"阶段 {stage.name} 需等待事件“{event}”，单独运行没有意义。请在流程中使用它。",
        en=f"The stage {stage.name} waits for the event '{event}'; alone it has nothing to do. Use it in a pipeline.",
        event=event,
    )


class ScratchStorage:
    """Content store in a folder that is thrown away: no durability, no sharing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, source: Path) -> str:
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        shutil.copyfile(source, self._folder / digest)
        return digest

    async def get(self, digest: str, workspace: Path) -> Path:  # noqa: ARG002  # a local file needs no copy
        return self._folder / digest

    async def digests(self, stored_before: datetime) -> AsyncIterator[str]:  # noqa: ARG002  # nothing outlives the call
        for file in self._folder.iterdir():
            yield file.name

    async def delete(self, digest: str) -> None:
        (self._folder / digest).unlink(missing_ok=True)
