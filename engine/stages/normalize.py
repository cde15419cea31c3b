"""Stage ``normalize``: any PDF becomes upright A4 pages without anything that acts; signatures inside are lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.language import Text
from engine.pdf import intake, normalization
from engine.pipeline.stage import Done, Effect, Work
from engine.sandbox import Sandbox
from engine.stages.conformity import CONFORMANCE, REWRITTEN, judge_rewritten


@dataclass(frozen=True)
class Normalize:
    """Normalise (规范化) one PDF to A4.

    ``page_limit``: more pages are refused. The file that came in stays untouched beside the run. Facts: ``pages``,
    ``inspection`` (what was found and undone), ``signatures_dropped`` (their pictures stay), ``annotations_dropped``,
    ``conformance`` (PDF/A-2b, or why not).
    """

    name: ClassVar[str] = "normalize"
    version: ClassVar[int] = 2
    effect: ClassVar[Effect] = Effect.REWRITES
    reads: ClassVar[frozenset[str]] = frozenset()
    purpose: ClassVar[Text] = Text(
        zh="把任意 PDF 规范为正放的 A4，去除一切会动作的内容",
        en="turn any PDF into upright A4 without anything that acts",
    )

    sandbox: Sandbox
    page_limit: int = intake.PAGE_LIMIT

    async def run(self, work: Work) -> Done:
        source = work.source
        target = work.workspace / "normalized.pdf"
        result = await self.sandbox.call(normalization.normalize, source, target, self.page_limit)
        facts = {
            "pages": result.pages,
            "inspection": result.inspection.to_facts(),
            "signatures_dropped": result.signatures_dropped,
            "annotations_dropped": result.annotations_dropped,
            REWRITTEN: True,
            CONFORMANCE: await judge_rewritten(self.sandbox, target),
        }
        return Done(outputs=(target,), facts=facts)
