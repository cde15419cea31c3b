"""Guide, chapter 6: the employer fills in the contract and sends it off; what cannot be right is refused before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.journeys import office as desk
from tests.journeys.conftest import open_office
from tests.journeys.office import Office

pytestmark = pytest.mark.asyncio(loop_scope="session")

PIPELINES = desk.SAMPLES.parent / "pipelines"
NOWHERE = "\ue123"
"""A character for private use: no font of ours draws it."""


async def test_a_name_that_no_font_can_draw_is_refused_before_any_key_is_used(
    office: Office, records: str, tmp_path: Path
) -> None:
    values = desk.sample_values("labour-contract") | {"劳动者姓名": f"示例{NOWHERE}"}
    run = await office.send("labour-contract", desk.CONTRACT, values=values)
    assert run.state == "rejected"
    assert run.error is not None and "U+E123" in run.error["zh"] and "U+E123" in run.error["en"]
    assert "劳动者姓名" in run.error["zh"]
    assert desk.effects(records, run) == [], "no key was used, no timestamp asked for"
    assert await office.original(run, tmp_path) == desk.CONTRACT.read_bytes()


async def test_everything_wrong_with_the_values_is_said_at_once(office: Office, records: str) -> None:
    values = desk.sample_values("labour-contract") | {
        "证件号码": "9" * 90,
        "合同起始日": "下个月",
        "不存在的控件": "?",
        "标准工时制": "maybe",
    }
    del values["岗位"], values["月工资"]
    run = await office.send("labour-contract", desk.CONTRACT, values=values)
    assert run.state == "rejected"
    assert run.error is not None
    for name in ("证件号码", "合同起始日", "不存在的控件", "标准工时制", "岗位", "月工资"):
        assert name in run.error["zh"] and name in run.error["en"], name
    assert desk.effects(records, run) == []


async def test_a_value_that_smuggles_something_in_is_text_or_refused(office: Office, tmp_path: Path) -> None:
    """Brackets, escapes and operators of the page's own language stay letters on paper."""
    values = desk.sample_values("labour-contract") | {"岗位": ") Tj /JS (x", "工作地点": "%PDF-1.7 endobj"}
    file = await office.fetch(await office.send("labour-contract", desk.CONTRACT, values=values), tmp_path)
    text = desk.words(file)
    assert ")Tj/JS(x" in text and "%PDF-1.7endobj" in text
    desk.check_structure(file)


async def test_a_contract_that_waits_for_confirmation_is_finished_by_another_process(
    office: Office, tmp_path: Path, records: str, home: Path
) -> None:
    confirmed = tmp_path / "confirmed.toml"
    confirmed.write_text(with_confirmation((PIPELINES / "labour-contract.toml").read_text("utf-8")), "utf-8")
    shutil.copytree(PIPELINES / "seals", tmp_path / "seals")
    async with open_office(office.engine.tools.settings) as first:
        run = await first.send(confirmed, desk.CONTRACT, values=desk.sample_values("labour-contract"))
    assert (run.state, run.waiting_for) == ("waiting", "confirmed")
    assert desk.effects(records, run) == []
    confirmed.unlink()  # the run keeps the pipeline it began with
    shutil.rmtree(tmp_path / "seals")

    target = tmp_path / "contract.pdf"
    go_on = ("resume", run.id, "--event", "confirmed", "-o", target)
    said = await desk.run_program(home, records, *go_on)
    assert (said.status, "B-LTA" in said.out) == (0, True), said.err
    assert [verdict for _, verdict, _ in desk.pdfsig(target)][:2] == ["Signature is Valid"] * 2
    again = await desk.run_program(home, records, *go_on)
    assert again.status == 75 and "run.over" in again.err, "a contract is confirmed once"


def with_confirmation(text: str) -> str:
    """The pipeline with a wait before its first signature."""
    return text.replace(
        '[[stage]]\nuse = "sign"', '[[stage]]\nuse = "await"\nevent = "confirmed"\n\n[[stage]]\nuse = "sign"', 1
    )
