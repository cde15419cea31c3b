"""The fuzz harness in small; ``./run fuzz`` is the whole of it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.trust.inspection import inspect_file
from engine.trust.verdict import Integrity, Report, SignatureVerdict, Trust
from tests.fuzz.campaign import SLOW, Campaign, Hang, limit
from tests.fuzz.mutations import MUTATIONS
from tests.fuzz.oracle import judge_verdict, signed_by
from tests.fuzz.seeds import make_seeds
from tests.trust.forgery import FILLED, OBJECTS, TEXT, append, signed_pdf
from tests.trust.paper import make_key

FEW = 160


def test_a_few_hundred_spoilt_files_are_judged_and_none_is_found_good(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, asyncio.run(make_seeds(tmp_path)), seed=7)
    found = campaign.judge(range(FEW), tmp_path, time.monotonic() + 600)
    assert found.violations == []
    assert found.judged == FEW
    assert found.slowest < SLOW
    assert set(found.ways) == {way.__name__ for way in MUTATIONS}
    assert found.verdicts["broken"] > FEW / 4 and found.verdicts["modified"] > 0


def test_the_oracle_contradicts_a_judge_who_believes_everything(tmp_path: Path) -> None:
    content = signed_pdf(make_key("ec", "Sample Person"))
    place = tmp_path / "signed.pdf"
    place.write_bytes(content)
    report = inspect_file(place, "0" * 64, (), datetime.now(UTC))
    honest = signed_by([content], [report])
    assert judge_verdict(content, report, honest) is None
    assert judge_verdict(content.replace(b"(100)", b"(900)"), report, honest)
    other = append(content, {TEXT: OBJECTS[TEXT].replace(b"100", b"900")})
    assert judge_verdict(other, report, honest)
    extended = Report(
        **{
            **{name: getattr(report, name) for name in report.__struct_fields__},
            "integrity": Integrity.EXTENDED,
            "signatures": (
                SignatureVerdict("signature", ("first",), Integrity.EXTENDED, Trust.UNCHECKED, covered=len(content)),
            ),
        }
    )
    assert judge_verdict(other, extended, honest) == "page 1 shows something else"
    assert judge_verdict(append(content, {40: b"null"}), extended, honest) is None
    look = b"<</Type/XObject/Subtype/Form/BBox[0 0 90 20]/Length 15>>stream\n0 0 90 20 re f \nendstream"
    shown = append(content, {FILLED: OBJECTS[FILLED].replace(b"/V(100)", b"/AP<</N 20 0 R>>/V(100)"), 20: look})
    assert judge_verdict(shown, extended, honest) == "page 1 shows something else"


def test_a_judge_who_hangs_is_stopped() -> None:
    with pytest.raises(Hang), limit(0.05):
        while True:
            sum(range(1000))
