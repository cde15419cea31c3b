"""One host sweeps at a time; another takes over when it ends; a broken sweep breaks nothing else."""

import asyncio
from collections.abc import Callable

from conftest import Toy

from engine.errors import Defect
from engine.records.database import Connection
from engine.tasks.sweeper import sweep_forever


class Sweeps:
    """Counts its calls."""

    def __init__(self, answer: Callable[[], object] = lambda: None) -> None:
        self.calls = 0
        self.answer = answer

    async def __call__(self, connection: Connection) -> None:
        await connection.execute("insert into toy (id, work) values (gen_random_uuid(), 0)")
        self.calls += 1
        self.answer()


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not what():  # noqa: ASYNC110 - what we wait for happens in the database
            await asyncio.sleep(0.01)


async def cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_only_one_of_two_hosts_sweeps_and_the_other_follows_it(toy: Toy) -> None:
    first, second = Sweeps(), Sweeps()
    one = asyncio.create_task(sweep_forever(toy.url, [first], 0.02))
    await until(lambda: first.calls > 0)
    two = asyncio.create_task(sweep_forever(toy.url, [second], 0.02))
    seen = first.calls
    await until(lambda: first.calls > seen + 5)
    assert second.calls == 0
    await cancel(one)
    await until(lambda: second.calls > 0)
    await cancel(two)


async def test_a_sweeper_that_lost_its_connection_lost_its_office_and_stands_again(toy: Toy) -> None:
    sweeps = Sweeps()
    task = asyncio.create_task(sweep_forever(toy.url, [sweeps], 0.02))
    await until(lambda: sweeps.calls > 0)
    toy.query(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    seen = sweeps.calls
    await until(lambda: sweeps.calls > seen + 2)
    assert not task.done()
    await cancel(task)


async def test_a_failing_sweep_is_undone_and_the_others_go_on(toy: Toy) -> None:
    def fail() -> None:
        raise Defect("x.y", zh="错误", en="broken")

    broken, sound = Sweeps(fail), Sweeps()
    task = asyncio.create_task(sweep_forever(toy.url, [broken, sound], 0.02))
    await until(lambda: sound.calls >= 3)
    await cancel(task)
    assert broken.calls >= 3
    assert toy.count("toy") <= sound.calls, "what the broken one wrote was rolled back"


async def test_an_absent_database_is_waited_for() -> None:
    task = asyncio.create_task(sweep_forever("postgresql://nobody@127.0.0.1:1/none", [Sweeps()], 0.01))
    await asyncio.sleep(0.2)
    assert not task.done()
    await cancel(task)
