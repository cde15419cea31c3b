"""What the holder of a claim may write about its run; each function raises StaleClaim when the claim is not its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from engine.records import journal, outbox
from engine.records.canonical import encode
from engine.records.claims import stale_claim
from engine.records.database import Connection
from engine.records.runs import Run, StageRecord
from engine.records.statements import statements

__all__ = ["Run", "StageRecord", "advance", "finish", "park", "pause", "postpone", "reject", "revise"]

_SQL = statements("progress")


async def advance(connection: Connection, run: Run, record: StageRecord) -> Run:
    """Record a finished stage, make its outputs the head, add its facts, and give the run as it is now."""
    arguments = {
        "id": run.id,
        "epoch": run.epoch,
        "ordinal": record.ordinal,
        "stage": record.stage,
        "version": record.version,
        "checkpoint": record.checkpoint,
        "head": encode(run.head),
        "inputs": encode(record.inputs),
        "outputs": encode(record.outputs),
        "facts": encode(record.facts),
        "reused": record.reused,
        "started_at": record.started_at,
        "detail": encode(
            {
                "stage": record.stage,
                "ordinal": record.ordinal,
                "inputs": record.inputs,
                "outputs": record.outputs,
                "reused": record.reused,
            }
        ),
    }
    row = await (await connection.execute(_SQL["advance"], arguments)).fetchone()
    if row is None:
        raise stale_claim(run.id, run.epoch)
    return dataclasses.replace(
        run,
        cursor=record.ordinal + 1,
        head=list(record.outputs),
        facts={**run.facts, **record.facts},
        attempts=0,
        error=None,
        updated_at=row["updated_at"],
    )


async def revise(connection: Connection, run: Run, stage: str, outputs: list[str], facts: dict[str, Any]) -> Run:
    """Make what an unfinished stage has so far the head, and give the run as it is now; the cursor stays."""
    detail = {"stage": stage, "ordinal": run.cursor, "inputs": run.head, "outputs": outputs}
    arguments = {
        "id": run.id,
        "epoch": run.epoch,
        "ordinal": run.cursor,
        "head": encode(run.head),
        "outputs": encode(outputs),
        "facts": encode(facts),
        "detail": encode(detail),
    }
    row = await (await connection.execute(_SQL["revise"], arguments)).fetchone()
    if row is None:
        raise stale_claim(run.id, run.epoch)
    return dataclasses.replace(
        run, head=outputs, facts={**run.facts, **facts}, attempts=0, error=None, updated_at=row["updated_at"]
    )


async def pause(
    connection: Connection,
    run: Run,
    events: Sequence[str],
    facts: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
) -> bool:
    """Let the run wait for one of some events, the first of which people are told; add facts.

    False when one came early: then the run is ready again at once, and has all that came. ``error``: why it waits
    again.
    """
    arguments = {
        "id": run.id,
        "epoch": run.epoch,
        "events": list(events),
        "facts": encode(facts or {}),
        "error": None if error is None else encode(error),
    }
    if await (await connection.execute(_SQL["hold"], arguments)).fetchone() is None:
        raise stale_claim(run.id, run.epoch)
    row = await (await connection.execute(_SQL["pause"], arguments)).fetchone()
    await journal.append(
        connection, "paused", run.id, {"cursor": run.cursor, "waiting_for": list(events), "error": error}
    )
    early = row["early"] if row is not None else None
    if not early:
        return True
    for event in early:
        await journal.append(connection, "resumed", run.id, {"cursor": run.cursor, "event": event, "early": True})
    await _send(connection, run)
    return False


async def finish(connection: Connection, run: Run) -> None:
    """The last stage is done; the run is final."""
    await _settle(connection, run, "done", "finished", {"head": run.head})


async def reject(connection: Connection, run: Run, error: dict[str, Any]) -> None:
    """The document or its data is wrong; the run is final."""
    await _settle(connection, run, "rejected", "rejected", {"error": error}, error)


async def park(connection: Connection, run: Run, error: dict[str, Any]) -> None:
    """A person has to decide."""
    await _settle(connection, run, "parked", "parked", {"error": error}, error)


async def postpone(
    connection: Connection, run: Run, error: dict[str, Any], delay: float, counted: bool = False
) -> None:
    """Try again in ``delay`` seconds; ``counted``: the claim counts towards parking, as a fault of ours does."""
    detail = {"error": error, "delay": delay}
    await _settle(connection, run, "ready", "postponed", detail, error, delay, uncounted=not counted)
    await _send(connection, run, delay)


async def _settle(
    connection: Connection,
    run: Run,
    state: str,
    event: str,
    detail: dict[str, Any],
    error: dict[str, Any] | None = None,
    delay: float = 0.0,
    uncounted: bool = False,
) -> None:
    arguments = {
        "id": run.id,
        "epoch": run.epoch,
        "state": state,
        "event": event,
        "detail": encode({"cursor": run.cursor, **detail}),
        "error": None if error is None else encode(error),
        "delay": delay,
        "uncounted": int(uncounted),
    }
    if await (await connection.execute(_SQL["settle"], arguments)).fetchone() is None:
        raise stale_claim(run.id, run.epoch)


async def _send(connection: Connection, run: Run, delay: float = 0.0) -> None:
    key, body = outbox.run_message(run.id)
    await outbox.send(connection, outbox.RUNS, key, body, delay)
