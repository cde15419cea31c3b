"""Tells our server's processes from strangers that merely have a number we once wrote down.

Complete on Linux (/proc, pidfd). Elsewhere only the postmaster is recognised, by the directory in its command line.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_HAS_PROC = Path("/proc/self/stat").exists()


def read_postmaster_pid(data: Path) -> int | None:
    """The number in ``postmaster.pid``, if it is one a process can have; it proves nothing by itself."""
    try:
        pid = int((data / "postmaster.pid").read_text("utf-8", "replace").split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if 1 < pid < 2**31 else None


def serves(pid: int, data: Path) -> bool:
    """Whether ``pid`` is a living PostgreSQL process that works in ``data``; a zombie is not."""
    if not _HAS_PROC:
        answer = subprocess.run(["ps", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True)
        words = answer.stdout.strip()
        return bool(words) and not words.startswith("Z") and "postgres" in words and str(data) in words
    try:
        program = (_PROC / str(pid) / "exe").readlink().name  # a zombie has none
        return program.removesuffix(" (deleted)") == "postgres" and (_PROC / str(pid) / "cwd").samefile(data)
    except (OSError, ValueError):
        return False


def list_server_processes(data: Path) -> list[int]:
    """Postmaster and backends that work in ``data``, also those whose postmaster is dead."""
    if not _HAS_PROC:
        pid = read_postmaster_pid(data)
        return [pid] if pid is not None and serves(pid, data) else []
    pids = (int(entry) for entry in os.listdir(_PROC) if entry.isdigit())  # noqa: PTH208 - Path.iterdir is slower here
    return [pid for pid in pids if serves(pid, data)]


def is_recovering(data: Path) -> bool:
    """Whether the server of ``data`` has a startup process, the one that replays the journal after a crash.

    Where processes cannot be looked into, every living server is believed to.
    """
    if not _HAS_PROC:
        return bool(list_server_processes(data))
    for pid in list_server_processes(data):
        with suppress(OSError):
            if b"startup" in (_PROC / str(pid) / "cmdline").read_bytes()[:60]:  # "postgres: sealflow: startup …"
                return True
    return False


def send(pid: int, data: Path, what: signal.Signals) -> bool:
    """Signal ``pid`` if it serves ``data``; the process is pinned first, so a reused number is never hit."""
    if not hasattr(os, "pidfd_open"):
        if not serves(pid, data):
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, what)
        return True
    try:
        pinned = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not serves(pid, data):
            return False
        signal.pidfd_send_signal(pinned, what)
    except ProcessLookupError:
        return False
    finally:
        os.close(pinned)
    return True
