"""Decides under which user the server runs; PostgreSQL refuses root and users without a name.

Nothing on the machine is changed for it: no account is added and no parent directory is opened. Root either enters a
user namespace in which it has another number, or gives its number away and keeps the right to pass closed directories
(CAP_DAC_OVERRIDE), or, where neither is allowed, gives its number away and needs a directory that user may reach.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import Unavailable
from engine.records.cluster.binaries import Binaries

_NAMES = ("postgres", "nobody", "daemon")
_PROBE = 'cd "$1" && "$2" --show --pgdata "$1/data" >/dev/null 2>&1 && [ "$(id -u)" != 0 ] && id -un'
"""``initdb --show`` changes nothing, yet looks for its fellow programs as every later start will."""


@dataclass(frozen=True, slots=True)
class Owner:
    """How to start a program as the server's user, and whose files it must find."""

    prefix: tuple[str, ...] = ()
    uid: int = -1
    """Owner of the files as seen from here; -1: whoever we are."""
    gid: int = -1
    switch: bool = False
    """True: give our own number away between fork and exec, without help of another program."""

    def run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run to the end with captured words; the environment holds nothing that would reconfigure PostgreSQL."""
        if self.switch:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return subprocess.run(
            [*self.prefix, *command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            cwd="/", env=_clean_environment(), umask=0o077, **options,
        )  # fmt: skip

    def take(self, path: Path) -> None:
        """Hand a file or a whole tree to this user."""
        if self.uid == -1:
            return
        os.chown(path, self.uid, self.gid, follow_symlinks=False)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(Path(folder, name), self.uid, self.gid, follow_symlinks=False)


def choose_owner(directory: Path, data: Path, binaries: Binaries) -> Owner:
    """The first way that works here; an existing data directory keeps its owner where that is possible.

    Raises Unavailable ``database.owner_missing``.
    """
    holder = data.stat().st_uid if data.exists() else None
    for owner in list_owners(holder):
        if _works(owner, directory, binaries):
            return owner
    raise Unavailable(
        "database.owner_missing",
        zh=f"PostgreSQL 不能以 root 或无名用户运行，且此处没有可用的其他用户能访问 {directory}。请以普通用户运行，"
        "或把 SEALFLOW_HOME 设为 /var/lib/sealflow 之类的目录，或用 DATABASE_URL 指定服务器。",
        en=f"PostgreSQL runs neither as root nor as a user without a name, and no other user can reach {directory}. "
        "Run as an ordinary user, set SEALFLOW_HOME to a directory such as /var/lib/sealflow, or name a server with "
        "DATABASE_URL.",
        directory=str(directory),
    )


def list_owners(holder: int | None = None) -> Iterator[Owner]:
    """Every way to be somebody PostgreSQL accepts, best first; ``holder`` is the number that owns the data now."""
    accounts = [account for name in _NAMES if (account := _look_up(name)) is not None]
    namespaces = [
        Owner(("unshare", "--user", f"--map-user={account.pw_uid}", f"--map-group={account.pw_gid}"))
        for account in accounts[:1]
    ]
    if os.geteuid() != 0:
        yield Owner()
        yield from namespaces  # for a number without a name, as containers like to have
        return
    if holder:  # the data belongs to another user: stay with it
        accounts.sort(key=lambda account: account.pw_uid != holder)
    else:
        yield from namespaces
    for account in accounts:
        numbers = ("--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--clear-groups")
        # access(2), by which PostgreSQL looks for its programs, forgets capabilities unless this bit is set.
        rights = ("--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override")
        yield Owner(("setpriv", *numbers, *rights), account.pw_uid, account.pw_gid)
        yield Owner((), account.pw_uid, account.pw_gid, switch=True)


def _works(owner: Owner, directory: Path, binaries: Binaries) -> bool:
    try:
        probe = owner.run(["sh", "-c", _PROBE, "sh", str(directory), binaries.program("initdb")], timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0


def _look_up(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
