"""Keeps revocation answers (吊销信息缓存) in a folder, for use without the network; readers must check their signature.

Bounded in size: the least recently used go first. A folder that cannot be written keeps nothing and harms nobody.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

_SUFFIX = ".der"
LARGEST = 64 * 1024 * 1024
"""Bytes of all answers together; one list of a large authority is a few million."""


class RevocationStore:
    """OCSP answers and revocation lists by a name; safe for several processes.

    ``largest``: bytes of all answers together.
    """

    def __init__(self, folder: Path, largest: int = LARGEST) -> None:
        self._folder = folder
        self._largest = largest

    def load(self, name: str) -> bytes | None:
        """The answer kept under a name, None without one."""
        file = self._file(name)
        try:
            content = file.read_bytes()
            os.utime(file)
        except OSError:
            return None
        return content

    def save(self, name: str, answer: bytes) -> None:
        """Keep an answer durably; one that is there already is replaced at once."""
        if len(answer) > self._largest:
            return
        with contextlib.suppress(OSError):  # a cache on a full or read-only disk is no reason to fail
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", delete=False) as beside:
                try:
                    beside.write(answer)
                    beside.flush()
                    os.fsync(beside.fileno())
                    Path(beside.name).replace(self._file(name))
                except OSError:
                    Path(beside.name).unlink()
                    raise
            self._shrink()

    def drop(self, name: str) -> None:
        """Forget an answer that proved to be damaged."""
        with contextlib.suppress(OSError):
            self._file(name).unlink()

    def _file(self, name: str) -> Path:
        return self._folder / (hashlib.sha256(name.encode()).hexdigest() + _SUFFIX)

    def _shrink(self) -> None:
        kept = [(file, file.stat()) for file in self._folder.glob(f"*{_SUFFIX}")]
        excess = sum(status.st_size for _, status in kept) - self._largest
        for file, status in sorted(kept, key=lambda entry: entry[1].st_mtime):
            if excess <= 0:
                break
            file.unlink(missing_ok=True)
            excess -= status.st_size
