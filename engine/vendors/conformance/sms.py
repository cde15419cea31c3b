"""Demands on a sender of text messages; with a phone number on the bench, real messages are sent and cost money."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

from engine.language import Text
from engine.vendors.conformance.bench import Bench, Case, NotApplicable, Violation, must_reject
from engine.vendors.protocols import Sms, SmsReport, SmsSender, SmsState

_NOBODY = "+8610000000000"


def _message(bench: Bench) -> Sms:
    if bench.phone is None:
        raise NotApplicable(
            zh="需要一个可以接收真实短信的号码", en="needs a phone number that may receive real messages"
        )
    return Sms(bench.phone, bench.template, bench.values)


def _key() -> str:
    return f"conformance-{secrets.token_hex(12)}"


def _must_be_one(reports: list[SmsReport]) -> None:
    if any(report.state is SmsState.UNKNOWN for report in reports):
        raise Violation(zh="已发送的短信报告为未知", en="a message that was sent is reported as unknown")
    if len({report.reference for report in reports}) != 1:
        raise Violation(zh="同一编号发送了多条短信", en="one key sent more than one message")


async def _replayed(sender: SmsSender, bench: Bench) -> None:
    message, key, before = _message(bench), _key(), datetime.now(UTC) - timedelta(minutes=5)
    reports = [await sender.send(message, key), await sender.send(message, key)]
    _must_be_one([*reports, await sender.status(key, message.phone, before)])


async def _concurrent(sender: SmsSender, bench: Bench) -> None:
    message, key = _message(bench), _key()
    _must_be_one(list(await asyncio.gather(*(sender.send(message, key) for _ in range(5)))))


async def _unknown(sender: SmsSender, bench: Bench) -> None:
    report = await sender.status(_key(), bench.phone or _NOBODY, datetime.now(UTC) - timedelta(minutes=5))
    if report.state is not SmsState.UNKNOWN:
        raise Violation(
            zh=f"从未发送的短信报告为 {report.state}，应为 unknown",
            en=f"a message that was never sent is reported as {report.state}, not unknown",
        )


async def _bad_number(sender: SmsSender, bench: Bench) -> None:
    for phone in ("", "12345", "+0123456789", "not a number"):
        await must_reject(sender.send(Sms(phone, bench.template, bench.values), _key()), "sms.number")


sms_cases: tuple[Case[SmsSender], ...] = (
    Case("unknown", Text("从未发送的短信状态为 unknown", "what was never sent is unknown"), _unknown),
    Case("bad-number", Text("错误的号码被拒绝", "a wrong number is refused"), _bad_number),
    Case("replayed", Text("同一编号只发送一次", "one key sends once and can be asked about"), _replayed),
    Case("concurrent", Text("同时发送也只有一次", "one key sends once, also at the same moment"), _concurrent),
)
