"""What comes to a run from outside its claim: events it waits for, and a person's retry or cancel."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from engine.errors import Conflict
from engine.records import journal, outbox
from engine.records.canonical import encode
from engine.records.database import Connection
from engine.records.runs import FINAL, over, unknown_run
from engine.records.statements import statements

_SQL = statements("attention")


async def resume(connection: Connection, run_id: UUID, event: str, payload: dict[str, Any]) -> bool:
    """Deliver an event, NAME or NAME:QUALIFIER; its payload becomes the fact ``event:<event>``.

    True: the run waited for it and goes on.

    An event that comes before the run waits for it is kept until it does (False); of several the first counts, and a
    repetition of the one the run already had is dropped. Raises Rejected ``run.unknown``, Conflict ``run.over``.
    """
    run = await _hold(connection, run_id, event)
    arguments = {"id": run_id, "event": event, "payload": encode(payload)}
    if run["state"] in FINAL:
        raise over(run_id, run["state"])
    if run["state"] == "waiting" and run["hears"]:
        await connection.execute(_SQL["resume"], arguments)
        await journal.append(connection, "resumed", run_id, {"event": event, "early": False})
        await _send(connection, run_id)
        return True
    if run["facts"].get(f"event:{event}") != payload:
        await connection.execute(_SQL["keep event"], arguments)
    return False


async def retry(connection: Connection, run_id: UUID) -> None:
    """A person sends a parked run on its way again, or a postponed one at once; attempts start anew.

    Raises Rejected ``run.unknown``, Conflict ``run.not_parked``.
    """
    run = await _hold(connection, run_id)
    if run["state"] not in ("parked", "ready"):
        raise _not_parked(run_id, run["state"])
    await connection.execute(_SQL["retry"], {"id": run_id})
    await journal.append(connection, "retried", run_id, {"state": run["state"]})
    await _send(connection, run_id)


async def allow_repetition(connection: Connection, run_id: UUID) -> int:
    """A person asked the other side: acts of a run that have no result did not happen and may be done again.

    Gives how many acts that are.
    """
    done = await connection.execute(_SQL["allow repetition"], {"prefix": f"{run_id}/"})
    await journal.append(connection, "repetition allowed", run_id, {"acts": done.rowcount})
    return done.rowcount


async def cancel(connection: Connection, run_id: UUID) -> None:
    """End a run that is not over; what a worker computes for it at this moment is void.

    Raises Rejected ``run.unknown``, Conflict ``run.over``.
    """
    run = await _hold(connection, run_id)
    if run["state"] in FINAL:
        raise over(run_id, run["state"])
    await connection.execute(_SQL["cancel"], {"id": run_id})
    await journal.append(connection, "cancelled", run_id, {"state": run["state"]})


async def _hold(connection: Connection, run_id: UUID, event: str = "") -> dict[str, Any]:
    row = await (await connection.execute(_SQL["hold"], {"id": run_id, "event": event})).fetchone()
    if row is None:
        raise unknown_run(run_id)
    return row


async def _send(connection: Connection, run_id: UUID) -> None:
    key, body = outbox.run_message(run_id)
    await outbox.send(connection, outbox.RUNS, key, body)


def _not_parked(run_id: UUID, state: str) -> Conflict:
    return Conflict(
        "run.not_parked",
        zh=f"任务 {run_id} 当前状态为 {state}，不是挂起或推迟，无法重试。",
        en=f"The run {run_id} is {state}, neither parked nor postponed, so there is nothing to retry.",
        run=str(run_id),
        state=state,
    )
