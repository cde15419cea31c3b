"""What trust asks of a ledger (效果台账): irrevocable acts with one published result; the records keep the ledgers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

Act = Callable[[bytes], Awaitable[bytes]]
"""What is done with the recorded intent; gives the result."""
Recall = Callable[[bytes], Awaitable[bytes | None]]
"""Asks what became of an act on the recorded intent; None: nobody can say."""


class Once(Protocol):
    """Runs an irrevocable act with one published result: the first intent and the first result win."""

    async def __call__(
        self, key: str, kind: str, intent: bytes, act: Act, *, repeatable: bool, recall: Recall | None = None
    ) -> tuple[bytes, bytes]:
        """Return the recorded intent and result; ``act`` gets the recorded intent."""
        ...
