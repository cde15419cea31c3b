"""PostgreSQL killed under a working installation costs time, not work and not processes."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from conftest import Toy, WorkerTree, eventually
from toy_installation import start_runs

from engine.records.database import migrate

sys.path.insert(0, str(Path(__file__).parent.parent))
from throwaway_postgres import choose_identity, find_binaries


class Postgres:
    """A server on its own socket that can be killed and started again on its data."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._data = directory / "data"
        self._prefix, self._identity = choose_identity(directory)
        self.url = f"postgresql:///postgres?host={directory}&user=sealflow"
        self._run("initdb", "-U", "sealflow", "--auth=trust", "--encoding=UTF8", "--no-sync").wait(60)

    def start(self) -> None:
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self._process = self._run("postgres", "-h", "", "-k", str(self._directory), "-F")
        eventually(self._answers, 30)

    def kill(self) -> None:
        family = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(family, 10)

    def _run(self, program: str, *options: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._prefix, find_binaries() / program, "-D", self._data, *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd="/", env={**os.environ, "LC_ALL": "C.UTF-8"}, **self._identity,
        )  # fmt: skip

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.url, connect_timeout=5).close()
            return True
        return False


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    directory = Path(tempfile.mkdtemp(prefix="sealflow-outage-", dir="/tmp"))  # a socket's path must be short
    server = Postgres(directory)
    server.start()
    yield server
    server.kill()
    shutil.rmtree(directory)


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    asyncio.run(migrate(postgres.url))
    return postgres.url


async def test_work_goes_on_by_itself_in_the_same_processes_after_the_database_was_killed(
    toy: Toy, postgres: Postgres, work: Callable[..., WorkerTree]
) -> None:
    tree = work(processes=2, threads=4)
    before = tree.children()
    await start_runs(toy.url, 60, work=0.1)
    eventually(lambda: toy.count("leg") > 5)
    postgres.kill()
    await asyncio.sleep(0.5)
    postgres.start()
    await start_runs(toy.url, 20, work=0.05)
    toy.await_done(80, 30)
    assert all(process.is_running() for process in before), "nobody had to be started again"
    assert tree.stop() == 0


async def test_a_worker_told_to_stop_while_the_database_is_away_stops(
    toy: Toy, postgres: Postgres, work: Callable[..., WorkerTree]
) -> None:
    tree = work(processes=1, threads=2, drain=2)
    await start_runs(toy.url, 2, work=0.1)
    toy.await_done(2)
    postgres.kill()
    assert tree.stop() == 0
    postgres.start()
