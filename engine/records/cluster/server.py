"""Starts and stops the one server of a directory; blocking, so coroutines call it through a thread.

Who is alive is never read from ``postmaster.pid``, which outlives its process, but from a lock file the postmaster and
all its backends inherit: the kernel frees it with the last of them, whatever killed them; neither zombies, nor reused
numbers, nor another container's numbers can deceive it.
"""

from __future__ import annotations

import re
import signal
import time
from contextlib import suppress
from pathlib import Path

from psycopg import pq

from engine.errors import Unavailable
from engine.records.cluster.address import form_url, locate_socket_directory, prepare_socket_directory
from engine.records.cluster.binaries import find_binaries
from engine.records.cluster.configuration import form_options
from engine.records.cluster.creation import create_data, read_version
from engine.records.cluster.locks import Lock, hold
from engine.records.cluster.owner import choose_owner
from engine.records.cluster.processes import is_recovering, list_server_processes, read_postmaster_pid, send, serves

_LOG_LIMIT = 4 * 2**20
_ORPHAN_GRACE = 5.0
_WEDGE_GRACE = 30.0
_DETACHED = ("sh", "-c", '"$@" </dev/null >>"$0" 2>&1 &')  # child of nobody here, so that it can never be our zombie


class Server:
    """The files and the life of one server. ``patience``: seconds granted to crash recovery and to other starters."""

    def __init__(self, directory: Path, patience: float = 300.0) -> None:
        self.directory = directory.absolute()
        self.patience = patience
        self.data = self.directory / "data"
        self.log = self.directory / "log" / "postgresql.log"
        self.socket_directory = locate_socket_directory(self.directory)
        self.url = form_url(self.socket_directory)

    def open_users(self) -> Lock:
        """The lock every user holds shared. Raises Unavailable ``database.directory_unusable``."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Lock(self.directory / "users.lock")
        except OSError as error:
            raise self.unusable(error) from error

    def start(self, users: Lock) -> None:
        """Become a user and see that the server answers. Safe to call again, and from many processes at once."""
        try:
            with hold(self.directory / "start.lock", self.patience):
                if not users.take(shared=True):  # only the last user out excludes others, and only under start.lock
                    raise self._slow()
                self._raise_server()
        except OSError as error:
            raise self.unusable(error) from error

    def stop(self, users: Lock) -> bool:
        """Leave; True: we were the last user and the server is down."""
        if not self.directory.exists():  # removed under us; PostgreSQL notices that within a minute and ends itself
            users.release()
            return False
        with hold(self.directory / "start.lock", self.patience):
            last = users.take()
            try:
                return last and self._take_down()
            finally:
                users.release()

    def unusable(self, error: OSError) -> Unavailable:
        """What the operating system refused, in our words."""
        return Unavailable(
            "database.directory_unusable",
            zh=f"不能使用数据库目录 {self.directory}：{error}。请检查权限和磁盘空间，或另设 SEALFLOW_HOME。",
            en=f"The database directory {self.directory} cannot be used: {error}. Check permissions and free space, or "
            "set SEALFLOW_HOME to another place.",
            directory=str(self.directory),
        )

    def is_alive(self) -> bool:
        """Whether any process of the server lives, be it only an orphaned backend."""
        try:
            lock = Lock(self.directory / "server.lock")
        except FileNotFoundError:
            return False
        try:
            return not lock.take(shared=True)
        finally:
            lock.release()

    def is_healthy(self, *, thoroughly: bool = False) -> bool:
        """Whether nothing needs to be done about it; a server in recovery is healthy, orphaned backends are not.

        ``thoroughly`` costs the server a process, and also notices a postmaster that lives but serves nobody.
        """
        if not self.is_alive():
            return False
        if self._has_postmaster() and (not thoroughly or is_recovering(self.data)):
            return True
        return self.answers()

    def answers(self) -> bool:
        return pq.PGconn.ping(f"{self.url}&connect_timeout=5".encode()) == pq.Ping.OK

    def bound_log(self) -> None:
        """Keep the log below two times 4 MiB; safe while the server writes, because it appends."""
        try:
            if self.log.stat().st_size > _LOG_LIMIT:
                self.log.with_suffix(".log.1").write_bytes(self.log.read_bytes()[-_LOG_LIMIT:])
                with self.log.open("r+b") as file:
                    file.truncate(0)
        except OSError:
            return  # a full disk must not keep the server from starting

    def _raise_server(self) -> None:
        deadline = time.monotonic() + self.patience
        since = time.monotonic()
        while True:
            lock = Lock(self.directory / "server.lock")
            try:
                if lock.take():
                    self._launch(lock)
                    return
            finally:
                lock.close()  # not released: a launched server keeps it
            if self.answers():
                return
            since = self._end_if_stuck(since)
            if time.monotonic() > deadline:
                raise self._slow()
            time.sleep(0.05)

    def _launch(self, lock: Lock) -> None:
        """Nothing of ours lives: we hold the server's lock alone."""
        version = read_version(self.data)
        binaries = find_binaries(version)
        owner = choose_owner(self.directory, self.data, binaries)
        if version is None:
            create_data(self.data, owner, binaries)
        self._clear_remains()
        if owner.uid not in (-1, self.data.stat().st_uid):
            owner.take(self.data)  # user namespaces were allowed when it was made, and are not now
        self.log.parent.mkdir(mode=0o700, exist_ok=True)
        prepare_socket_directory(self.socket_directory, owner.uid)
        for place in (self.log.parent, self.socket_directory):
            owner.take(place)
        self.bound_log()
        written = self.log.stat().st_size if self.log.exists() else 0
        command = [binaries.program("postgres"), "-D", str(self.data), *form_options(self.socket_directory)]
        owner.run([*_DETACHED, str(self.log), *command], pass_fds=[lock.descriptor], start_new_session=True)
        lock.close()
        self._await_answer(written)

    def _await_answer(self, written: int) -> None:
        since = time.monotonic()
        deadline = since + self.patience
        while not self.answers():
            if not self.is_alive():
                raise self._failed(written)
            since = self._end_if_stuck(since)
            if time.monotonic() > deadline:
                raise self._slow()
            time.sleep(0.01)

    def _end_if_stuck(self, since: float) -> float:
        """Kill what will never answer: backends without a postmaster, or a postmaster that neither serves nor recovers.

        The latter happens: version 18 can stay so for ever when recovery after a crash fails for want of disk space.
        ``since`` is when it was last seen to get anywhere; the answer is the new ``since``.
        """
        if time.monotonic() - since < (_WEDGE_GRACE if self._has_postmaster() else _ORPHAN_GRACE):
            return since
        if not is_recovering(self.data):
            self._signal_all(signal.SIGKILL)
        return time.monotonic()

    def _has_postmaster(self) -> bool:
        pid = read_postmaster_pid(self.data)
        return pid is not None and serves(pid, self.data)

    def _clear_remains(self) -> None:
        """Remove the dead server's pid files: the number may be a stranger's now, and PostgreSQL would believe it."""
        pid = read_postmaster_pid(self.data)
        if pid is not None and serves(pid, self.data):
            raise Unavailable(
                "database.foreign_server",
                zh=f"进程 {pid} 是未经 sealflow 启动的 PostgreSQL，正在使用 {self.data}。请先停止它。",
                en=f"Process {pid} is a PostgreSQL that sealflow did not start, and it works in {self.data}. "
                "Stop it first.",
                pid=pid,
                directory=str(self.data),
            )
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
            (self.socket_directory / name).unlink(missing_ok=True)

    def _take_down(self) -> bool:
        """Fast shutdown, then ever ruder; only processes proven to be ours are signalled."""
        for what, seconds in ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
            pid = read_postmaster_pid(self.data)
            if what is signal.SIGKILL or pid is None or not send(pid, self.data, what):
                self._signal_all(what)
            deadline = time.monotonic() + seconds
            while self.is_alive():
                if time.monotonic() > deadline:
                    break
                time.sleep(0.01)
            else:
                if self.socket_directory.parent != self.directory:
                    with suppress(OSError):
                        self.socket_directory.rmdir()
                return True
        return False

    def _signal_all(self, what: signal.Signals) -> None:
        for pid in list_server_processes(self.data):
            send(pid, self.data, what)

    def _failed(self, written: int) -> Unavailable:
        with self.log.open("rb") as file:
            file.seek(written)
            lines = file.read().decode("utf-8", "replace").splitlines()
        grave = [line for line in lines if re.search(r"PANIC: |FATAL: (?!.*the database system is)|HINT: ", line)]
        last = " ".join(" ".join((grave or lines)[-4:]).split())[-600:]
        return Unavailable(
            "database.start_failed",
            zh=f"数据库（{self.data}）未能启动：{last}。日志在 {self.log}；请排除原因（例如磁盘已满）后重试。",
            en=f"The database in {self.data} did not start: {last} The log is {self.log}; remove the cause (a full "
            "disk, for example) and try again.",
            directory=str(self.data),
            log=str(self.log),
        )

    def _slow(self) -> Unavailable:
        return Unavailable(
            "database.start_slow",
            zh=f"数据库（{self.data}）在 {self.patience:.0f} 秒内未就绪，可能仍在崩溃恢复。"
            f"请查看 {self.log}，稍后重试。",
            en=f"The database in {self.data} was not ready within {self.patience:.0f} s; it may still be recovering. "
            f"Look into {self.log} and try again later.",
            directory=str(self.data),
            log=str(self.log),
        )
