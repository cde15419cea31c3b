"""What a stage is: a frozen dataclass whose fields are its options, and one coroutine that turns files into files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from engine.errors import Rejected, SealflowError
from engine.vendors.protocols import Storage

Facts = Mapping[str, Any]
"""What is known of one document beside its bytes: JSON values by name (``values``, ``controls`` …)."""


class Effect(StrEnum):
    """What a stage does to the bytes; the loader refuses a rewrite after a signature."""

    REWRITES = "rewrites"
    APPENDS = "appends"
    SIGNS = "signs"


class Ledger(Protocol):
    """Effect ledger (效果台账): makes an irrevocable act happen with one published result."""

    async def once(
        self,
        key: str,
        kind: str,
        intent: bytes,
        act: Callable[[bytes], Awaitable[bytes]],
        *,
        repeatable: bool,
        recall: Callable[[bytes], Awaitable[bytes | None]] | None = None,
    ) -> tuple[bytes, bytes]:
        """Return ``(intent, result)`` of the act ``key``; the first intent and the first result win.

        A recorded result is returned without acting. Otherwise the intent is written durably, ``act`` is called with
        the *recorded* intent (an earlier attempt's, if there was one) and its result is recorded. ``repeatable``
        says whether acting twice on the same intent harms nobody (a local key does not; an SMS does): an intent
        without result that is not repeatable raises InDoubt, unless ``recall``, called with the recorded intent, can
        say what the result was. An act that raises Misuse, Rejected, Unavailable or Conflict says that it surely did
        not happen, and may be done later; InDoubt and everything else leaves it open.
        """
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """One call of a stage.

    ``sources``: the files to work on, read-only; most stages take one, their ``source``. ``facts``: those named in the
    stage's ``reads``. ``workspace``: an empty directory that is removed afterwards. ``subject``: unique and stable for
    this step of this run, the start of every effect key. ``progress(done, total)``: for work a person waits for.
    """

    sources: tuple[Path, ...]
    facts: Facts
    workspace: Path
    subject: str
    ledger: Ledger
    storage: Storage
    progress: Callable[[int, int], None] = lambda _done, _total: None

    @property
    def source(self) -> Path:
        """The one file of a stage that takes one; raises Rejected ``stage.one_file``."""
        if len(self.sources) != 1:
            number = len(self.sources)
            raise Rejected(
                "stage.one_file",
                zh=f"此步骤一次只处理一个文件，却收到 {number} 个。"
                "请在流程中先加入 merge 阶段合并它们，或为每个文件各提交一次。",
                en=f"This step takes one file and got {number}. Put the stage merge before it to join them, "
                "or submit each file on its own.",
                files=number,
            )
        return self.sources[0]


@dataclass(frozen=True, slots=True)
class Done:
    """The stage is finished: new files (None: the input stands unchanged) and facts to add."""

    outputs: tuple[Path, ...] | None = None
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Partly:
    """A part is done and shall last: its files become the run's, its facts are added, and the stage runs again at once.

    For work that must not be lost, nor done in another order, because what follows it fails.
    """

    outputs: tuple[Path, ...]
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Paused:
    """The run waits for an event from outside; the worker is free. The stage runs again when one came.

    ``event``: what people are told to deliver; ``also``: what it listens to beside. Waiting for NAME, it goes on at
    NAME:QUALIFIER, too. The payload is then the fact ``event:<name as it came>``. ``reason``: why it waits again.
    """

    event: str
    also: tuple[str, ...] = ()
    facts: Facts = field(default_factory=dict)
    reason: SealflowError | None = None

    @property
    def events(self) -> tuple[str, ...]:
        return (self.event, *self.also)


def select_facts(reads: frozenset[str], facts: Facts) -> dict[str, Any]:
    """The facts a stage looks at, in order of their names."""
    beginnings = tuple(name[:-1] for name in reads if name.endswith(":*"))
    return {name: facts[name] for name in sorted(facts) if name in reads or name.startswith(beginnings)}


class Stage(Protocol):
    """Contract of a stage; implementations are frozen dataclasses, their fields the options of the pipeline file.

    ``name``: its name in ``use``. ``version``: part of the checkpoint key, raised when the output changes.
    ``purpose`` (optional, a ``Text``): one line for people. ``reads``: names of the facts it looks at, part of the
    checkpoint key; ``NAME:*`` stands for all that begin so. A field typed with a vendor Protocol names a
    provider in the file and receives the instance; a field typed with a service of the engine receives that service
    and cannot be set in the file. A field ``as_`` is the option ``as``.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    effect: ClassVar[Effect]
    reads: ClassVar[frozenset[str]]

    async def run(self, work: Work) -> Done | Partly | Paused:
        """Do the work; raises Rejected, Unavailable or InDoubt of ``engine.errors``."""
        ...
