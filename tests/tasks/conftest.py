"""A worker as its own process tree, and brokers of our own on loopback ports, ended by their process ids."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # the worker's processes find the toy installation by name; so do the tests

from toy_installation import SCHEMA  # noqa: E402


def eventually(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Return the first true answer; fails with the last one after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.05)


class Toy:
    """The database of a toy installation, seen from outside."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def count(self, what: str) -> int:
        return int(self.query(f"select count(*) from {what}")[0][0])

    def await_done(self, count: int, seconds: float = 20.0) -> None:
        eventually(lambda: self.count("toy where done") == count, seconds)
        assert self.count("leg where ended = 'finished'") == count, "each run ended once"


@pytest.fixture
def toy(database_url: str) -> Toy:
    toy = Toy(database_url)
    toy.query(SCHEMA)
    return toy


class WorkerTree:
    """``run_worker`` as a program with its children."""

    def __init__(self, toy: Toy, tmp: Path, **options: Any) -> None:
        self._mailbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = tmp / f"notify-{secrets.token_hex(4)}"
        self._mailbox.bind(str(address))
        broker = options.pop("broker", None)
        environment = {
            **os.environ,
            "TOY_DATABASE_URL": toy.url,
            "NOTIFY_SOCKET": str(address),
            "dramatiq_restart_delay": "300",
            "PYTHONPATH": f"{HERE}:{HERE.parent.parent}",
            **({"TOY_BROKER_URL": broker} if broker else {}),
        }
        call = f"run_worker('toy_installation:compose', relay={bool(broker)}, **{options!r})"
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"from engine.tasks.worker import run_worker; raise SystemExit({call})"],
            env=environment,
        )
        self._mailbox.settimeout(60)
        assert self._mailbox.recv(64) == b"READY=1"

    def children(self, duty: str = "") -> list[psutil.Process]:
        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if not duty or duty in child.cmdline():
                    found.append(child)
        return found

    def consumers(self) -> list[psutil.Process]:
        return self.children("consume")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._mailbox.close()


@pytest.fixture
def work(toy: Toy, tmp_path: Path) -> Iterator[Callable[..., WorkerTree]]:
    """Start a worker over the toy installation: ``work(processes=2, threads=4, drain=5.0, broker=None)``."""
    trees: list[WorkerTree] = []

    def start(**options: Any) -> WorkerTree:
        trees.append(WorkerTree(toy, tmp_path, **options))
        return trees[-1]

    yield start
    for tree in trees:
        tree.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A broker program on a loopback port that can be killed and started again on the same data."""

    def __init__(self, command: list[str], environment: dict[str, str], url: str, answers: Callable[[], bool]) -> None:
        self._command = command
        self._environment = environment
        self._answers = answers
        self.url = url
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        eventually(self._answers, 60)

    def kill(self) -> None:
        """SIGKILL to the program and everything it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def installed(program: str, package: str) -> str:
    path = shutil.which(
        program, path=f"/usr/lib/rabbitmq/bin:{os.environ['PATH']}:/usr/sbin"
    )  # not Debian's su wrapper
    assert path, f"{program} is not installed: apt-get install {package}"
    return path


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Server]:
    """Without persistence on purpose: a kill loses everything it had."""
    import redis

    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"

    def answers() -> bool:
        with contextlib.suppress(redis.ConnectionError), redis.Redis.from_url(url) as client:
            return bool(client.ping())
        return False

    program = installed("redis-server", "redis-server")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(tmp_path)]
    server = Server([program, *options], {}, url, answers)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def rabbitmq_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rabbitmq")


@pytest.fixture(scope="session")
def rabbitmq_session(rabbitmq_home: Path) -> Iterator[Server]:
    """A node of our own: its name, Erlang port mapper, cookie, ports, data and logs are not the system's."""
    import pika

    mapper_program = installed("epmd", "erlang-base")
    program = installed("rabbitmq-server", "rabbitmq-server")
    home, port, mapper, distribution = rabbitmq_home, free_port(), free_port(), free_port()
    cookie = home / ".erlang.cookie"
    cookie.write_text(secrets.token_hex(16))
    cookie.chmod(0o400)
    (home / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    (home / "enabled_plugins").write_text("[].\n")
    environment = {
        "HOME": str(home),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"sealflow-{port}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_BASE": str(home),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
    }
    url = f"amqp://guest:guest@127.0.0.1:{port}/%2F"

    def answers() -> bool:
        with contextlib.suppress(pika.exceptions.AMQPError, OSError):
            pika.BlockingConnection(pika.URLParameters(url)).close()
            return True
        return False

    server = Server([program], environment, url, answers)
    with subprocess.Popen([mapper_program, "-port", str(mapper), "-address", "127.0.0.1"]) as erlang_names:
        server.start()
        yield server
        server.kill()
        erlang_names.kill()


@pytest.fixture
def rabbitmq_server(rabbitmq_session: Server) -> Server:
    """The session's node with empty queues."""
    import pika

    with contextlib.closing(pika.BlockingConnection(pika.URLParameters(rabbitmq_session.url))) as connection:
        connection.channel().queue_delete("runs")
    return rabbitmq_session
