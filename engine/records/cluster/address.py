"""Where the server listens: a Unix socket only its owner can reach, never TCP."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from urllib.parse import quote

from engine.errors import Unavailable

PORT = 5432
USER = DATABASE = "sealflow"
_LONGEST = 103  # macOS allows 104 bytes with the final zero, Linux 108
_SHORT = Path("/tmp")  # noqa: S108 - checked for owner and mode; must not follow TMPDIR, which differs between processes


def locate_socket_directory(directory: Path) -> Path:
    """``directory/socket``, or a short one under /tmp when that does not fit into ``sun_path`` or has a comma.

    libpq takes a comma for the border between two hosts.
    """
    natural = directory / "socket"
    if len(os.fsencode(natural)) + len(f"/.s.PGSQL.{PORT}") <= _LONGEST and "," not in str(natural):
        return natural
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return _SHORT / f"sealflow-{os.geteuid()}-{digest}"


def prepare_socket_directory(place: Path, owner: int) -> None:
    """Create ``place`` with mode 0700; ``owner`` is the user number allowed besides our own.

    Raises Unavailable ``database.socket_directory_unsafe`` when somebody else put something there.
    """
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), owner):
        raise Unavailable(
            "database.socket_directory_unsafe",
            zh=f"{place} 不是目录或属于其他用户，不能放置数据库套接字。请删除它后重试。",
            en=f"{place} is not a directory or belongs to another user, so the database socket cannot live there. "
            "Remove it and try again.",
            place=str(place),
        )
    place.chmod(0o700)


def form_url(place: Path, database: str = DATABASE) -> str:
    """A libpq URL that leaves nothing to PG* variables."""
    return f"postgresql://{USER}@/{database}?host={quote(str(place), safe='')}&port={PORT}"
