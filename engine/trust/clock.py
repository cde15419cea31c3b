"""The one clock (时钟) that trust is judged by; a simulation puts another in its place, nothing else may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present, with its offset."""


def system_clock() -> datetime:
    """This machine's clock, in UTC: good for asking what has ended, never as proof of a time."""
    return datetime.now(UTC)
