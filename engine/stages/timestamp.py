"""Stage ``timestamp``: proves that a file existed at a time; it says nothing about who wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from engine.language import Text
from engine.pipeline.stage import Done, Effect, Work
from engine.sandbox import Sandbox
from engine.trust.archiving import stamp_document
from engine.trust.signing import Surroundings
from engine.trust.timestamps import TimestampClient


@dataclass(frozen=True)
class Timestamp:
    """Append a document timestamp (文档时间戳) over the whole file; raises Unavailable while no authority answers."""

    sandbox: Sandbox
    timestamps: TimestampClient
    digest: Literal["sha256", "sm3"] = "sha256"

    name: ClassVar[str] = "timestamp"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.SIGNS  # a rewrite after it would destroy it
    reads: ClassVar[frozenset[str]] = frozenset()
    purpose: ClassVar[Text] = Text(
        zh="为整个文件加盖文档时间戳",
        en="put a document timestamp over the whole file",
    )

    async def run(self, work: Work) -> Done:
        source = work.source
        around = Surroundings(self.sandbox, work.storage, work.ledger.once, work.subject, work.workspace)
        stamped = await stamp_document(
            source, work.workspace / "stamped.pdf", self.timestamps, around, digest_algorithm=self.digest
        )
        return Done(outputs=(stamped,))
