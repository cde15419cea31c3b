"""Brokers of our own on loopback ports, ended by their process ids; for tests and for the fault harness."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika


def eventually(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Return the first true answer; fails with the last one after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.05)


def free_port() -> int:
    """A port below those the kernel gives to clients.

    A client that calls a dead server on one of the kernel's own ports may be given that very port, then talks to
    itself and keeps the server from coming back.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


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

    def kill_and_restart(self) -> None:
        self.kill()
        self.start()


def installed(program: str, package: str) -> str:
    path = shutil.which(
        program, path=f"/usr/lib/rabbitmq/bin:{os.environ['PATH']}:/usr/sbin"
    )  # not Debian's su wrapper
    assert path, f"{program} is not installed: apt-get install {package}"
    return path


@contextmanager
def rabbitmq(home: Path) -> Iterator[Server]:
    """A node of our own: its name, Erlang port mapper, cookie, ports, data and logs are not the system's."""
    mapper_program = installed("epmd", "erlang-base")
    program = installed("rabbitmq-server", "rabbitmq-server")
    home.mkdir(parents=True, exist_ok=True)
    port, mapper, distribution = free_port(), free_port(), free_port()
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
