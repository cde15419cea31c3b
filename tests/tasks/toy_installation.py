"""A composition for tests: runs are rows of a table ``toy``, a leg sleeps and then writes that it happened.

``toy.lease_until`` and ``toy.epoch`` stand in for the real records' lease and fencing; ``leg`` tells what ran.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg

from engine.errors import Unavailable
from engine.records.database import Database
from engine.records.outbox import RUNS, run_message, send
from engine.tasks.actors import Advance
from engine.tasks.composition import Composition

SCHEMA = """
create table toy (id uuid primary key, work float not null, epoch int not null default 0, done boolean default false,
                  lease_until timestamptz);
create table leg (run uuid, epoch int, pid int, ended text, at timestamptz default clock_timestamp(),
                  primary key (run, epoch));
"""
_LEASE = "interval '1.5 seconds'"


def compose() -> Composition:
    url = os.environ["TOY_DATABASE_URL"]

    @asynccontextmanager
    async def engine() -> AsyncIterator[Advance]:
        database = Database(url)
        await database.open()
        try:
            yield lambda run: advance(database, run)
        finally:
            await database.close()

    return Composition(url, engine, (sweep,), interval=0.3, broker_url=os.environ.get("TOY_BROKER_URL"), visibility=1.5)


async def advance(database: Database, run: UUID) -> None:
    async with database.transaction() as connection:
        cursor = await connection.execute(
            f"update toy set epoch = epoch + 1, lease_until = now() + {_LEASE} where id = %s and not done"
            " and (lease_until is null or lease_until <= now()) returning epoch, work",
            (run,),
        )
        claim = await cursor.fetchone()
    if claim is None:
        return
    ended = "finished"
    if claim["work"] < 0 and claim["epoch"] == 1:
        asyncio.get_running_loop().call_soon(sys.exit)  # a library that ends the loop under everybody's feet
    try:
        await asyncio.sleep(abs(claim["work"]))
    except asyncio.CancelledError:
        ended = "cancelled"
        raise
    finally:
        while True:
            try:
                await finish(database, run, claim["epoch"], ended)
                break
            except Unavailable:  # the server is being restarted under us
                await asyncio.sleep(0.1)


async def finish(database: Database, run: UUID, epoch: int, ended: str) -> None:
    async with database.transaction() as connection:
        cursor = await connection.execute(
            "update toy set done = %s, lease_until = null where id = %s and epoch = %s and not done returning id",
            (ended == "finished", run, epoch),
        )
        if await cursor.fetchone():
            await connection.execute("insert into leg values (%s, %s, %s, %s)", (run, epoch, os.getpid(), ended))


async def sweep(connection: Any) -> None:
    await connection.execute(
        "insert into outbox (dedup, queue, body)"
        " select 'run:' || id, 'runs', jsonb_build_object('run_id', id) from toy"
        " where not done and (lease_until is null or lease_until <= now()) on conflict (dedup) do nothing"
    )


async def start_runs(url: str, count: int, work: float = 0.0) -> list[UUID]:
    runs = [uuid4() for _ in range(count)]
    async with await psycopg.AsyncConnection.connect(url) as connection:
        async with connection.cursor() as cursor:
            await cursor.executemany("insert into toy (id, work) values (%s, %s)", [(run, work) for run in runs])
        for run in runs:
            await send(connection, RUNS, *run_message(run))
    return runs
