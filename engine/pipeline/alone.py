"""Runs one stage on files at hand, without records: nothing is remembered, a failed call starts from the beginning."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

from engine.errors import Conflict
from engine.pipeline.stage import Effect, Facts, Ledger, Paused, Stage, Work
from engine.pipeline.step import refuse_changed_bytes
from engine.vendors.protocols import Storage


async def run_alone(
    stage: Stage,
    sources: tuple[Path, ...],
    facts: Facts,
    target: Path,
    *,
    ledger: Ledger,
    storage: Storage,
    progress: Callable[[int, int], None],
) -> tuple[tuple[Path, ...], Facts]:
    """Run ``stage`` and write its file to ``target`` (several files: ``target`` is a folder); give files and facts.

    Raises what the stage raises, and Conflict ``stage.waits`` for a stage that waits for an event.
    """
    with tempfile.TemporaryDirectory(prefix="sealflow-") as folder:
        read = {name: facts[name] for name in stage.reads if name in facts}
        work = Work(sources, read, Path(folder), f"alone/{uuid.uuid4()}", ledger, storage, progress)
        result = await stage.run(work)
        if isinstance(result, Paused):
            raise Conflict(
                "stage.waits",
                zh=f"阶段 {stage.name} 需等待事件“{result.event}”，单独运行没有意义。请在流程中使用它。",
                en=f"The stage {stage.name} waits for the event '{result.event}'; alone it has nothing to do. "
                "Use it in a pipeline.",
                event=result.event,
            )
        outputs = sources if result.outputs is None else result.outputs
        if stage.effect is not Effect.REWRITES:
            refuse_changed_bytes(stage.name, sources, outputs)
        return _deliver(outputs, target), result.facts


def _deliver(outputs: tuple[Path, ...], target: Path) -> tuple[Path, ...]:
    if len(outputs) == 1:
        places: tuple[Path, ...] = (target,)
    else:
        target.mkdir(parents=True, exist_ok=True)
        places = tuple(target / f"{number:03}.pdf" for number in range(1, len(outputs) + 1))
    for output, place in zip(outputs, places, strict=True):
        part = place.with_name(f".{place.name}.part")  # a half-written file never carries the final name
        shutil.copyfile(output, part)
        part.replace(place)
    return places
