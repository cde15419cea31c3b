"""Claims on runs: a fencing token and a lease on the database's clock; and the sweep that finds what nobody claims."""

from __future__ import annotations

from uuid import UUID

from engine.errors import Defect, StaleClaim
from engine.records import outbox
from engine.records.canonical import encode
from engine.records.database import Connection
from engine.records.runs import Run
from engine.records.statements import statements

_SQL = statements("claims")


async def claim(connection: Connection, run_id: UUID, lease: float, attempts: int) -> Run | None:
    """Take a run for ``lease`` seconds; None when it is not due, not to be worked on, or somebody else has it.

    A run that was taken ``attempts`` times without progress is parked with ``run.out_of_attempts`` instead: its
    document kills whoever opens it.
    """
    error = encode(_exhausted(run_id, attempts).to_dict())
    arguments = {"id": run_id, "lease": lease, "attempts": attempts, "exhausted": error}
    row = await (await connection.execute(_SQL["claim"], arguments)).fetchone()
    return None if row is None else Run(**row)


async def renew(connection: Connection, run_id: UUID, epoch: int, lease: float) -> None:
    """Hold a claim for ``lease`` more seconds from now; raises StaleClaim ``run.stale_claim`` when it is not ours."""
    arguments = {"id": run_id, "epoch": epoch, "lease": lease}
    if (await connection.execute(_SQL["renew"], arguments)).rowcount == 0:
        raise stale_claim(run_id, epoch)


async def enqueue_due(connection: Connection, limit: int = 10_000) -> int:
    """Send a message for runs that are due, or whose claim ran out, and have none pending; how many were sent.

    A run never has two pending messages, however often this is called.
    """
    rows = await (await connection.execute(_SQL["due without message"], {"limit": limit})).fetchall()
    if not rows:
        return 0
    messages = [outbox.run_message(row["id"]) for row in rows]
    arguments = {
        "queue": outbox.RUNS,
        "keys": [key for key, _ in messages],
        "bodies": [encode(body) for _, body in messages],
    }
    counted = await (await connection.execute(_SQL["send again"], arguments)).fetchone()
    return int(counted["sent"]) if counted else 0


def stale_claim(run_id: UUID, epoch: int) -> StaleClaim:
    """The error for a claim that is no longer ours."""
    return StaleClaim(
        "run.stale_claim",
        zh=f"任务 {run_id} 的认领（{epoch}）已失效，本进程的结果作废。无需处理。",
        en=f"Claim {epoch} on the run {run_id} is no longer ours; what we computed is void. Nothing to do.",
        run=str(run_id),
        epoch=epoch,
    )


def _exhausted(run_id: UUID, attempts: int) -> Defect:
    return Defect(
        "run.out_of_attempts",
        zh=f"任务 {run_id} 已尝试 {attempts} 次仍无进展，可能是文件使进程崩溃。请检查文件与日志，再重试或取消。",
        en=f"The run {run_id} was tried {attempts} times without progress; its document may kill the worker. "
        "Look at the file and the log, then retry or cancel it.",
        run=str(run_id),
        attempts=attempts,
    )
