"""Guide, chapter 9: templates of one's own, Word or PDF, whatever their paper and whatever happened to them before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys import office as desk
from tests.journeys.office import Office
from tests.pipeline.toys import pipeline

pytestmark = pytest.mark.asyncio(loop_scope="session")

LETTER = desk.SAMPLES / "employment-agreement-letter.pdf"
FIELD = """use = "controls"
[[stage.controls]]
name = "again"
kind = "signature"
party = "employer"
page = 1
x = 60.0
y = 60.0
width = 110.0
height = 60.0"""
SIGN = 'use = "sign"\nas = "employer"\nfield = "again"'


async def test_an_english_template_on_letter_paper_becomes_a_signed_a4_contract(office: Office, tmp_path: Path) -> None:
    values = desk.sample_values("employment-agreement-letter")
    run = await office.send("employment-agreement", LETTER, values=values)
    file = await office.fetch(run, tmp_path)
    assert desk.page_sizes(file) == {"595.276 x 841.89 pts (A4)"}
    text = desk.words(file)
    assert [name for name, value in values.items() if "".join(value.split()) not in text] == []
    assert [verdict for _, verdict, _ in desk.pdfsig(file)][:2] == ["Signature is Valid"] * 2
    desk.check_structure(file)


async def test_signatures_in_an_uploaded_template_are_dropped_and_it_is_said(
    office: Office, contract: Path, tmp_path: Path
) -> None:
    """A finished contract as the template of a new one: its signatures cannot survive being made A4."""
    file = pipeline(tmp_path, 'use = "normalize"', FIELD, SIGN, name="from-signed")
    run = await office.send(file, contract)
    assert run.facts["signatures_dropped"] == 3
    assert [field for field, *_ in desk.pdfsig(await office.fetch(run, tmp_path))] == ["again"]
    assert await office.original(run, tmp_path) == contract.read_bytes()


async def test_nobody_signs_on_top_of_a_broken_signature(
    office: Office, contract: Path, records: str, tmp_path: Path
) -> None:
    forged = tmp_path / "forged.pdf"
    content = contract.read_bytes()
    stream = content.index(b"stream\n", 2000) + 40
    forged.write_bytes(content[:stream] + bytes([content[stream] ^ 1]) + content[stream + 1 :])
    run = await office.send(pipeline(tmp_path, SIGN.replace("again", "乙方签字"), name="on-top"), forged)
    assert run.state == "rejected"
    assert desk.error_code(run).startswith("signature.")
    assert desk.effects(records, run) == []


async def test_a_field_that_is_signed_is_not_signed_again(office: Office, contract: Path, tmp_path: Path) -> None:
    run = await office.send(pipeline(tmp_path, SIGN.replace("again", "乙方签字"), name="twice"), contract)
    assert (run.state, desk.error_code(run)) == ("rejected", "signature.field_taken")


async def test_the_wrong_template_for_a_pipeline_is_told_in_one_error(office: Office, tmp_path: Path) -> None:
    run = await office.send("labour-contract", LETTER, values=desk.sample_values("labour-contract"))
    assert run.state == "rejected" and run.error is not None
    assert "甲方（盖章）" in run.error["en"] and "合同编号" in run.error["en"]
