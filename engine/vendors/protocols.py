"""Protocols per vendor capability (at most four methods each) and the values that cross them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable


@runtime_checkable
class Storage(Protocol):
    """Content store (内容存储): bytes by their sha256, written once, never changed.

    A digest is 64 lower-case hex digits.
    """

    async def put(self, source: Path) -> str:
        """Store a copy durably if absent and return its digest; safe to repeat, also at the same moment elsewhere."""
        ...

    async def get(self, digest: str, workspace: Path) -> Path:
        """Give a readable local file whose digest was checked just now; it may lie in ``workspace``, never change it.

        Raises Rejected ``storage.missing``, Defect ``storage.corrupt``, Unavailable ``storage.unavailable``.
        """
        ...

    def digests(self, stored_before: datetime) -> AsyncIterator[str]:
        """Digests stored before an instant, for the orphan collector."""
        ...

    async def delete(self, digest: str) -> None:
        """Remove one content; absent content is no error."""
        ...
