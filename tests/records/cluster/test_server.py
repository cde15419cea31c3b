import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.errors import Unavailable
from engine.records.cluster import server as server_module
from engine.records.cluster.processes import list_server_processes, read_postmaster_pid, serves
from engine.records.cluster.server import Server


@contextmanager
def running(server: Server) -> Iterator[psycopg.Connection[Any]]:
    users = server.open_users()
    server.start(users)
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            yield connection
    finally:
        assert server.stop(users)


def _pretend(server: Server, pid: int) -> None:
    """Leave behind what a killed server leaves, with a number that now belongs to somebody else."""
    text = (
        f"{pid}\n{server.data}\n{int(time.time())}\n5432\n{server.socket_directory}\n\n  5432001         7\nready   \n"
    )
    (server.data / "postmaster.pid").write_text(text)
    server.socket_directory.mkdir(mode=0o700, exist_ok=True)
    (server.socket_directory / ".s.PGSQL.5432.lock").write_text(text)
    dead = socket.socket(socket.AF_UNIX)
    place = server.socket_directory / ".s.PGSQL.5432"
    place.unlink(missing_ok=True)
    dead.bind(str(place))
    dead.close()


@pytest.mark.usefixtures("every_binaries")
def test_a_stranger_with_the_dead_servers_number_neither_hinders_nor_suffers(server: Server) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        _pretend(server, stranger.pid)
        with running(server) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.usefixtures("every_binaries")
def test_a_stranger_that_is_another_postgresql_is_left_alone_too(
    server: Server, ground: Path, binaries: Path, copy_blank: Callable[[Path, Path], None]
) -> None:
    copy_blank(binaries, ground / "other")
    other = Server(ground / "other", patience=40)
    with running(other) as connection:
        pid = read_postmaster_pid(other.data)
        assert pid is not None and serves(pid, other.data) and not serves(pid, server.data)
        _pretend(server, pid)
        with running(server):
            pass
        assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.usefixtures("every_binaries")
def test_a_postmaster_nobody_has_buried_yet_does_not_hinder(server: Server) -> None:
    zombie = os.posix_spawn("/bin/true", ["true"], {})
    _pretend(server, zombie)
    os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)
    with running(server) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    os.waitpid(zombie, 0)


@pytest.mark.parametrize("content", ["", "gibberish\n", "99999999999999999999\n", "-1\n", "0\n", "1\n"])
def test_a_damaged_pid_file_names_no_server_of_ours(fresh: Server, content: str) -> None:
    fresh.data.mkdir(parents=True)
    (fresh.data / "postmaster.pid").write_text(content)
    assert read_postmaster_pid(fresh.data) is None


def test_a_server_somebody_started_by_hand_in_our_directory_is_named_and_left_alone(
    server: Server, binaries: Path
) -> None:
    from engine.records.cluster.binaries import find_binaries
    from engine.records.cluster.owner import choose_owner

    owner = choose_owner(server.directory, server.data, find_binaries())
    by_hand = [str(binaries / "pg_ctl"), "-D", str(server.data), "-w"]
    hidden = server.directory / "hand"
    hidden.mkdir(mode=0o700)
    started = owner.run([*by_hand, "-o", f"-k {hidden} -c listen_addresses=", "-l", str(hidden / "log"), "start"])
    assert started.returncode == 0, started.stdout
    users = server.open_users()
    with pytest.raises(Unavailable) as refusal:
        server.start(users)
    users.release()
    pid = read_postmaster_pid(server.data)
    assert refusal.value.code == "database.foreign_server"
    assert refusal.value.facts["pid"] == pid
    assert pid is not None and serves(pid, server.data)
    owner.run([*by_hand, "-m", "immediate", "stop"])


def test_a_half_made_directory_is_made_anew(fresh: Server, join: Callable[..., Any]) -> None:
    user = join(fresh.directory)
    half = fresh.directory / "data.half"
    deadline = time.monotonic() + 20
    while not (half / "base").exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    user.kill()
    assert not fresh.data.exists()
    with running(fresh) as connection:
        assert connection.execute("select current_database()").fetchone() == ("sealflow",)
    assert not half.exists()


