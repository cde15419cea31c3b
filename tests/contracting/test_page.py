"""The evidence page as poppler reads it: true to what is known, honest about what is not, whole at any length."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.contracting.dossier import Dossier
from engine.contracting.extraction import Parts, extract
from engine.contracting.page import FIELD, Material, draw_page
from engine.pdf.conformance import check_conformance
from engine.records.journal import Entry
from engine.trust.inspection import inspect_file
from engine.trust.verdict import Integrity
from tests.trust.forgery import signed_pdf
from tests.trust.paper import make_key

MOMENT = datetime(2026, 11, 25, 2, 3, 4, tzinfo=UTC)


def proof(factor: str) -> dict[str, Any]:
    return {
        "document": "ab" * 32,
        "size": 1234,
        "factor": factor,
        "vendor": "示例短信",
        "reference": "SMS-20261125-0001",
        "passed_at": "2026-11-25T02:03:04Z",
    }


def dossier(**changes: Any) -> Dossier:
    entry = Entry(
        1, 1, 1_764_000_000_000_000, "r", "stage finished", json.dumps({"stage": "sign"}), "00" * 32, "cd" * 32
    )
    known = Dossier(
        serial="0123456789ABCDEF",
        run="00000000-0000-4000-8000-000000000001",
        label="",
        pipeline={"digest": "x", "definition": {"name": "labour-contract", "version": 1, "title": "劳动合同"}},
        sources=[{"name": "合同.docx", "digest": "aa"}],
        head=["ef" * 32],
        submitted_at=MOMENT,
        finished_at=MOMENT,
        claimed_at=MOMENT,
        stages=[],
        facts={"level_requested": "B-LTA", "level_achieved": "B-LTA"},
        entries=[entry],
        journal={"seq": 7, "digest": "12" * 32},
    )
    return msgspec.structs.replace(known, **changes)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """A contract that somebody with a rare name signed, without a timestamp."""
    file = tmp_path_factory.mktemp("page") / "contract.pdf"
    file.write_bytes(signed_pdf(make_key("ec", "示例𠮷䶮（演示）有限公司")))
    report = inspect_file(file, "ef" * 32, (), MOMENT)
    return Material(dossier(), {"单位名称": "示例公司", "证件号码": "990000199001010025"}, (extract(file),), (report,))


def drawn(material: Material, folder: Path) -> tuple[Path, str]:
    target = folder / "page.pdf"
    draw_page(material, target)
    told = subprocess.run(["pdftotext", "-layout", target, "-"], capture_output=True, text=True, check=True).stdout
    return target, re.sub(r"\s", "", told)


def test_it_says_who_what_when_and_by_whose_clock(material: Material, tmp_path: Path) -> None:
    _, text = drawn(material, tmp_path)
    for words in (
        "存证编号0123456789ABCDEF",
        "合同名称劳动合同",
        "efefefef" * 8,
        "1．示例𠮷䶮（演示）有限公司",
        "2026-11-2510:03:04+08:00",
        "（平台时钟）",
        "链头为第7条，摘要" + "12" * 32,
        "步骤完成：签署",
        "有效性未知",
        "verify.py",
    ):
        assert words in text, words


def test_what_is_not_known_is_said_to_be_missing(material: Material, tmp_path: Path) -> None:
    _, text = drawn(replace(material, values={}), tmp_path)
    for words in (
        "合同编号未填写",
        "没有记录意愿证明",
        "没有时间戳证明",
        "没有填写项可供比对",
        "平台不能证明当时仅由其控制",
    ):
        assert words in text, words


def test_a_name_that_is_nobodys_who_was_filled_in_is_pointed_out(material: Material, tmp_path: Path) -> None:
    assert "证书姓名与任何填写项都不一致" in drawn(material, tmp_path)[1]
    same = {"单位名称": "示例𠮷䶮 （演示）有限公司"}
    assert "证书姓名与填写项“单位名称”一致" in drawn(replace(material, values=same), tmp_path)[1]


def test_a_signature_that_does_not_hold_is_not_counted_among_those_that_do(material: Material, tmp_path: Path) -> None:
    assert "1个签名中1个经核验成立" in drawn(material, tmp_path)[1]
    (verdict,) = material.reports[0].signatures
    broken = msgspec.structs.replace(verdict, integrity=Integrity.BROKEN)
    report = msgspec.structs.replace(material.reports[0], integrity=Integrity.BROKEN, signatures=(broken,))
    _, text = drawn(replace(material, reports=(report,)), tmp_path)
    assert "1个签名中0个经核验成立" in text and "签名无效" in text


def test_identity_numbers_are_masked_and_names_are_not(material: Material, tmp_path: Path) -> None:
    _, text = drawn(material, tmp_path)
    assert "990000199001010025" not in text
    assert "证件号码：9900**********0025" in text
    assert "单位名称：示例公司" in text


@pytest.mark.parametrize(
    ("factor", "said", "controlled"),
    [("sms", "短信验证码", True), ("unattended", "无人值守：没有询问签约方", False)],
)
def test_an_intent_is_told_as_it_was(
    factor: str, said: str, controlled: bool, material: Material, tmp_path: Path
) -> None:
    (field,) = (part.field for part in material.parts[0].signatures)
    known = dossier(facts={f"intent:{field}": proof(factor), f"signature:{field}": {"party": "employer"}})
    _, text = drawn(replace(material, dossier=known), tmp_path)
    assert said in text
    assert ("密钥只凭一次性意愿凭证使用" in text) is controlled
    assert ("没有询问签约方本人" in text) is not controlled
    assert "合同的前1234字节" in text


def test_fifty_signers_and_a_long_journal_flow_over_pages_that_are_numbered(material: Material, tmp_path: Path) -> None:
    parts, report = material.parts[0], material.reports[0]
    (part,), (verdict,) = parts.signatures, report.signatures
    names = [f"第{number}方签字" for number in range(1, 51)]
    many: Parts = msgspec.structs.replace(
        parts, signatures=tuple(msgspec.structs.replace(part, field=n) for n in names)
    )
    judged = msgspec.structs.replace(
        report, signatures=tuple(msgspec.structs.replace(verdict, fields=(name,)) for name in names)
    )
    entries = [msgspec.structs.replace(dossier()).entries[0]] * 300
    target, text = drawn(
        replace(material, dossier=dossier(entries=entries), parts=(many,), reports=(judged,)), tmp_path
    )
    told = subprocess.run(["pdfinfo", target], capture_output=True, text=True, check=True).stdout
    (pages,) = re.findall(r"Pages: +(\d+)", told)
    assert int(pages) > 20
    assert f"第{pages}页，共{pages}页" in text
    assert all(f"签名域“{name}”" in text for name in names)


def test_a_name_longer_than_a_line_is_shown_whole(material: Material, tmp_path: Path) -> None:
    name = "示例省样本市演示区一家名称特别长、长得连一行都写不下、仅用于演示的" * 4 + "股份有限公司"
    assert f"单位名称：{name}" in drawn(replace(material, values={"单位名称": name}), tmp_path)[1]


def test_a_character_no_typeface_has_is_shown_as_its_number(material: Material, tmp_path: Path) -> None:
    strange = {"单位名称": "示例\U000323b0公司"}
    assert "示例〔U+323B0〕公司" in drawn(replace(material, values=strange), tmp_path)[1]


def test_equal_material_gives_equal_bytes_in_pdf_a_with_one_field(material: Material, tmp_path: Path) -> None:
    first = drawn(material, tmp_path)[0].read_bytes()
    target, _ = drawn(material, tmp_path)
    assert target.read_bytes() == first
    assert check_conformance(target).verdict == "pass", check_conformance(target).violations
    told = subprocess.run(["pdfsig", target], capture_output=True, text=True).stdout
    assert FIELD in told or "does not contain any signatures" in told
