"""What the evidence page calls things, in Chinese; identity numbers are masked here and nowhere else on the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from engine.trust.verdict import Integrity, Trust

BEIJING = timezone(timedelta(hours=8))
UNATTENDED = "unattended"
"""Factor of an intent proof that nobody was asked for."""
_FACTORS = {
    "face": "人脸核身",
    "sms": "短信验证码",
    "password": "签署密码",
    "certificate": "数字证书登录",
    UNATTENDED: "无人值守：没有询问签约方，由提交任务的一方下达签署指令",
}
_EVENTS = {
    "submitted": "提交任务",
    "stage finished": "步骤完成",
    "effect done": "不可撤销的操作完成",
    "paused": "等待事件",
    "resumed": "事件到达，继续",
    "postponed": "服务暂不可用，稍后重试",
    "parked": "挂起，待人工处理",
    "retried": "人工重试",
    "finished": "任务完成",
    "intent issued": "发出意愿凭证",
    "intent used": "使用意愿凭证",
    "head revised": "签署中的文件更新",
    "renewed": "长期保存续期",
    "cancelled": "取消任务",
}
_STAGES = {
    "convert": "转换为 PDF",
    "merge": "合并文件",
    "normalize": "规范化",
    "inspect": "检查文件",
    "controls": "定位控件",
    "fill": "填写内容",
    "sign": "签署",
    "cosign": "多方签署",
    "timestamp": "加盖时间戳",
    "await": "等待",
    "archive": "长期归档",
}
_EFFECTS = {"signature": "使用签名密钥", "timestamp": "取得时间戳", "evidence": "加入验证数据和文档时间戳"}
_INTEGRITY = {
    Integrity.VALID: "签署后未被改动",
    Integrity.EXTENDED: "签署内容未被改动，其后仅有允许的追加",
    Integrity.MODIFIED: "签署后被改动",
    Integrity.BROKEN: "签名无效",
    Integrity.INDETERMINATE: "无法判断",
    Integrity.UNSIGNED: "没有签名",
}
_TRUST = {
    Trust.TRUSTED: "证书可追溯到平台所配置的信任锚",
    Trust.UNTRUSTED: "证书不能追溯到信任锚",
    Trust.REVOKED: "证书在签署时已被吊销",
    Trust.EXPIRED: "证书在可证明的时间不在有效期内",
    Trust.UNCHECKED: "未核对证书",
}
_LABELS = (
    ("Common Name", "名称"),
    ("Organizational Unit", "部门"),
    ("Organization Identifier", "单位编号"),
    ("Organization", "单位"),
    ("Country", "国家"),
    ("State/Province", "省"),
    ("Locality", "市"),
    ("Serial Number", "编号"),
)
_IDENTIFYING = re.compile("姓名|名称|信用代码|证件号|身份证|护照|法定代表人|负责人")
_NUMBER_OF_CONTRACT = re.compile("合同编号|协议编号|^编号$")
_LONG_NUMBER = re.compile(r"[0-9A-Za-z]*\d[0-9A-Za-z]{6,}")


def say_factor(factor: str) -> str:
    """How a party was asked."""
    return _FACTORS.get(factor, factor)


def say_event(event: str, detail: Mapping[str, Any]) -> str:
    """One line for a journal entry."""
    words = _EVENTS.get(event, event)
    more = (
        _STAGES.get(str(detail.get("stage")), detail.get("stage"))
        or _EFFECTS.get(str(detail.get("kind")), detail.get("kind"))
        or detail.get("waiting_for")
    )
    return f"{words}：{more}" if more else words


def say_verdict(integrity: Integrity, trust: Trust) -> str:
    """Both halves of a verdict."""
    return f"{_INTEGRITY.get(integrity, integrity)}；{_TRUST.get(trust, trust)}"


def say_time(moment: datetime) -> str:
    """A time as people in China read it, with its offset."""
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S +08:00")


def instant(microseconds: int) -> datetime:
    """Time of a journal entry."""
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)


def parse_time(text: str) -> datetime:
    """Time in ISO 8601, in UTC where it names no offset."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def contract_number(values: Mapping[str, Any]) -> str:
    """Number of the contract among the values that were filled in; empty without one."""
    return next((str(value) for name, value in values.items() if _NUMBER_OF_CONTRACT.search(name)), "")


def identifying(values: Mapping[str, Any]) -> dict[str, str]:
    """Values that say who somebody is, as they were filled in but for masked numbers."""
    return {name: _masked(name, str(value)) for name, value in values.items() if _IDENTIFYING.search(name) and value}


def say_name(name: str) -> str:
    """A distinguished name with its labels in Chinese."""
    for label, word in _LABELS:
        name = name.replace(f"{label}: ", f"{word} ")
    return name.replace(", ", "，")


def names_in(values: Mapping[str, Any], name: str) -> list[str]:
    """Which values are this name, spaces aside."""
    plain = "".join(name.split())
    return [key for key, value in values.items() if isinstance(value, str) and "".join(value.split()) == plain]


def mask_numbers(text: str) -> str:
    """Hide the middle of every number that is long enough to be somebody's."""
    return _LONG_NUMBER.sub(lambda hit: _mask(hit[0]), text)


def _masked(name: str, value: str) -> str:
    is_public = "信用代码" in name  # the number of a company stands in a public register
    return value if is_public else mask_numbers(value)


def _mask(number: str) -> str:
    kept = 3 if len(number) < 15 else 4
    return number[:kept] + "*" * (len(number) - 2 * kept) + number[-kept:]


def grouped(digest: str) -> str:
    """A digest in groups of eight, for eyes."""
    return " ".join(digest[start : start + 8] for start in range(0, len(digest), 8))


def size_of(count: int) -> str:
    """A number of bytes."""
    return f"{count:,} 字节"
