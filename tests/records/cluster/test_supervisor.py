import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from engine.errors import Unavailable
from engine.records.cluster import server as server_module
from engine.records.cluster.processes import list_server_processes, read_postmaster_pid, send
from engine.records.cluster.server import Server
from engine.records.cluster.status import inspect_cluster
from engine.records.cluster.supervisor import Cluster

Join = Callable[..., Any]


def _write(url: str, word: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("create table if not exists word (text text)")
        connection.execute("insert into word values (%s)", (word,))


def _read(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("select text from word order by 1")]


async def test_the_last_user_out_stops_the_server_and_nobody_earlier(server: Server, join: Join) -> None:
    async with Cluster(server.directory) as cluster:
        pid = read_postmaster_pid(server.data)
        other = join(server.directory)
        assert other.hear() == "up"
        assert read_postmaster_pid(server.data) == pid
        _write(cluster.url, "kept")
    assert server.answers()
    assert _read(server.url) == ["kept"]
    assert other.leave() == "down"
    assert not server.is_alive()


async def test_two_users_in_one_process_count_as_two(server: Server) -> None:
    async with Cluster(server.directory):
        async with Cluster(server.directory):
            pass
        assert server.answers()
    assert not server.is_alive()


def test_processes_that_start_at_the_same_moment_get_one_server(fresh: Server, join: Join) -> None:
    users = [join(fresh.directory) for _ in range(4)]
    assert [user.hear() for user in users] == ["up"] * 4
    assert fresh.log.read_text().count("starting PostgreSQL") == 1
    assert [user.leave() for user in users] == ["down"] * 4
    assert not fresh.is_alive()


def _master(server: Server) -> int:
    pid = read_postmaster_pid(server.data)
    assert pid is not None
    return pid


async def test_a_killed_user_counts_as_gone_and_its_server_is_taken_over(server: Server, join: Join) -> None:
    user = join(server.directory)
    assert user.hear() == "up"
    pid = read_postmaster_pid(server.data)
    user.kill()
    assert server.answers(), "the server is nobody's child and outlives the user"
    async with Cluster(server.directory):
        assert read_postmaster_pid(server.data) == pid
    assert not server.is_alive()


@pytest.mark.usefixtures("every_binaries")
def test_nothing_acknowledged_is_lost_when_everything_is_killed(server: Server, join: Join) -> None:
    for turn in range(2):
        user = join(server.directory)
        assert user.hear() == "up"
        _write(server.url, f"turn {turn}")
        user.kill()
        for pid in list_server_processes(server.data):
            send(pid, server.data, signal.SIGKILL)  # one that ended by itself meanwhile is as good
    users = server.open_users()
    server.start(users)
    assert _read(server.url) == ["turn 0", "turn 1"]
    server.stop(users)


@pytest.mark.usefixtures("every_binaries")
async def test_a_server_killed_under_its_users_comes_back_at_the_same_url(server: Server, join: Join) -> None:
    other = join(server.directory)
    assert other.hear() == "up"
    async with Cluster(server.directory) as cluster:
        _write(cluster.url, "before")
        first = read_postmaster_pid(server.data)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await _until(lambda: read_postmaster_pid(server.data) not in (first, None) and server.answers())
        assert _read(cluster.url) == ["before"]
    assert server.answers(), "the other user is still in"
    assert other.leave() == "down"
    assert not server.is_alive()


async def _until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_a_backend_that_works_on_without_its_postmaster_is_ended_after_a_grace(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_ORPHAN_GRACE", 0.3)
    users = server.open_users()
    server.start(users)
    _write(server.url, "kept")
    busy = await psycopg.AsyncConnection.connect(server.url)
    endless = "do $$ begin loop perform 1; end loop; end $$"
    task = asyncio.create_task(busy.execute(endless))
    await asyncio.sleep(0.2)
    master = _master(server)
    orphan = busy.info.backend_pid
    os.kill(master, signal.SIGKILL)
    await asyncio.sleep(0.2)
    with pytest.raises(psycopg.OperationalError):
        started = asyncio.create_task(asyncio.to_thread(server.start, users))
        await task
    await started
    assert orphan not in list_server_processes(server.data)
    assert _read(server.url) == ["kept"]
    await busy.close()
    assert await asyncio.to_thread(server.stop, users)


async def test_open_connections_do_not_hold_up_the_end(server: Server) -> None:
    cluster = Cluster(server.directory)
    connection = psycopg.connect(await cluster.start())
    begun = time.monotonic()
    await cluster.stop()
    assert time.monotonic() - begun < 5
    assert not server.is_alive()
    connection.close()


async def test_a_start_that_is_cancelled_leaves_no_server_behind(fresh: Server) -> None:
    task = asyncio.create_task(Cluster(fresh.directory).start())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not fresh.is_alive()


async def test_starting_twice_and_stopping_twice_are_harmless(server: Server) -> None:
    cluster = Cluster(server.directory)
    assert await cluster.start() == await cluster.start() == cluster.url
    await cluster.stop()
    await cluster.stop()
    assert not server.is_alive()


async def test_a_user_that_could_not_start_does_not_count(fresh: Server) -> None:
    fresh.data.mkdir(parents=True)
    (fresh.data / "letter.txt").write_text("not a database")
    with pytest.raises(Unavailable, match="not a PostgreSQL data directory"):
        await Cluster(fresh.directory).start()
    (fresh.data / "letter.txt").unlink()
    async with Cluster(fresh.directory):
        assert fresh.answers()
    assert not fresh.is_alive()


async def test_the_status_tells_version_size_and_life_without_starting_anything(fresh: Server) -> None:
    nothing = inspect_cluster(fresh.directory)
    assert (nothing.running, nothing.pid, nothing.version, nothing.size) == (False, None, None, 0)
    assert not fresh.directory.exists()
    async with Cluster(fresh.directory) as cluster:
        status = inspect_cluster(fresh.directory)
        assert status.running and status.url == cluster.url
        assert status.pid == read_postmaster_pid(fresh.data)
        assert status.version is not None and status.version >= 15
        assert status.size > 20_000_000
    assert not inspect_cluster(fresh.directory).running
