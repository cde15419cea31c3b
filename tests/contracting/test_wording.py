import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from engine.contracting import wording as say


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("990000199001010025", "9900**********0025"),
        ("99000019900101002X", "9900**********002X"),
        ("10000000001", "100*****001"),
        ("E12345678", "E12***678"),
        ("1234567", "123*567"),
        ("123456", "123456"),
        ("张示例", "张示例"),
    ],
)
def test_numbers_that_are_somebodys_are_masked(number: str, masked: str) -> None:
    assert say.mask_numbers(number) == masked
    assert say.identifying({"证件号码": number}) == {"证件号码": masked}


def test_a_companys_number_stands_in_a_public_register_and_stays() -> None:
    assert say.identifying({"统一社会信用代码": "91999999MA0TAMP00E"}) == {"统一社会信用代码": "91999999MA0TAMP00E"}


def test_only_what_says_who_somebody_is_gets_onto_the_page() -> None:
    values = {"劳动者姓名": "张示例", "月工资": "12,000.00", "居住地址": "示例省", "法定代表人": ""}
    assert say.identifying(values) == {"劳动者姓名": "张示例"}


@pytest.mark.parametrize("name", ["合同编号", "劳动合同编号", "编号"])
def test_the_number_of_the_contract_is_found(name: str) -> None:
    assert say.contract_number({"岗位": "x", name: "A-1"}) == "A-1"
    assert say.contract_number({"岗位": "x"}) == ""


def test_names_are_compared_without_spaces() -> None:
    assert say.names_in({"姓名": "张 示例", "岗位": "工程师", "数": 1}, "张示例") == ["姓名"]


def test_times_are_told_with_their_offset() -> None:
    assert say.say_time(datetime(2026, 11, 24, 17, 0, tzinfo=UTC)) == "2026-11-25 01:00:00 +08:00"
    assert say.say_time(datetime(2026, 11, 25, 1, 0, tzinfo=timezone(timedelta(hours=8)))).endswith("01:00:00 +08:00")
    assert say.instant(1_000_000) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert say.parse_time("2026-11-25T02:03:04").tzinfo is UTC


@pytest.mark.parametrize(
    ("event", "detail", "words"),
    [
        ("submitted", {}, "提交任务"),
        ("stage finished", {"stage": "archive"}, "步骤完成：长期归档"),
        ("stage finished", {"stage": "acme"}, "步骤完成：acme"),
        ("effect done", {"kind": "signature"}, "不可撤销的操作完成：使用签名密钥"),
        ("effect done", {"kind": "sms"}, "不可撤销的操作完成：sms"),
        ("paused", {"waiting_for": "signed"}, "等待事件：signed"),
        ("something new", {}, "something new"),
    ],
)
def test_every_entry_has_words_and_what_is_unknown_keeps_its_name(event: str, detail: dict, words: str) -> None:
    assert say.say_event(event, json.loads(json.dumps(detail))) == words


def test_names_of_certificates_get_chinese_labels() -> None:
    told = say.say_name("Common Name: 张示例, Organization: 示例, Country: CN")
    assert told == "名称 张示例，单位 示例，国家 CN"
