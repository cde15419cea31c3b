"""A toy stage with an option that names a vendor."""

from dataclasses import dataclass
from typing import ClassVar

from engine.pipeline.stage import Done, Effect, Work
from engine.vendors.protocols import Storage


@dataclass(frozen=True)
class Store:
    to: Storage

    name: ClassVar[str] = "store"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.APPENDS
    reads: ClassVar[frozenset[str]] = frozenset()

    async def run(self, work: Work) -> Done:
        return Done()
