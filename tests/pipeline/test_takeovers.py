"""Many runners at a few runs, leases too short for the work, deaths at any moment: each stage counts once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from engine.errors import Conflict
from engine.pipeline.definition import load_definition
from engine.pipeline.pins import Pins
from engine.pipeline.resolution import Catalogue
from engine.pipeline.runner import Pace, Runner, Silent, initial_facts
from engine.pipeline.stage import Done, Effect, Work
from engine.records import attention, runs
from engine.records.database import Database
from engine.records.effects import PostgresLedger
from plugins.storage.local import LocalStorage
from tests.pipeline.toys import STAGES, Ink, pipeline, write

LEASES = (0.02, 0.03, 0.05, 0.2, 1.0)


@dataclass(frozen=True)
class Dawdle:
    """Signs with an answer that is never the same twice, and takes its time before and after."""

    name: ClassVar[str] = "dawdle"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.SIGNS
    reads: ClassVar[frozenset[str]] = frozenset()

    async def run(self, work: Work) -> Done:
        async def act(intent: bytes) -> bytes:
            await asyncio.sleep(random.random() / 10)
            return b"<%s %d>" % (intent, random.getrandbits(64))

        _, result = await work.ledger.once(f"{work.subject}/d", "seal", b"d", act, repeatable=True)
        await asyncio.sleep(random.random() / 10)
        return Done(write(work, work.sources[0].read_bytes() + result))


async def test_each_stage_and_each_effect_counts_once(
    database: Database, storage: LocalStorage, tmp_path: Path
) -> None:
    catalogue = Catalogue(stages={**STAGES, "dawdle": Dawdle}, services={Ink: Ink()})
    pins = Pins(database, storage, catalogue, tmp_path / "pins")
    runners = [
        Runner(database, storage, PostgresLedger(database), pins, Pace(lease, 1000, 0.01, 0.05), Silent())
        for lease in LEASES
    ]
    slow = 'use = "dawdle"'
    file = pipeline(tmp_path, 'use = "shout"', slow, slow, 'use = "wait"\nevent = "confirmed"', slow)
    digest = await pins.pin(load_definition(file))
    run_ids = []
    for number in range(8):
        source = tmp_path / f"{number}.txt"
        source.write_text(f"contract {number}")
        run_ids.append(await runners[0].submit(digest, [(source.name, source)], initial_facts({})))

    async def confirm() -> None:
        with suppress(Conflict):  # it is over
            async with database.transaction() as connection:
                await attention.resume(connection, random.choice(run_ids), "confirmed", {})

    hands = [lambda runner=runner: advance_or_die(runner, random.choice(run_ids)) for runner in runners for _ in "ab"]
    over = asyncio.Event()
    at_work = [asyncio.create_task(repeat(hand, over)) for hand in (*hands, confirm)]
    async with asyncio.timeout(90):
        for run_id in run_ids:
            await until_done(database, run_id)
    over.set()
    await asyncio.gather(*at_work)
    for run_id in run_ids:
        await check(database, storage, run_id, tmp_path)


async def repeat(act: Callable[[], Awaitable[None]], over: asyncio.Event) -> None:
    while not over.is_set():
        await act()
        await asyncio.sleep(0.005)


async def advance_or_die(runner: Runner, run_id: UUID) -> None:
    leg = asyncio.create_task(runner.advance(run_id))
    if random.random() < 0.3:
        await asyncio.sleep(random.random() / 10)
        leg.cancel()
    with suppress(asyncio.CancelledError):
        await leg


async def until_done(database: Database, run_id: UUID) -> None:
    state = ""
    while state != "done":
        await asyncio.sleep(0.05)
        async with database.transaction() as connection:
            state = (await runs.get(connection, run_id)).state


async def check(database: Database, storage: LocalStorage, run_id: UUID, folder: Path) -> None:
    async with database.transaction() as connection:
        run = await runs.get(connection, run_id)
        kept = await runs.stage_records(connection, run_id)
        query = "select result from effect where key like %s"
        effects = [row["result"] for row in await (await connection.execute(query, [f"{run_id}/%"])).fetchall()]
    assert [record.ordinal for record in kept] == [0, 1, 2, 3, 4]
    assert all(before.outputs == after.inputs for before, after in pairwise(kept))
    content = (await storage.get(run.head[0], folder)).read_bytes()
    assert len(effects) == content.count(b"<") == 3
    assert all(content.count(effect) == 1 for effect in effects)
