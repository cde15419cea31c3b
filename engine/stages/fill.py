"""Stage ``fill``: draws the given values into their controls; what does not fit or cannot be drawn is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from engine.language import Text
from engine.pdf import filling
from engine.pdf.control import read_placed
from engine.pipeline.stage import Done, Effect, Work
from engine.sandbox import Sandbox
from engine.stages.conformity import CONFORMANCE, handed_on


@dataclass(frozen=True)
class Fill:
    """Fill (填充) the document with the fact ``values`` in the places of the fact ``controls``.

    The value of an image control is a PNG or JPEG in base64.
    """

    name: ClassVar[str] = "fill"
    version: ClassVar[int] = 2
    effect: ClassVar[Effect] = Effect.REWRITES
    reads: ClassVar[frozenset[str]] = frozenset({"values", "controls", CONFORMANCE})
    purpose: ClassVar[Text] = Text(
        zh="把填写内容以中文字体绘入控件位置",
        en="draw the given values into their controls",
    )

    sandbox: Sandbox

    async def run(self, work: Work) -> Done:
        controls = read_placed(work.facts.get("controls", ()))
        values: dict[str, Any] = dict(work.facts.get("values") or {})
        source = work.source
        target = work.workspace / "filled.pdf"
        await self.sandbox.call(filling.fill_document, source, target, controls, values)
        return Done(outputs=(target,), facts=await handed_on(work.facts, source, target))
