"""Toy stages that do real file work in a line, for tests of the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec

from engine.pipeline.resolution import Catalogue
from engine.pipeline.stage import Done, Effect, Paused, Stage, Work


class Ink:
    """A service of the engine, as a stage may need one."""

    colour = "black"


class Nib(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    width: float = 1.0


def write(work: Work, content: bytes) -> tuple[Path, ...]:
    target = work.workspace / "out"
    target.write_bytes(content)
    return (target,)


@dataclass(frozen=True)
class Shout:
    """Rewrites: upper case, with a mark."""

    ink: Ink
    mark: str = "!"
    nibs: tuple[Nib, ...] = ()
    paper: Path | None = None

    name: ClassVar[str] = "shout"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.REWRITES
    reads: ClassVar[frozenset[str]] = frozenset({"values"})

    async def run(self, work: Work) -> Done:
        text = work.sources[0].read_bytes().upper() + self.mark.encode()
        return Done(write(work, text), {"loud": True})


@dataclass(frozen=True)
class Seal:
    """Signs: appends a seal, through the ledger."""

    as_: str

    name: ClassVar[str] = "seal"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.SIGNS
    reads: ClassVar[frozenset[str]] = frozenset()

    async def run(self, work: Work) -> Done:
        async def act(intent: bytes) -> bytes:
            return b"<" + intent + b">"

        _, result = await work.ledger.once(f"{work.subject}/seal", "seal", self.as_.encode(), act, repeatable=True)
        return Done(write(work, work.sources[0].read_bytes() + result))


@dataclass(frozen=True)
class Cheat:
    """Says it appends, yet changes what was there."""

    name: ClassVar[str] = "cheat"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.APPENDS
    reads: ClassVar[frozenset[str]] = frozenset()

    async def run(self, work: Work) -> Done:
        return Done(write(work, b"changed" + work.sources[0].read_bytes()))


@dataclass(frozen=True)
class Wait:
    """Pauses until its event came."""

    event: str

    name: ClassVar[str] = "wait"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.APPENDS
    reads: ClassVar[frozenset[str]] = frozenset({"event:confirmed"})

    async def run(self, work: Work) -> Done | Paused:
        return Done() if f"event:{self.event}" in work.facts else Paused(self.event)


STAGES: dict[str, type[Stage]] = {kind.name: kind for kind in (Shout, Seal, Cheat, Wait)}
CATALOGUE = Catalogue(stages=STAGES, services={Ink: Ink()})


def pipeline(folder: Path, *stages: str, name: str = "toy") -> Path:
    """Write a pipeline file; each stage is the text of its table, e.g. ``use = "shout"``."""
    head = f'[pipeline]\nname = "{name}"\nversion = 1\n'
    file = folder / f"{name}.toml"
    file.write_text(head + "".join(f"\n[[stage]]\n{stage}\n" for stage in stages), "utf-8")
    return file
