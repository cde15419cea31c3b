import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from engine.errors import Unavailable
from engine.records.cluster import server as server_module
from engine.records.cluster.server import Server


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 100 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=100m,mode=0700", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system is not allowed here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.usefixtures("every_binaries")
def test_a_full_disk_is_said_and_once_there_is_room_everything_acknowledged_is_there(
    small_disk: Path, binaries: Path, copy_blank: Callable[[Path, Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALFLOW_PG_BIN", str(binaries))
    copy_blank(binaries, small_disk / "pg")
    monkeypatch.setattr(server_module, "_WEDGE_GRACE", 2.0)
    server = Server(small_disk / "pg", patience=40)
    users = server.open_users()
    server.start(users)
    acknowledged = _write_until_down(server.url, small_disk)
    assert acknowledged > 0
    with pytest.raises(Unavailable, match="No space left") as refusal:
        for _ in range(100):  # the first ones may still meet the dying server
            server.start(users)
            time.sleep(0.05)
    assert refusal.value.code in ("database.start_failed", "database.directory_unusable")
    (small_disk / "ballast").unlink()
    server.start(users)
    with psycopg.connect(server.url) as connection:
        row = connection.execute("select count(*) from t").fetchone()
        assert row is not None and row[0] >= acknowledged
    assert server.stop(users)


def _write_until_down(url: str, disk: Path) -> int:
    """How many rows were acknowledged before the journal found no room; a file takes what the server left."""
    room = os.statvfs(disk)
    (disk / "ballast").write_bytes(b"\0" * (room.f_bavail * room.f_frsize - 2**20))
    count = 0
    with suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table t (x integer)")
        while count < 100:
            connection.execute("insert into t values (1)")
            count += 1
            connection.execute("select pg_switch_wal()")  # the next row needs a new file
    return count