@pytest.mark.usefixtures("every_binaries")
def test_the_server_is_durable_checked_and_out_of_reach_of_the_network_and_other_users(server: Server) -> None:
    with running(server) as connection:
        for name, value in {
            "listen_addresses": "",
            "data_checksums": "on",
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "server_encoding": "UTF8",
            "TimeZone": "UTC",
        }.items():
            row = connection.execute("select current_setting(%s)", (name,)).fetchone()
            assert row == (value,), name
        collation = "select datcollate, datctype from pg_database where datname = 'sealflow'"
        assert connection.execute(collation).fetchone() == ("C", "C")
        assert sorted(["b", "é", "印", "章", "a"]) == [
            row[0] for row in connection.execute("select c from unnest(array['b', 'é', '印', '章', 'a']) c order by c")
        ]
        for place in (server.directory, server.socket_directory, server.data):
            assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_variables_meant_for_other_servers_do_not_reach_ours(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGHOST": "elsewhere.invalid", "PGUSER": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LC_ALL", "no_SUCH.locale")
    with running(server) as connection:
        assert connection.execute("select current_user").fetchone() == ("sealflow",)


def test_a_directory_copied_while_the_server_ran_starts_beside_the_original(server: Server, ground: Path) -> None:
    with running(server) as connection:
        connection.execute("create table t as select 1 as x")
        connection.execute("checkpoint")
        subprocess.run(["cp", "-a", server.directory, ground / "copy"], check=True)
        copy = Server(ground / "copy", patience=40)
        with running(copy) as other:
            assert other.execute("select x from t").fetchone() == (1,)
        assert connection.execute("select x from t").fetchone() == (1,)


def test_the_log_stays_bounded_and_goes_on_in_the_same_file(server: Server) -> None:
    with running(server) as connection:
        with server.log.open("a") as file:
            file.write("x" * 5 * 2**20)
        server.bound_log()
        connection.execute("select pg_reload_conf()")
        deadline = time.monotonic() + 10
        while "reload" not in server.log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert server.log.stat().st_size < 10_000
        assert server.log.with_suffix(".log.1").stat().st_size == 4 * 2**20


def test_a_statement_that_fails_is_told_to_its_sender_not_to_the_log(server: Server) -> None:
    with running(server) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("select * from nobody_has_this")
        assert "nobody_has_this" not in server.log.read_text()


def test_a_start_that_takes_too_long_is_said_and_joined_later(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = Server(server.directory, patience=0.5)
    monkeypatch.setattr(impatient, "answers", lambda: False)
    users = server.open_users()
    with pytest.raises(Unavailable) as refusal:
        impatient.start(users)
    assert refusal.value.code == "database.start_slow"
    server.start(users)
    assert server.log.read_text().count("starting PostgreSQL") == server.log.read_text().count("ready to accept")
    assert server.stop(users)


def test_a_start_by_somebody_who_hangs_is_waited_for_only_so_long(server: Server) -> None:
    from engine.records.cluster.locks import hold

    users = server.open_users()
    with hold(server.directory / "start.lock", 1), pytest.raises(Unavailable) as refusal:
        Server(server.directory, patience=0.2).start(users)
    users.release()
    assert refusal.value.code == "database.busy"


def test_a_killed_server_leaves_nothing_outside_its_directory(server: Server) -> None:
    users = server.open_users()
    server.start(users)
    assert "/dev/shm/PostgreSQL" not in Path(f"/proc/{read_postmaster_pid(server.data)}/maps").read_text()
    assert server.stop(users)


def test_a_long_directory_is_served_from_a_short_place_that_goes_away(ground: Path, server: Server) -> None:
    long = ground / ("long" * 30)
    server.directory.rename(long)
    moved = Server(long, patience=40)
    with running(moved) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        assert stat.S_IMODE(moved.socket_directory.stat().st_mode) == 0o700
    assert not moved.socket_directory.exists()


def test_leaving_after_the_directory_was_removed_is_no_error(server: Server) -> None:
    users = server.open_users()
    server.start(users)
    pids = list_server_processes(server.data)
    shutil.rmtree(server.directory)
    assert server.stop(users) is False
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_postmaster_that_lives_but_serves_nobody_is_replaced(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_WEDGE_GRACE", 0.5)
    users = server.open_users()
    server.start(users)
    wedged = read_postmaster_pid(server.data)
    assert wedged is not None
    os.kill(wedged, signal.SIGSTOP)
    assert server.is_healthy() and not server.is_healthy(thoroughly=True)
    server.start(users)
    assert read_postmaster_pid(server.data) != wedged
    assert server.is_healthy(thoroughly=True)
    assert server.stop(users)
