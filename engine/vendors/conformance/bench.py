"""What every case of the kit stands on: a bench with what it may use, and the words for a broken contract."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from engine.errors import Rejected, SealflowError
from engine.language import Text

P = TypeVar("P")


class Violation(AssertionError):
    """The provider broke its contract; the text says how."""

    def __init__(self, *, zh: str, en: str) -> None:
        super().__init__(en)
        self.text = Text(zh=zh, en=en)


class NotApplicable(Exception):  # no error: the case could not be tried
    """The case needs something the bench does not have; the text says what."""

    def __init__(self, *, zh: str, en: str) -> None:
        super().__init__(en)
        self.text = Text(zh=zh, en=en)


@dataclass(frozen=True, slots=True)
class Bench:
    """What the cases may use.

    ``workspace``: an empty folder. ``phone``: a number in E.164 that may receive real messages; without it nothing is
    sent. ``template``, ``values``: a message the vendor knows. ``person``: name and number for a face check; without
    it none is begun. ``damage``: changes one byte of a stored content, for stores that do not lie in a folder.
    ``pause``: seconds that separate two instants on the provider's clock.
    """

    workspace: Path
    phone: str | None = None
    template: str = "verification-code"
    values: Mapping[str, str] = field(default_factory=lambda: {"code": "000000"})
    person: tuple[str, str] | None = None
    damage: Callable[[str], Awaitable[None]] | None = None
    pause: float = 1.2


@dataclass(frozen=True, slots=True)
class Case(Generic[P]):
    """One demand of a contract; ``run`` raises Violation, or NotApplicable when it cannot be tried."""

    name: str
    text: Text
    run: Callable[[P, Bench], Awaitable[None]]

    def __str__(self) -> str:
        return self.name


async def must_reject(attempt: Awaitable[object], code: str) -> None:
    """Demand Rejected with this code, in both languages."""
    try:
        await attempt
    except Rejected as error:
        if error.code != code:
            raise Violation(
                zh=f"错误编号应为 {code}，实际为 {error.code}", en=f"the code must be {code}, not {error.code}"
            ) from error
        _must_speak(error)
        return
    except SealflowError as error:
        name = type(error).__name__
        raise Violation(
            zh=f"应抛出 Rejected {code}，实际为 {name} {error.code}",
            en=f"must raise Rejected {code}, not {name} {error.code}",
        ) from error
    raise Violation(
        zh=f"应抛出 Rejected {code}，实际没有出错", en=f"must raise Rejected {code}, but nothing was raised"
    )


def _must_speak(error: SealflowError) -> None:
    if not error.text.zh.strip() or not error.text.en.strip():
        raise Violation(
            zh=f"错误 {error.code} 缺少中文或英文说明", en=f"the error {error.code} lacks its Chinese or English text"
        )


async def must_let_others_run(attempt: Awaitable[object]) -> None:
    """Demand that the event loop turns while the provider works."""
    task = asyncio.ensure_future(attempt)
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    await task
    if turns < 10:
        raise Violation(
            zh="处理期间阻塞了事件循环；请把阻塞的调用放进线程或使用异步接口",
            en="the event loop stood still meanwhile; move blocking calls to a thread or use an async client",
        )
