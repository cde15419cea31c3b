"""Guide, chapter 8: both parties sign in turn, the later signature leaves the earlier one unharmed, it lasts."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest

from engine.records.runs import Run
from engine.trust import validation
from engine.trust.anchors import load_anchors
from tests.journeys import office as desk
from tests.journeys.office import Office

pytestmark = pytest.mark.asyncio(loop_scope="session")

VALUES = desk.sample_values("labour-contract.rare-name")


RIDING = ["甲方骑缝章", "甲方骑缝章-2", "甲方骑缝章-3"]
"""Fields that show the employer's signature as well, one a page."""


async def test_poppler_and_qpdf_find_two_valid_signatures_under_one_timestamp(contract: Path) -> None:
    seen = desk.pdfsig(contract)
    assert [one for one in seen if one[0] in RIDING] == [(name, "Signature is Valid", "part") for name in RIDING]
    assert [one for one in seen if one[0] not in RIDING] == [
        ("甲方盖章", "Signature is Valid", "part"),
        ("乙方签字", "Signature is Valid", "part"),
        ("timestamp-1", "Signature has not yet been verified", "total"),  # poppler cannot judge document timestamps
    ]
    desk.check_structure(contract)


async def test_the_first_signers_file_is_the_beginning_of_the_finished_one(contract: Path, tmp_path: Path) -> None:
    """Cut back to what the employer signed, the employer's signature covers the whole file and holds."""
    whole = contract.read_bytes()
    with pikepdf.open(contract) as pdf:
        fields = {str(field.T): field for field in pdf.Root.AcroForm.Fields if "/V" in field}
        start, length = (int(number) for number in fields["甲方盖章"].V.ByteRange[2:])
    first = tmp_path / "first.pdf"
    first.write_bytes(whole[: start + length])
    seen = sorted(desk.pdfsig(first))
    assert seen == [(name, "Signature is Valid", "total") for name in ("甲方盖章", *RIDING)]


async def test_the_riding_seal_is_printed_at_the_edge_of_every_page(contract: Path, tmp_path: Path) -> None:
    width = 119.06 / 3
    for page in (1, 2, 3):
        printed = desk.printed_in_red(contract, page, tmp_path, right_of=500)
        assert printed is not None
        left, top, right, bottom = printed
        assert left == pytest.approx(595.276 - width, abs=1.5) and right == pytest.approx(595.276, abs=1.5)
        assert (top + bottom) / 2 == pytest.approx(841.89 / 2, abs=2) and 60 < bottom - top < 121


async def test_all_that_was_filled_in_can_be_read_out_again(contract: Path) -> None:
    text = desk.words(contract)
    for name, value in VALUES.items():
        if isinstance(value, str) and not name.endswith(("日", "日期")):
            assert "".join(value.split()) in text, name
    assert "2026年12月1日" in text and "2029年11月30日" in text
    assert "示例𠮷䶮" in text, "characters beyond the usual ones"


async def test_every_page_is_upright_a4(contract: Path) -> None:
    assert desk.page_sizes(contract) == {"595.276 x 841.89 pts (A4)"}


async def test_the_seal_is_printed_inside_its_place(contract: Path, contract_run: Run, tmp_path: Path) -> None:
    (place,) = (one for one in contract_run.facts["controls"] if one["control"]["name"] == "甲方盖章")
    printed = desk.printed_in_red(contract, place["page"], tmp_path, left_of=500)  # the riding seal is at the edge
    assert printed is not None
    left, top, right, bottom = printed
    assert place["x"] - 1 <= left and right <= place["x"] + place["control"]["width"] + 1
    upper = 841.89 - place["y"] - place["control"]["height"]
    assert upper - 1 <= top and bottom <= 841.89 - place["y"] + 1
    assert right - left > 90 and bottom - top > 90, "the round seal has a round seal's size"


async def test_requested_and_achieved_level_are_facts_of_the_contract(contract_run: Run) -> None:
    assert contract_run.facts["level_requested"] == contract_run.facts["level_achieved"] == "B-LTA"
    assert {contract_run.facts[f"signature:{field}"]["party"] for field in ("甲方盖章", "乙方签字")} == {
        "employer",
        "employee",
    }


async def test_each_key_was_used_once_and_each_timestamp_asked_for_once(
    office: Office, contract_run: Run, records: str
) -> None:
    acts = desk.effects(records, contract_run)
    assert [kind for _, kind, _, _ in acts] == ["signature", "timestamp"] * 2 + ["evidence"]
    assert all(attempts == 1 and finished for _, _, attempts, finished in acts)


async def test_the_word_file_is_kept_as_it_came(office: Office, contract_run: Run, tmp_path: Path) -> None:
    assert await office.original(contract_run, tmp_path) == desk.CONTRACT.read_bytes()


async def test_our_own_verdict_is_trusted_and_complete(office: Office, contract: Path, home: Path) -> None:
    roots = load_anchors(home / "demo-pki" / "anchors")
    report = await validation.verify(office.engine.tools.sandbox, contract, roots)
    assert (report.integrity, report.trust, report.level) == ("valid", "trusted", "B-LTA")
