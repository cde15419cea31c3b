"""Advances runs: one leg takes a run from its checkpoint until it waits, fails or ends; all state is in the records.

A leg holds a claim (fencing token and lease). A heartbeat renews the lease; when the claim was taken over, everything
the leg computed since is void, because every commit names the token.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import structlog

from engine.errors import Conflict, Defect, InDoubt, Rejected, SealflowError, StaleClaim, Unavailable
from engine.pipeline import step
from engine.pipeline.completion import refuse_short
from engine.pipeline.pins import Pins
from engine.pipeline.stage import Effect, Facts, Ledger, Paused, Stage
from engine.records import checkpoints, claims, progress, runs
from engine.records.database import Database
from engine.records.progress import StageRecord
from engine.records.runs import Run
from engine.vendors.protocols import Storage

STORAGE_MISSING = "storage.missing"
"""Code by which every storage says that it does not hold a content."""
_log = structlog.get_logger(__name__)


class Observer(Protocol):
    """Is told what happens while a run advances; for progress bars and event streams."""

    def stage_started(self, run: Run, ordinal: int, total: int, stage: str) -> None: ...

    def stage_progress(self, run: Run, done: int, total: int) -> None: ...

    def stage_finished(self, run: Run, ordinal: int, total: int, stage: str) -> None: ...


class Silent:
    """Observer that nobody watches."""

    def stage_started(self, run: Run, ordinal: int, total: int, stage: str) -> None: ...

    def stage_progress(self, run: Run, done: int, total: int) -> None: ...

    def stage_finished(self, run: Run, ordinal: int, total: int, stage: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds: lease of a claim, first and longest wait after a service was away; attempts before parking."""

    lease: float = 30.0
    attempts: int = 5
    backoff: float = 5.0
    backoff_limit: float = 900.0


