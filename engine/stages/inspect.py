"""Stage ``inspect``: says what in a PDF acts, hides or reaches outside; it changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.errors import Rejected
from engine.language import Text
from engine.pdf import inspection, intake
from engine.pipeline.stage import Done, Effect, Work
from engine.sandbox import Sandbox


@dataclass(frozen=True)
class Inspect:
    """Inspect (体检) one PDF and record the fact ``inspection``.

    ``strict``: any finding refuses the document (``document.not_clean``), which is the gate before the first signature
    of a document that was not normalised; else only what no rewriting can undo does.
    """

    name: ClassVar[str] = "inspect"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.APPENDS
    reads: ClassVar[frozenset[str]] = frozenset()
    purpose: ClassVar[Text] = Text(
        zh="检查 PDF 中会动作、隐藏或引用外部的内容",
        en="say what in a PDF acts, hides or reaches outside",
    )

    sandbox: Sandbox
    strict: bool = False
    page_limit: int = intake.PAGE_LIMIT

    async def run(self, work: Work) -> Done:
        source = work.source
        report = await self.sandbox.call(inspection.inspect, source, self.page_limit)
        inspection.refuse(source.name, report)
        if self.strict:
            require_clean(source.name, report)
        return Done(facts={"pages": report.pages, "inspection": report.to_facts()})


def require_clean(name: str, report: inspection.Inspection, *, accepted: frozenset[str] = frozenset()) -> None:
    """Raise Rejected ``document.not_clean`` for any finding but the ``accepted`` codes."""
    codes = ", ".join(sorted({finding.code for finding in report.findings} - accepted))
    if codes:
        raise Rejected(
            "document.not_clean",
            zh=f"文件 {name} 含有签署前必须去除的内容（{codes}）。请先经过 normalize 阶段。",
            en=f"{name} holds what must be gone before signing ({codes}). Let it pass the stage normalize.",
            findings=codes,
        )
