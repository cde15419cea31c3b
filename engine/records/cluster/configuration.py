"""Settings of the embedded server: durable always; sized for one machine that does other work too.

They travel on the command line at every start, so an old data directory follows a new release. ``commit_delay`` stays
off: with 1, 8 and 24 clients committing single rows it never gained and at 2 ms cost two thirds.
"""

from __future__ import annotations

import os
from pathlib import Path

from engine.records.cluster.address import PORT

_ALWAYS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "restart_after_crash": "on",
    "max_connections": "200",
    "max_wal_size": "512MB",
    "min_wal_size": "48MB",
    "jit": "off",  # short statements: compiling them costs more than they do
    "max_parallel_workers_per_gather": "0",  # likewise: helpers would only take cores from others
    "dynamic_shared_memory_type": "mmap",  # in the data directory: a killed server leaves nothing in /dev/shm
    "huge_pages": "off",
    "logging_collector": "off",
    "log_min_messages": "log",  # what a statement did wrong, its sender is told; here only what the server itself meets
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": "sealflow",
}


def form_options(socket_directory: Path) -> list[str]:
    """Command-line words for ``postgres``."""
    settings = {
        **_ALWAYS,
        "port": str(PORT),
        "unix_socket_directories": '"'
        + str(socket_directory).replace('"', '""')
        + '"',  # the value is a list split at commas
        "shared_buffers": f"{choose_shared_buffers()}MB",
    }
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def choose_shared_buffers() -> int:
    """Megabytes: a sixteenth of the memory, between 32 and 256."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return max(32, min(256, memory // 16))
