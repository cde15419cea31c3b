"""What ``sealflow status`` tells about the embedded server; looks only, starts and creates nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from engine.records.cluster.creation import read_version
from engine.records.cluster.processes import read_postmaster_pid, serves
from engine.records.cluster.server import Server


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """``size`` in bytes; ``version`` the major one, None before the first start; ``pid`` only of our living server."""

    directory: Path
    running: bool
    pid: int | None
    version: int | None
    size: int
    url: str
    log: Path


def inspect_cluster(directory: Path) -> ClusterStatus:
    """Blocking but quick. Raises Unavailable ``database.directory_foreign`` or ``database.directory_unusable``."""
    server = Server(directory)
    try:
        return _inspect(server)
    except PermissionError as error:
        raise server.unusable(error) from error


def _inspect(server: Server) -> ClusterStatus:
    pid = read_postmaster_pid(server.data)
    ours = pid is not None and serves(pid, server.data)
    return ClusterStatus(
        directory=server.directory,
        running=server.answers(),
        pid=pid if ours else None,
        version=read_version(server.data),
        size=_measure(server.directory),
        url=server.url,
        log=server.log,
    )


def _measure(directory: Path) -> int:
    total = 0
    for folder, _, files in os.walk(directory):
        for name in files:
            try:
                total += os.lstat(f"{folder}/{name}").st_size
            except FileNotFoundError:  # a running server removes files while we look
                continue
    return total
