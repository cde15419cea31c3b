"""The two stages together, in real limited children: a contract gets its controls, its values and its empty fields."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from engine.errors import Rejected
from engine.pdf.control import Anchor, Control
from engine.pipeline.stage import Effect, Work
from engine.sandbox import Sandbox
from engine.stages.controls import Controls
from engine.stages.fill import Fill
from tests.pdf import blank_pages

CONTROLS = (
    Control(name="姓名", kind="text", party="乙方", required=True, anchor=Anchor(text="乙方：")),
    Control(name="日期", kind="date", page=-1, x=100, y=100),
    Control(name="乙方签字", kind="signature", page=-1, x=300, y=100, width=119, height=60),
)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    await sandbox.close()


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    line = blank_pages.place(Control(name="a", kind="text", width=100), 100, 700)
    return blank_pages.fill(tmp_path, {"a": "乙方："}, line).rename(tmp_path / "contract.pdf")


def work(source: Path, facts: dict[str, Any]) -> Work:
    workspace = source.parent / f"work{len(list(source.parent.iterdir()))}"
    workspace.mkdir()
    unused: Any = None  # neither stage acts outside or stores anything
    stored = json.loads(json.dumps(facts))  # facts of a run come from a JSON column
    return Work((source,), stored, workspace, "run/1", unused, unused)


async def test_values_are_drawn_where_the_controls_stage_found_their_place(sandbox: Sandbox, contract: Path) -> None:
    placed = await Controls(sandbox=sandbox, controls=CONTROLS).run(work(contract, {}))
    assert placed.outputs
    facts = {**placed.facts, "values": {"姓名": "欧阳𠮷", "日期": "2026-11-23"}}
    filled = await Fill(sandbox=sandbox).run(work(placed.outputs[0], facts))
    assert filled.outputs
    shown = blank_pages.squeeze(blank_pages.read_with_poppler(filled.outputs[0]))
    assert shown == "乙方：欧阳𠮷2026年11月23日"
    with pikepdf.open(filled.outputs[0]) as pdf:
        assert [str(field.T) for field in pdf.Root.AcroForm.Fields] == ["乙方签字"]


async def test_the_same_work_gives_the_same_bytes(sandbox: Sandbox, contract: Path) -> None:
    results = []
    for _ in range(2):
        placed = await Controls(sandbox=sandbox, controls=CONTROLS).run(work(contract, {}))
        assert placed.outputs
        facts = {**placed.facts, "values": {"姓名": "张三"}}
        filled = await Fill(sandbox=sandbox).run(work(placed.outputs[0], facts))
        assert filled.outputs
        results.append(filled.outputs[0].read_bytes())
    assert results[0] == results[1]


async def test_all_faults_come_back_from_the_child_in_one_error(sandbox: Sandbox, contract: Path) -> None:
    placed = await Controls(sandbox=sandbox, controls=CONTROLS).run(work(contract, {}))
    assert placed.outputs
    facts = {**placed.facts, "values": {"日期": "明天", "乙方签字": "张三", "电话": "1"}}
    with pytest.raises(Rejected) as caught:
        await Fill(sandbox=sandbox).run(work(placed.outputs[0], facts))
    assert caught.value.code == "value.several"
    assert caught.value.facts["controls"] == "电话, 姓名, 日期, 乙方签字"


async def test_filling_before_controls_are_placed_is_refused(sandbox: Sandbox, contract: Path) -> None:
    with pytest.raises(Rejected) as caught:
        await Fill(sandbox=sandbox).run(work(contract, {"values": {"姓名": "张三"}}))
    assert caught.value.code == "value.unknown_control"


async def test_controls_are_checked_before_any_file_is_opened(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        await Controls(sandbox=sandbox, controls=CONTROLS + CONTROLS).run(work(tmp_path / "absent.pdf", {}))
    assert caught.value.code == "control.duplicate_name"


def test_both_stages_rewrite_and_name_the_facts_they_read() -> None:
    assert Controls.effect is Fill.effect is Effect.REWRITES
    assert Controls.reads == {"conformance"} and Fill.reads == {"values", "controls", "conformance"}
