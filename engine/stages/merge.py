"""Stage ``merge``: several PDFs become one, normalised, in the given order; signatures inside are lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.language import Text
from engine.pdf import intake, merging
from engine.pipeline.stage import Done, Effect, Work
from engine.sandbox import Sandbox
from engine.stages.conformity import CONFORMANCE, REWRITTEN, judge_rewritten


@dataclass(frozen=True)
class Merge:
    """Merge (合并) one or more PDFs into one; ``page_limit`` counts all pages together."""

    name: ClassVar[str] = "merge"
    version: ClassVar[int] = 2
    effect: ClassVar[Effect] = Effect.REWRITES
    reads: ClassVar[frozenset[str]] = frozenset()
    purpose: ClassVar[Text] = Text(
        zh="把多个 PDF 按顺序合并为一个",
        en="merge several PDFs into one, in order",
    )

    sandbox: Sandbox
    page_limit: int = intake.PAGE_LIMIT

    async def run(self, work: Work) -> Done:
        target = work.workspace / "merged.pdf"
        merged = await self.sandbox.call(merging.merge, list(work.sources), target, self.page_limit)
        found = [fact for part in merged.inspections for fact in part.to_facts()]
        judged = await judge_rewritten(self.sandbox, target)
        facts = {"pages": merged.pages, "inspection": found, REWRITTEN: True, CONFORMANCE: judged}
        return Done(outputs=(target,), facts=facts)
