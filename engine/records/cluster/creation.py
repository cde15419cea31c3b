"""Makes a data directory that either exists whole, with its database, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from engine.errors import Unavailable
from engine.records.cluster.address import DATABASE, USER
from engine.records.cluster.binaries import Binaries
from engine.records.cluster.owner import Owner


def read_version(data: Path) -> int | None:
    """Major version that made ``data``; None when there is nothing yet.

    Raises Unavailable ``database.directory_foreign`` when something else is there.
    """
    try:
        return int((data / "PG_VERSION").read_text("ascii"))
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and (not data.exists() or not any(data.iterdir())):
            return None
        raise Unavailable(
            "database.directory_foreign",
            zh=f"{data} 中不是 PostgreSQL 数据目录，但也不是空的。请移走其中的内容或另设 SEALFLOW_HOME。",
            en=f"{data} is not a PostgreSQL data directory, yet not empty. Move what is there away, or set "
            "SEALFLOW_HOME to another place.",
            directory=str(data),
        ) from error


def create_data(data: Path, owner: Owner, binaries: Binaries) -> None:
    """Run initdb and ``create database`` beside ``data``, then one rename; the caller holds the start lock.

    Raises Unavailable ``database.initialise_failed`` with PostgreSQL's own words.
    """
    half = data.with_name(data.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    try:
        owner.take(half)
        words = [binaries.program("initdb"), "-D", str(half), "-U", USER, "--auth=trust", "--encoding=UTF8"]
        words += ["--data-checksums", "--no-instructions", *_form_locale(binaries.major)]
        outcome = owner.run(words)
        if outcome.returncode == 0:
            single = [binaries.program("postgres"), "--single", "-D", str(half), "postgres"]
            outcome = owner.run(single, input=f"create database {DATABASE}\n")
            if not _has_database(half):
                outcome.returncode = outcome.returncode or 1  # single-user mode reports errors only in words
        if outcome.returncode != 0:
            raise _explain(half, outcome.stdout)
        half.rename(data)
        _persist(data.parent)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _form_locale(major: int) -> list[str]:
    """Sorting by code point, whatever the C library of the day thinks: an index must survive an upgrade of it."""
    if major >= 17:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C"]


def _has_database(data: Path) -> bool:
    """template1, template0 (or 4 and 5 since version 15) and postgres come with initdb; ours is one more."""
    return len([entry for entry in (data / "base").iterdir() if entry.name.isdigit()]) > 3


def _explain(data: Path, words: str) -> Unavailable:
    last = " ".join(words.split())[-400:]
    return Unavailable(
        "database.initialise_failed",
        zh=f"无法在 {data.parent} 建立数据库：{last}。请检查磁盘空间和目录权限后重试。",
        en=f"The database could not be created in {data.parent}: {last} Check free space and permissions, then try "
        "again.",
        directory=str(data.parent),
    )


def _persist(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
