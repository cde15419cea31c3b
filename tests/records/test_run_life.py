"""Any sequence of operations, by workers with live and stale claims, outsiders and lost messages, against a model."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from engine.errors import Conflict, StaleClaim
from engine.records import attention, claims, journal, progress, runs
from engine.records.database import Database
from engine.records.runs import Run, StageRecord

CAP = 3
EVENTS = st.sampled_from(["confirmed", "paid"])
FINAL = ("done", "rejected", "cancelled")


class RunLife(RuleBasedStateMachine):
    """One run; ``state``, ``due`` … are what it should be."""

    url = ""
    loop: asyncio.Runner
    held: Bundle[Run] = Bundle("held")

    @initialize()
    def submit(self) -> None:
        self.database = Database(self.url)
        self.id = uuid4()
        self.state, self.epoch, self.cursor, self.attempts = "ready", 0, 0, 0
        self.due = True  # ready: due_at has come; running: the lease has run out
        self.waiting_for: str | None = None
        self.early: dict[str, int] = {}
        self.facts: dict[str, Any] = {}
        self.head = ["source"]
        self.message = True
        self.do(self._open())

    async def _open(self) -> None:
        await self.database.open()
        async with self.database.transaction() as connection:
            await connection.execute(
                "truncate run, stage_record, early_event, outbox, journal, effect restart identity cascade"
            )
            await connection.execute("update journal_head set seq = 0, digest = decode(repeat('00', 32), 'hex')")
            await runs.pin_pipeline(connection, "pinned", "sample", 1, {})
            await runs.submit(connection, self.id, "pinned", "", [], self.head, {})

    def do(self, coroutine: Any) -> Any:
        return self.loop.run(coroutine)

    def call(self, function: Any, *arguments: Any) -> Any:
        async def work() -> Any:
            async with self.database.transaction() as connection:
                return await function(connection, *arguments)

        return self.do(work())

    def ours(self, run: Run) -> bool:
        return self.state == "running" and run.epoch == self.epoch

    def attempt(self, run: Run, function: Any, *arguments: Any) -> bool:
        """Do what only the holder may do; True when it was done."""
        try:
            self.call(function, run, *arguments)
        except StaleClaim:
            assert not self.ours(run)
            return False
        assert self.ours(run)
        return True

    @rule(target=held, expires=st.booleans())
    def claim(self, expires: bool) -> Any:
        run = self.call(claims.claim, self.id, 0 if expires else 3600, CAP)
        if self.state not in ("ready", "running") or not self.due:
            assert run is None
        elif self.attempts >= CAP:
            assert run is None
            self.epoch, self.state = self.epoch + 1, "parked"
        else:
            self.epoch, self.state, self.attempts, self.due = self.epoch + 1, "running", self.attempts + 1, expires
            assert (run.epoch, run.cursor, run.facts) == (self.epoch, self.cursor, self.facts)
        return multiple() if run is None else run

    @rule(run=held)
    def renew(self, run: Run) -> None:
        try:
            self.call(claims.renew, run.id, run.epoch, 3600)
        except StaleClaim:
            assert not self.ours(run)
        else:
            assert self.ours(run)
            self.due = False

    @rule(target=held, run=held)
    def advance(self, run: Run) -> Run:
        output = f"{run.cursor}.{run.epoch}"
        record = StageRecord(
            run.cursor,
            "stage",
            1,
            "key",
            run.head,
            [output],
            {"at": run.cursor},
            False,
            datetime(2026, 1, 1, tzinfo=UTC),
        )
        try:
            moved: Run = self.call(progress.advance, run, record)
        except StaleClaim:
            assert not self.ours(run) or run.cursor != self.cursor
            return run
        assert self.ours(run) and run.cursor == self.cursor
        self.cursor, self.attempts, self.head = self.cursor + 1, 0, [output]
        self.facts = {**self.facts, "at": run.cursor}
        assert (moved.cursor, moved.facts, moved.head) == (self.cursor, self.facts, self.head)
        return moved

    @rule(run=held, event=EVENTS)
    def pause(self, run: Run, event: str) -> None:
        if self.attempt(run, progress.pause, [event]):
            self.attempts = 0
            if event in self.early:
                self.state, self.due, self.message = "ready", True, True
                self.facts = {**self.facts, f"event:{event}": {"n": self.early.pop(event)}}
            else:
                self.state, self.waiting_for = "waiting", event

    @rule(run=held, later=st.booleans(), counted=st.booleans())
    def postpone(self, run: Run, later: bool, counted: bool) -> None:
        if self.attempt(run, progress.postpone, {"code": "x"}, 3600 if later else 0, counted):
            self.state, self.due, self.message = "ready", not later, True
            self.attempts -= not counted

    @rule(run=held, end=st.sampled_from(["finish", "reject", "park"]))
    def settle(self, run: Run, end: str) -> None:
        if self.attempt(run, getattr(progress, end), *([] if end == "finish" else [{"code": "x"}])):
            self.state = {"finish": "done", "reject": "rejected", "park": "parked"}[end]

    @rule(event=EVENTS, n=st.integers(1, 2))
    def resume(self, event: str, n: int) -> None:
        try:
            woken = self.call(attention.resume, self.id, event, {"n": n})
        except Conflict:
            assert self.state in FINAL
            return
        assert self.state not in FINAL
        assert woken == (self.state == "waiting" and self.waiting_for == event)
        if woken:
            self.state, self.due, self.waiting_for, self.message = "ready", True, None, True
            self.facts = {**self.facts, f"event:{event}": {"n": n}}
        elif self.facts.get(f"event:{event}") != {"n": n}:
            self.early.setdefault(event, n)

    @rule()
    def retry(self) -> None:
        try:
            self.call(attention.retry, self.id)
        except Conflict:
            assert self.state not in ("parked", "ready")
        else:
            assert self.state in ("parked", "ready")
            self.state, self.due, self.attempts, self.message = "ready", True, 0, True

    @rule(sure=st.integers(0, 9))
    def cancel(self, sure: int) -> None:
        if sure:  # rarely: nothing happens afterwards
            return
        try:
            self.call(attention.cancel, self.id)
        except Conflict:
            assert self.state in FINAL
        else:
            assert self.state not in FINAL
            self.state, self.epoch, self.waiting_for = "cancelled", self.epoch + 1, None

    @rule()
    def lose_messages(self) -> None:
        self.call(lambda connection: connection.execute("delete from outbox"))
        self.message = False

    @rule()
    def sweep(self) -> None:
        needed = self.state in ("ready", "running") and self.due and not self.message
        assert self.call(claims.enqueue_due) == needed
        self.message = self.message or needed

    @invariant()
    def records_agree(self) -> None:
        run, records, messages, early = self.call(_read, self.id)
        assert (run.state, run.epoch, run.cursor, run.attempts, run.waiting_for, run.facts, run.head) == (
            self.state, self.epoch, self.cursor, self.attempts, self.waiting_for, self.facts, self.head,
        )  # fmt: skip
        assert [record.ordinal for record in records] == list(range(self.cursor))
        assert messages == self.message
        assert early == {name: {"n": n} for name, n in self.early.items()}

    def teardown(self) -> None:
        report = self.call(journal.verify)
        assert report.unbroken and report.entries > self.cursor
        self.do(self.database.close())


async def _read(connection: Any, run_id: Any) -> Any:
    run = await runs.get(connection, run_id)
    records = await runs.stage_records(connection, run_id)
    messages = await (await connection.execute("select from outbox")).fetchall()
    early = await (await connection.execute("select name, payload from early_event")).fetchall()
    return run, records, len(messages), {row["name"]: row["payload"] for row in early}


def test_any_sequence_of_operations_keeps_the_records_true(records_url: str):
    with asyncio.Runner() as loop:
        machine = type("RunLifeHere", (RunLife,), {"url": records_url, "loop": loop})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
