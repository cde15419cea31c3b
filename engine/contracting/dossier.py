"""Dossier (案卷): what the records know of a finished run, frozen as plain data; values people filled in stay out.

They stand in the contract itself; a copy beside it would only be one more place to protect.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from engine.errors import Conflict
from engine.records import journal, runs
from engine.records.database import Connection
from engine.records.journal import Entry
from engine.records.runs import Run, StageRecord

INTENT = "intent:"
"""Start of the facts that hold the proofs of intent, one for each signature field."""
SIGNATURE = "signature:"
_LEFT_OUT = frozenset({"values", "inspection", "sound", "rewritten"})


class Dossier(msgspec.Struct, frozen=True):
    """``serial``: number of the evidence page. ``claimed_at``: this machine's clock when it was frozen.

    Only the timestamps in a bundle prove a time.
    """

    serial: str
    run: str
    label: str
    pipeline: dict[str, Any]
    sources: list[dict[str, str]]
    head: list[str]
    submitted_at: datetime
    finished_at: datetime
    claimed_at: datetime
    stages: list[dict[str, Any]]
    facts: dict[str, Any]
    entries: list[Entry]
    journal: dict[str, Any]
    """Head of the whole chain: ``seq`` and ``digest``."""

    @property
    def intents(self) -> dict[str, Any]:
        """Proofs of intent by signature field."""
        return {name[len(INTENT) :]: fact for name, fact in self.facts.items() if name.startswith(INTENT)}


async def gather(connection: Connection, run: Run, serial: str) -> Dossier:
    """Freeze what is known of a run; raises Conflict ``evidence.unfinished`` unless it is done."""
    if run.state != "done":
        raise Conflict(
            "evidence.unfinished",
            zh=f"任务 {run.id} 尚未完成（{run.state}），还不能出证。用 sealflow status {run.id} 查看原因。",
            en=f"The run {run.id} is not finished ({run.state}); there is no evidence of it yet. "
            f"sealflow status {run.id} says why.",
            run=str(run.id),
            state=run.state,
        )
    definition = await runs.pipeline_definition(connection, run.pipeline)
    stages = await runs.stage_records(connection, run.id)
    excerpt = await journal.excerpt(connection, run.id)
    return Dossier(
        serial=serial,
        run=str(run.id),
        label=run.label,
        pipeline={"digest": run.pipeline, "definition": definition},
        sources=run.sources,
        head=run.head,
        submitted_at=run.created_at,
        finished_at=run.updated_at,
        claimed_at=datetime.now(UTC).replace(microsecond=0),
        stages=[_stage(one) for one in stages],
        facts=_kept(run.facts),
        entries=list(excerpt.entries),
        journal={"seq": excerpt.head, "digest": excerpt.digest},
    )


def _stage(record: StageRecord) -> dict[str, Any]:
    return {
        "ordinal": record.ordinal,
        "stage": record.stage,
        "version": record.version,
        "checkpoint": record.checkpoint,
        "inputs": record.inputs,
        "outputs": record.outputs,
        "facts": _kept(record.facts),
        "reused": record.reused,
        "started_at": record.started_at.isoformat(),
        "finished_at": record.finished_at.isoformat() if record.finished_at else None,
    }


def _kept(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if name not in _LEFT_OUT}
