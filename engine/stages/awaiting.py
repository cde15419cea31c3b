"""Stage ``await``: the run waits for an event from outside, days if need be, and occupies nobody meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.language import Text
from engine.pipeline.stage import Done, Effect, Paused, Work

EVENTS = frozenset({"confirmed", "signed", "reviewed", "approved"})
"""Events a pipeline may wait for: their payloads are facts, and facts a stage reads are declared with its class."""


@dataclass(frozen=True)
class Await:
    """Wait for ``event`` (等待事件), whatever its qualifier; the file passes unchanged.

    Events: confirmed, signed, reviewed, approved.
    """

    event: str

    name: ClassVar[str] = "await"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.APPENDS
    reads: ClassVar[frozenset[str]] = frozenset(
        name for event in EVENTS for name in (f"event:{event}", f"event:{event}:*")
    )
    purpose: ClassVar[Text] = Text(
        zh="等待外部事件，期间不占用处理进程",
        en="wait for an event from outside; no worker is occupied meanwhile",
    )

    def __post_init__(self) -> None:
        if self.event not in EVENTS:
            raise ValueError(f"event must be one of {', '.join(sorted(EVENTS))}, not {self.event}")

    async def run(self, work: Work) -> Done | Paused:
        name = f"event:{self.event}"
        came = any(fact == name or fact.startswith(f"{name}:") for fact in work.facts)
        return Done() if came else Paused(self.event)
