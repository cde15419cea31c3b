"""Judges many spoilt files and counts what came out; seed and number tell how each was spoilt."""

from __future__ import annotations

import logging
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from engine.trust.inspection import inspect_file
from engine.trust.report import render_html
from tests.fuzz.mutations import MIXING, mutate
from tests.fuzz.oracle import judge_verdict, signed_by

SLOW = 20.0
"""Seconds of processor time after which a file counts as one that hangs the judge."""


class Hang(BaseException):
    """The judge took too long; no handler for exceptions may swallow it."""


@dataclass
class Findings:
    """What a number of spoilt files gave."""

    verdicts: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def add(self, other: Findings) -> None:
        self.verdicts += other.verdicts
        self.ways += other.ways
        self.violations += other.violations
        self.slowest = max(self.slowest, other.slowest)

    @property
    def judged(self) -> int:
        return self.verdicts.total()


class Campaign:
    """The seeds of one folder, and what is honest about them."""

    def __init__(self, folder: Path, anchors: tuple[bytes, ...], seed: int) -> None:
        logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
        self.anchors = anchors
        self.seed = seed
        self.files = sorted((folder / "seeds").iterdir())
        self.contents = [file.read_bytes() for file in self.files]
        self.moment = datetime.now(UTC)
        reports = [inspect_file(file, "0" * 64, anchors, self.moment) for file in self.files]
        everybody = signed_by(self.contents, reports)
        self._honest = {
            file: replace(signed_by([content], [report]), coverages=everybody.coverages)
            for file, content, report in zip(self.files, self.contents, reports, strict=True)
        }
        self._everybody = everybody

    def make(self, number: int) -> tuple[Path, str, bytes]:
        """The spoilt file of this number: what it was, in which ways it was spoilt, and its bytes."""
        dice = random.Random(f"{self.seed}/{number}")
        index = dice.randrange(len(self.files))
        ways, content = mutate(dice, self.contents[index], self.contents)
        return self.files[index], ways, content

    def judge(self, numbers: range, workspace: Path, until: float) -> Findings:
        """Judge the files of these numbers until the monotonic time ``until``."""
        found = Findings()
        for number in numbers:
            if time.monotonic() > until:
                break
            origin, ways, content = self.make(number)
            if content in self.contents:
                found.verdicts["untouched"] += 1
                continue
            found.ways.update(ways.split("+"))
            place = workspace / f"{number}.pdf"
            place.write_bytes(content)
            begin = time.process_time()
            try:
                with limit(SLOW):
                    report = inspect_file(place, "0" * 64, self.anchors, self.moment)
                    render_html(report)
                    report.to_dict()
            except (Exception, Hang) as error:
                found.verdicts["exception"] += 1
                found.violations.append(f"{number} {origin.name} {ways}: {type(error).__name__} {error}"[:300])
            else:
                found.verdicts[str(report.integrity)] += 1
                # A piece of another file may have come along, with what its signers really signed.
                mixed = MIXING & set(ways.split("+"))
                false = judge_verdict(content, report, self._everybody if mixed else self._honest[origin])
                if false is not None:
                    found.violations.append(f"{number} {origin.name} {ways}: {false}"[:300])
            found.slowest = max(found.slowest, time.process_time() - begin)
            place.unlink()
        return found


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise Hang after this much processor time."""

    def stop(_: int, __: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
