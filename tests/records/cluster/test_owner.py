import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.errors import Unavailable
from engine.records.cluster.owner import list_owners
from engine.records.cluster.server import Server
from tests.records.cluster.conftest import BINARIES

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

in_namespaces = pytest.mark.skipif(
    subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode != 0,
    reason="user namespaces are barred on this machine",
)


def copy_programs(binaries: Path, place: Path) -> Path:
    """Put a wheel's PostgreSQL into ``place``; a system's cannot be moved and is reachable anyway."""
    if binaries != BINARIES.get("wheel18"):
        return binaries
    package = binaries.parent.parent
    shutil.copytree(binaries.parent, place / package.name / binaries.parent.name, symlinks=True)
    shutil.copytree(package.with_name(package.name + ".libs"), place / f"{package.name}.libs")
    return place / package.name / binaries.parent.name / binaries.name


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory any user of the machine may pass through."""
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes programs fail as a container's system call filter does."""

    def forbid(*names: str) -> None:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        for name in names:
            (folder / name).write_text("#!/bin/sh\necho 'Operation not permitted' >&2; exit 1\n")
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return forbid


@contextmanager
def started(server: Server) -> Iterator[psycopg.Connection[Any]]:
    users = server.open_users()
    server.start(users)
    with psycopg.connect(server.url, autocommit=True) as connection:
        yield connection
    assert server.stop(users)


def _holder(server: Server) -> str:
    return pwd.getpwuid(server.data.stat().st_uid).pw_name


@as_root
@in_namespaces
def test_root_keeps_its_files_and_its_closed_directories(fresh: Server) -> None:
    parent = fresh.directory.parent
    parent.chmod(0o700)
    accounts = Path("/etc/passwd").read_text()
    with started(fresh) as connection:
        connection.execute("create table t as select 1")
    assert _holder(fresh) == "root"
    assert stat.S_IMODE(parent.stat().st_mode) == 0o700
    assert Path("/etc/passwd").read_text() == accounts


@as_root
def test_where_namespaces_are_barred_another_user_serves_even_inside_a_closed_directory(
    fresh: Server, bar: Callable[..., None]
) -> None:
    bar("unshare")
    fresh.directory.parent.chmod(0o700)
    with started(fresh) as connection:
        connection.execute("create table t as select 1")
    assert _holder(fresh) in ("postgres", "nobody")
    assert stat.S_IMODE(fresh.directory.parent.stat().st_mode) == 0o700


@as_root
@pytest.mark.skipif("wheel18" not in BINARIES, reason="only a wheel's PostgreSQL can be moved")
def test_where_namespaces_are_barred_programs_inside_a_closed_directory_serve_too(
    fresh: Server, tmp_path: Path, bar: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    monkeypatch.setenv("SEALFLOW_PG_BIN", str(copy_programs(BINARIES["wheel18"], closed)))
    closed.chmod(0o700)
    bar("unshare")
    with started(fresh):
        assert _holder(fresh) in ("postgres", "nobody")


@as_root
@in_namespaces
@pytest.mark.usefixtures("every_binaries")
def test_data_made_in_a_namespace_is_taken_along_when_namespaces_are_barred_and_stays_usable_after(
    server: Server, bar: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(server) as connection:
        connection.execute("create table t as select 1 as x")
    assert _holder(server) == "root"
    bar("unshare")
    with started(server) as connection:
        connection.execute("insert into t values (2)")
    assert _holder(server) != "root"
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with started(server) as connection:
        assert connection.execute("select sum(x) from t").fetchone() == (3,)


@as_root
def test_where_rights_cannot_be_kept_either_a_reachable_directory_will_do(
    reachable: Path, any_binaries: Path, bar: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALFLOW_PG_BIN", str(copy_programs(any_binaries, reachable)))
    bar("unshare", "setpriv")
    server = Server(reachable / "pg", patience=40)
    server.directory.mkdir()
    server.directory.chmod(0o755)
    with started(server):
        assert _holder(server) in ("postgres", "nobody")


@as_root
def test_a_directory_nobody_else_can_reach_is_refused_with_a_way_out(fresh: Server, bar: Callable[..., None]) -> None:
    bar("unshare", "setpriv")
    fresh.directory.parent.chmod(0o700)
    users = fresh.open_users()
    with pytest.raises(Unavailable, match="/var/lib/sealflow") as refusal:
        fresh.start(users)
    users.release()
    assert refusal.value.code == "database.owner_missing"


@as_root
@pytest.mark.usefixtures("every_binaries")
def test_an_ordinary_user_needs_nothing_special(
    reachable: Path, binaries: Path, join: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALFLOW_PG_BIN", str(copy_programs(binaries, reachable)))
    monkeypatch.setenv("HOME", "/nonexistent")
    reachable.chmod(0o777)
    server = Server(reachable / "pg")
    user = join(server.directory, "nobody")
    assert user.hear() == "up"
    assert _holder(server) == "nobody"
    assert user.leave() == "down"
    assert not server.is_alive()


@as_root
def test_an_ordinary_user_is_told_when_the_directory_is_somebody_elses(
    server: Server, join: Callable[..., Any]
) -> None:
    user = join(server.directory, "nobody")
    assert user.hear().startswith("database.directory_unusable: ")


def test_every_way_avoids_root() -> None:
    for owner in list_owners():
        assert owner.uid != 0
        assert "--map-user=0" not in owner.prefix
