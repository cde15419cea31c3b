"""Runs (任务): one document on its way through one pinned pipeline; reading them and submitting new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from engine.errors import Conflict, Rejected
from engine.records import journal, outbox
from engine.records.canonical import encode
from engine.records.database import Connection
from engine.records.statements import statements

AWAITING = "awaiting_"
"""How the phase of a run begins that waits for a service: ``awaiting_timestamp``, ``awaiting_revocation`` …"""
_SQL = statements("runs")
FINAL = ("done", "rejected", "cancelled")
"""States that nothing leaves."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it was read.

    ``state``: ready, running, waiting, parked, rejected, cancelled or done. ``cursor``: ordinal of the next stage.
    ``epoch``: fencing token of the claim. ``sources``: what came in, ``[{"name", "digest"}]``; ``head``: digests of
    the current files. ``error``: plain form of the error that parked, rejected or postponed it.
    """

    id: UUID
    pipeline: str
    label: str
    state: str
    cursor: int
    epoch: int
    attempts: int
    waiting_for: str | None
    sources: list[dict[str, str]]
    head: list[str]
    facts: dict[str, Any]
    error: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime

    @property
    def phase(self) -> str:
        """The state as people read it: a run that a service away keeps waiting says which, ``awaiting_timestamp``."""
        error = self.error or {}
        area = str(error.get("code", "")).partition(".")[0]
        if self.state == "ready" and error.get("class") == "Unavailable" and area != "run":
            return f"{AWAITING}{area}"
        return self.state


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One finished step of a run; ``finished_at`` and ``epoch`` are written by the records."""

    ordinal: int
    stage: str
    version: int
    checkpoint: str
    inputs: list[str]
    outputs: list[str]
    facts: dict[str, Any]
    reused: bool
    started_at: datetime
    finished_at: datetime | None = None
    epoch: int = 0


async def pin_pipeline(
    connection: Connection, digest: str, name: str, version: int, definition: dict[str, Any]
) -> None:
    """Keep a resolved pipeline under its digest; once there it never changes."""
    row = {"digest": digest, "name": name, "version": version, "definition": encode(definition)}
    await connection.execute(_SQL["pin pipeline"], row)


async def pipeline_definition(connection: Connection, digest: str) -> dict[str, Any] | None:
    """Definition pinned under a digest, None when there is none."""
    row = await (await connection.execute(_SQL["pipeline definition"], {"digest": digest})).fetchone()
    return None if row is None else row["definition"]


async def submit(
    connection: Connection,
    run_id: UUID,
    pipeline: str,
    label: str,
    sources: Sequence[dict[str, str]],
    head: Sequence[str],
    facts: dict[str, Any],
) -> bool:
    """Write a run, its first message and its journal entry in the caller's transaction.

    False: the run is known already and everything stays as it is. ``pipeline`` must be pinned. Raises Rejected
    ``records.not_json`` for facts that cannot be kept.
    """
    row = {
        "id": run_id,
        "pipeline": pipeline,
        "label": label,
        "sources": encode(list(sources)),
        "head": encode(list(head)),
        "facts": encode(facts),
    }
    if (await connection.execute(_SQL["submit"], row)).rowcount == 0:
        return False
    key, body = outbox.run_message(run_id)
    await outbox.send(connection, outbox.RUNS, key, body)
    await journal.append(connection, "submitted", run_id, {"pipeline": pipeline, "sources": list(sources)})
    return True


async def get(connection: Connection, run_id: UUID) -> Run:
    """Read one run; raises Rejected ``run.unknown``."""
    row = await (await connection.execute(_SQL["get"], {"id": run_id})).fetchone()
    if row is None:
        raise unknown_run(run_id)
    return Run(**row)


async def find(
    connection: Connection,
    states: Sequence[str] | None = None,
    label: str | None = None,
    limit: int = 100,
    after: UUID | None = None,
) -> list[Run]:
    """Runs in some states or phases whose label contains a text, newest first; ``after``: last of the page before."""
    asked = None if states is None else list(states)
    row = {
        "states": None if asked is None else [state for state in asked if not state.startswith(AWAITING)],
        "awaited": [state.removeprefix(AWAITING) for state in asked or () if state.startswith(AWAITING)],
        "label": label,
        "limit": limit,
        "after": after,
    }
    return [Run(**row) for row in await (await connection.execute(_SQL["find"], row)).fetchall()]


async def tally(connection: Connection) -> dict[str, int]:
    """How many runs are in each phase."""
    rows = await (await connection.execute(_SQL["tally"])).fetchall()
    return {row["phase"]: row["runs"] for row in rows}


async def stage_records(connection: Connection, run_id: UUID) -> list[StageRecord]:
    """Finished steps of a run, in order."""
    cursor = await connection.execute(_SQL["stage records"], {"id": run_id})
    return [StageRecord(**row) for row in await cursor.fetchall()]


def unknown_run(run_id: UUID) -> Rejected:
    """The error for an id that no run has."""
    return Rejected(
        "run.unknown",
        zh=f"没有编号为 {run_id} 的任务。请核对编号。",
        en=f"There is no run {run_id}. Check the id.",
        run=str(run_id),
    )


def over(run_id: UUID, state: str) -> Conflict:
    """The error for a run that is final already."""
    return Conflict(
        "run.over",
        zh=f"任务 {run_id} 已结束（{state}），不能再改变。如需重做，请重新提交。",
        en=f"The run {run_id} is over ({state}) and cannot change any more. Submit a new one instead.",
        run=str(run_id),
        state=state,
    )