class Runner:
    """Submits runs and advances them; safe to use from any number of tasks, processes and hosts at once.

    ``around``: entered for every leg; one leg deals with one document.
    """

    def __init__(
        self,
        database: Database,
        storage: Storage,
        ledger: Ledger,
        pins: Pins,
        pace: Pace,
        observer: Observer,
        around: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> None:
        self.database = database
        self.storage = storage
        self.ledger = ledger
        self.pins = pins
        self._pace = pace
        self._observer = observer
        self._around = around

    async def submit(
        self,
        pipeline: str,
        files: Sequence[tuple[str, Path]],
        facts: Facts,
        label: str = "",
        run_id: UUID | None = None,
    ) -> UUID:
        """Store the files, pin nothing new, and commit the run with its first message; give its id.

        ``pipeline``: digest from ``Pins.pin``. ``files``: name and content, in order. A ``run_id`` that is known
        already leaves everything as it is.
        """
        digests = [await self.storage.put(path) for _, path in files]
        sources = [{"name": name, "digest": digest} for (name, _), digest in zip(files, digests, strict=True)]
        identity = run_id or uuid.uuid4()
        async with self.database.transaction() as connection:
            await runs.submit(connection, identity, pipeline, label, sources, digests, dict(facts))
        return identity

    async def advance(self, run_id: UUID) -> None:
        """Carry out one leg of a run, if nobody else is at it; every failure ends in the records, not in the caller.

        Raises Unavailable when the database itself is away: then nothing is lost, the sweeper sends the run again.
        """
        run = await self._claim(run_id)
        if run is None:
            return
        with structlog.contextvars.bound_contextvars(run=str(run_id)):
            try:
                async with self._heartbeat(run), self._around():
                    await self._leg(run)
            except StaleClaim:
                _log.info("claim taken over", epoch=run.epoch)

    async def _claim(self, run_id: UUID) -> Run | None:
        async with self.database.autocommit() as connection:
            return await claims.claim(connection, run_id, self._pace.lease, self._pace.attempts)

    async def _leg(self, run: Run) -> None:
        try:
            stages = await self.pins.stages(run.pipeline)
            while run.cursor < len(stages):
                advanced = await self._step(run, stages[run.cursor], len(stages))
                if advanced is None:
                    return
                run = advanced
        except asyncio.CancelledError:
            # This process is told to stop: the run must not wait for its lease, nor count this as an attempt.
            with suppress(SealflowError):
                await asyncio.shield(self._settle(progress.postpone, run, _interrupted(run).to_dict(), 0.0, False))
            raise
        except StaleClaim:
            raise
        except Rejected as error:
            if error.code == STORAGE_MISSING:
                await self._postpone(run, _lost(run, error), counted=True)
                return
            _log.info("run rejected", code=error.code)
            await self._settle(progress.reject, run, error.to_dict())
        except InDoubt as error:
            _log.warning("run parked", code=error.code)
            await self._settle(progress.park, run, error.to_dict())
        except (Unavailable, Conflict) as error:
            await self._postpone(run, error, counted=False)
        except SealflowError as error:
            _log.error("fault in a stage", code=error.code, **error.facts)
            await self._postpone(run, error, counted=True)
        except Exception as error:  # a bug of ours or of a stage: recorded, retried a few times, then parked
            _log.exception("unexpected fault in a stage")
            await self._postpone(run, _unexpected(error), counted=True)

    async def _step(self, run: Run, stage: Stage, total: int) -> Run | None:
        """One stage; None when the run now waits."""
        started, inputs = datetime.now(UTC), tuple(run.head)
        self._observer.stage_started(run, run.cursor, total, stage.name)
        options = self.pins.options(run.pipeline, run.cursor)
        key = step.checkpoint_key(stage, options, inputs, run.facts)
        outcome = await self._kept(key, stage)
        reused = outcome is not None
        if outcome is None:
            performed = await step.perform(
                stage,
                inputs,
                run.facts,
                subject=f"{run.id}/{run.cursor}",
                ledger=self.ledger,
                storage=self.storage,
                progress=lambda done, of: self._observer.stage_progress(run, done, of),
                names=_names(run),
            )
            if isinstance(performed, Paused):
                reason = None if performed.reason is None else performed.reason.to_dict()
                await self._settle(progress.pause, run, performed.events, dict(performed.facts), reason)
                return None
            if performed.partly:
                async with self.database.transaction() as connection:
                    outputs, facts = list(performed.outputs), dict(performed.facts)
                    return await progress.revise(connection, run, stage.name, outputs, facts)
            outcome = performed
        record = StageRecord(
            ordinal=run.cursor,
            stage=stage.name,
            version=stage.version,
            checkpoint=key,
            inputs=list(inputs),
            outputs=list(outcome.outputs),
            facts=dict(outcome.facts),
            reused=reused,
            started_at=started,
        )
        if run.cursor + 1 == total:
            refuse_short(run.id, {**run.facts, **record.facts})
        async with self.database.transaction() as connection:
            advanced = await progress.advance(connection, run, record)
            if advanced.cursor == total:
                await progress.finish(connection, advanced)
            if stage.effect is Effect.REWRITES and not reused:
                await checkpoints.keep(connection, key, record.outputs, record.facts)
        self._observer.stage_finished(run, run.cursor, total, stage.name)
        return advanced

    async def _kept(self, key: str, stage: Stage) -> step.Outcome | None:
        """Result of the same stage on the same input, computed before by any run; never of a stage that signs."""
        if stage.effect is not Effect.REWRITES:
            return None
        async with self.database.autocommit() as connection:
            kept = await checkpoints.find(connection, key)
        return None if kept is None else step.Outcome(tuple(kept.outputs), kept.facts)

    async def _postpone(self, run: Run, error: SealflowError, *, counted: bool) -> None:
        """Try later: soon at first, then ever later; only faults of ours count towards parking."""
        tries = int((run.error or {}).get("tries", 0)) + 1
        delay = min(self._pace.backoff * 2 ** (tries - 1), self._pace.backoff_limit)
        _log.warning("run postponed", code=error.code, seconds=delay, tries=tries)
        await self._settle(progress.postpone, run, {**error.to_dict(), "tries": tries}, delay, counted)

    async def _settle(self, change: Callable[..., Any], run: Run, *arguments: object) -> None:
        async with self.database.transaction() as connection:
            await change(connection, run, *arguments)

    @asynccontextmanager
    async def _heartbeat(self, run: Run) -> AsyncIterator[None]:
        """Renew the lease while the leg works; cancel the leg when the claim is lost."""
        leg = asyncio.current_task()
        lost = False

        async def beat() -> None:
            nonlocal lost
            while True:
                await asyncio.sleep(self._pace.lease / 3)
                try:
                    async with self.database.autocommit() as connection:
                        await claims.renew(connection, run.id, run.epoch, self._pace.lease)
                except StaleClaim:
                    lost = True
                    if leg is not None:
                        leg.cancel()
                    return
                except Unavailable:
                    continue  # the fence protects the records; the next beat may find the database back

        beating = asyncio.create_task(beat())
        try:
            yield
        except asyncio.CancelledError:
            if not lost:
                raise
            if leg is not None:
                leg.uncancel()
            raise _taken_over(run) from None
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating


def _lost(run: Run, error: Rejected) -> Defect:
    """The store lost a content, or is another one than before: the document must not be refused for it."""
    digest = error.facts.get("digest", "")
    return Defect(
        "storage.lost",
        zh=f"任务 {run.id} 所需的内容 {digest} 不在存储中。"
        "请检查存储目录是否已挂载、设置是否正确，或从备份恢复，然后重试。",
        en=f"The store does not hold what the run {run.id} needs ({digest}). Check that the right store is mounted "
        "and set, or restore it from a backup, then try again.",
        run=str(run.id),
    )


def _names(run: Run) -> tuple[str, ...]:
    """What people call the files of the head: one that was made from one of theirs keeps its name."""
    names = [str(source["name"]) for source in run.sources]
    if len(names) == len(run.head):
        return tuple(names)
    return tuple(names[:1] * len(run.head))


def _taken_over(run: Run) -> StaleClaim:
    return StaleClaim(
        "run.claim_lost",
        zh=f"任务 {run.id} 已由另一进程接手，本进程的结果作废。无需处理。",
        en=f"The run {run.id} was taken over by another process; our result is void. Nothing to do.",
        run=str(run.id),
    )


def _interrupted(run: Run) -> Unavailable:
    return Unavailable(
        "run.interrupted",
        zh=f"处理任务 {run.id} 的进程被要求停止，任务将由其他进程继续。无需处理。",
        en=f"The process that worked on the run {run.id} was told to stop; another one goes on. Nothing to do.",
        run=str(run.id),
    )


def _unexpected(error: Exception) -> Defect:
    return Defect(
        "stage.unexpected",
        zh=f"处理时发生意外错误（{type(error).__name__}：{error}）。系统会重试，随后挂起等待人工处理。",
        en=f"An unexpected error happened ({type(error).__name__}: {error}). It is retried, then parked for a person.",
        kind=type(error).__name__,
    )


def initial_facts(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Facts a run starts with: the caller's ``values`` for its controls, if any.

    Raises Rejected ``values.number`` for a number that would not be printed as it was written.
    """
    for name, value in (values or {}).items():
        _refuse_inexact(name, value)
    return {"values": dict(values)} if values else {}


def _refuse_inexact(name: str, value: Any) -> None:
    """Refuse numbers that some keeper or carrier of values changes: binary fractions round, 64 bits end."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            _refuse_inexact(name, part)
    elif isinstance(value, int | float) and abs(value) >= (2**53 if isinstance(value, float) else 2**63):
        raise Rejected(
            "values.number",
            zh=f"“{name}”的数值 {value} 过大，无法原样保存。请写成文字（加引号）。",
            en=f"The number {value} of {name!r} is too large to be kept as it is. Write it as text, in quotes.",
            name=name,
        )
