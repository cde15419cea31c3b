"""A worker as its own process tree, and brokers of our own on loopback ports, ended by their process ids."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # the worker's processes find the toy installation by name; so do the tests

from toy_installation import SCHEMA  # noqa: E402

from tests.brokers import Server, eventually, free_port, installed, rabbitmq  # noqa: E402


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
    with rabbitmq(rabbitmq_home) as server:
        yield server


@pytest.fixture
def rabbitmq_server(rabbitmq_session: Server) -> Server:
    """The session's node with empty queues."""
    import pika

    with contextlib.closing(pika.BlockingConnection(pika.URLParameters(rabbitmq_session.url))) as connection:
        connection.channel().queue_delete("runs")
    return rabbitmq_session
