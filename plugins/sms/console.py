"""A stand-in for a text message vendor: nobody receives anything; messages go to stderr and a folder in the home."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from engine.errors import Rejected
from engine.vendors.hooks import hookimpl
from engine.vendors.protocols import Sms, SmsReport, SmsState

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class ConsoleSms:
    """Shows each message once per key; ``<home>/console-sms/<sha256 of the key>.json`` keeps it for whoever tests."""

    development_only = True

    def __init__(self, home: Path) -> None:
        self._folder = home / "console-sms"

    async def send(self, message: Sms, key: str) -> SmsReport:
        if not _E164.fullmatch(message.phone):
            raise Rejected(
                "sms.number",
                zh=f"手机号 {_masked(message.phone)} 不是国际格式（如 +8613800000000）。请更正号码。",
                en=f"The number {_masked(message.phone)} is not in international form such as +8613800000000. "
                "Correct it.",
            )
        return await asyncio.to_thread(self._send, message, key)

    async def status(self, key: str, phone: str, sent_after: datetime) -> SmsReport:  # noqa: ARG002  # found by key
        return await asyncio.to_thread(self._status, key)

    def _send(self, message: Sms, key: str) -> SmsReport:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = self._place(key)
        draft = self._folder / secrets.token_hex(16)
        text = {"phone": message.phone, "template": message.template, "values": dict(message.values)}
        draft.write_text(json.dumps(text, ensure_ascii=False), "utf-8")
        try:
            place.hardlink_to(draft)
        except FileExistsError:
            return self._status(key)
        finally:
            draft.unlink()
        print(f"[SMS, NOT SENT] {message.phone} {message.template} {text['values']}", file=sys.stderr)
        return self._status(key)

    def _status(self, key: str) -> SmsReport:
        place = self._place(key)
        if not place.is_file():
            return SmsReport(SmsState.UNKNOWN)
        return SmsReport(SmsState.DELIVERED, reference=place.stem)

    def _place(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.json"


def _masked(phone: str) -> str:
    return f"{phone[:3]}…{phone[-2:]}" if len(phone) > 6 else "…"


@hookimpl
def sealflow_sms_senders() -> Mapping[str, type[ConsoleSms]]:
    """Offer ``console-sms``."""
    return {"console-sms": ConsoleSms}
