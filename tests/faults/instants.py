"""Named instants at which a process is killed: parts of the engine with a mine in each, every mine going off once.

A mine is a file ``<instant>@<place>``; whoever removes it dies by SIGKILL at that very place. What is mined is the
product's own code through its ordinary seams: methods of runner, database, storage and ledger.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from engine.pipeline.runner import Runner
from engine.pipeline.stage import Stage
from engine.records.database import Connection, Database
from engine.records.effects import PostgresLedger
from engine.records.runs import Run
from engine.trust.acts import Act, Recall
from engine.trust.keys import Keyring, SigningKey
from plugins.storage.local import LocalStorage

PER_STAGE = ("half-written", "after-fsync", "after-link", "inside-commit", "after-commit")
PER_EFFECT = ("before-act", "after-act")
PER_LEG = ("before-claim", "after-claim", "before-ack")

_place: ContextVar[str] = ContextVar("place", default="-")


class Minefield:
    """Mines in a folder that all processes share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lay(self, instant: str, place: str) -> None:
        (self._folder / f"{instant}@{place}").touch()

    def left(self) -> list[str]:
        return sorted(mine.name for mine in self._folder.iterdir())

    def clear(self) -> None:
        """Take up a mine that nobody stepped on."""
        for mine in self._folder.iterdir():
            mine.unlink(missing_ok=True)

    def step(self, instant: str, place: str | None = None) -> None:
        """Die here if this place is mined; only one process finds the mine."""
        try:
            (self._folder / f"{instant}@{place or _place.get()}").unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


class MinedDatabase(Database):
    """Dies with every statement of a transaction done and nothing committed, and just after the commit."""

    def __init__(self, url: str, mines: Minefield) -> None:
        super().__init__(url)
        self._mines = mines

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with super().transaction() as connection:
            yield connection
            self._mines.step("inside-commit")
        self._mines.step("after-commit")


class MinedStorage(LocalStorage):
    """Dies with half a file written, with all of it on disk but no name, and with the name but no fsynced folder."""

    mines: Minefield

    def _write(self, file: BinaryIO, chunk: bytes | memoryview) -> None:
        half = memoryview(chunk)[: len(chunk) // 2]
        super()._write(file, half)
        self.mines.step("half-written")
        super()._write(file, memoryview(chunk)[len(half) :])

    def _flush(self, file: BinaryIO) -> None:
        super()._flush(file)
        self.mines.step("after-fsync")

    def _link(self, temporary: Path, target: Path) -> None:
        super()._link(temporary, target)
        self.mines.step("after-link")


class MinedLedger(PostgresLedger):
    """Dies between intent and act, and between act and record: the key was used and nobody wrote it down."""

    def __init__(self, database: Database, mines: Minefield) -> None:
        super().__init__(database)
        self._mines = mines

    async def once(
        self, key: str, kind: str, intent: bytes, act: Act, *, repeatable: bool, recall: Recall | None = None
    ) -> tuple[bytes, bytes]:
        place = f"{_place.get()}-{kind}"

        async def mined(recorded: bytes) -> bytes:
            self._mines.step("before-act", place)
            result = await act(recorded)
            self._mines.step("after-act", place)
            return result

        return await super().once(key, kind, intent, mined, repeatable=repeatable, recall=recall)


class MinedRunner(Runner):
    """Dies around its claim and, all work done, before the message is acknowledged."""

    mines: Minefield

    async def advance(self, run_id: UUID) -> None:
        await super().advance(run_id)
        self.mines.step("before-ack", "leg")

    async def _claim(self, run_id: UUID) -> Run | None:
        self.mines.step("before-claim", "leg")
        run = await super()._claim(run_id)
        if run is not None:
            self.mines.step("after-claim", "leg")
        return run

    async def _step(self, run: Run, stage: Stage, total: int) -> Run | None:
        token = _place.set(f"{run.cursor}-{stage.name}")
        try:
            return await super()._step(run, stage, total)
        finally:
            _place.reset(token)


class CountingKeyring:
    """Writes down every use of a key, so that the harness can tell uses from published signatures."""

    def __init__(self, keyring: Keyring, log: Path) -> None:
        self._keyring = keyring
        self._log = log

    async def key(self, party: str, *about: Any) -> SigningKey:
        return CountingKey(await self._keyring.key(party, *about), party, self._log)  # type: ignore[return-value]  # delegates the rest


class CountingKey:
    """A key whose ``sign`` leaves a line in a log; everything else is the real key's."""

    def __init__(self, key: SigningKey, party: str, log: Path) -> None:
        self._key, self._party, self._log = key, party, log

    async def sign(self, data: bytes, digest_algorithm: str, act: str) -> bytes:
        with self._log.open("a", encoding="ascii") as log:
            log.write(f"{self._party} {act}\n")
        return await self._key.sign(data, digest_algorithm, act)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._key, name)
