"""Stage ``controls``: finds the place of every control and creates the empty signature fields; needs upright A4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from engine.language import Text
from engine.pdf import placement
from engine.pdf.control import Control, check_controls
from engine.pipeline.stage import Done, Effect, Work
from engine.sandbox import Sandbox
from engine.stages.conformity import CONFORMANCE, handed_on


@dataclass(frozen=True)
class Controls:
    """Place controls (控件) on the document; the fact ``controls`` says where they lie.

    ``controls``: see ``engine.pdf.control.Control``; in the pipeline file one table ``[[stage.controls]]`` each.
    """

    name: ClassVar[str] = "controls"
    version: ClassVar[int] = 2
    effect: ClassVar[Effect] = Effect.REWRITES
    reads: ClassVar[frozenset[str]] = frozenset({CONFORMANCE})
    purpose: ClassVar[Text] = Text(
        zh="放置控件，并预先建立空的签名域",
        en="place controls and create the empty signature fields",
    )

    sandbox: Sandbox
    controls: tuple[Control, ...] = ()

    async def run(self, work: Work) -> Done:
        check_controls(self.controls)
        source = work.source
        target = work.workspace / "controls.pdf"
        placed = await self.sandbox.call(placement.place_controls, source, target, self.controls)
        kept = await handed_on(work.facts, source, target)
        return Done(outputs=(target,), facts={"controls": msgspec.to_builtins(list(placed)), **kept})
