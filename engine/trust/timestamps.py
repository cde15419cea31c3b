"""Asks timestamp authorities (时间戳服务) in order until one gives a token that stands; no local clock ever stands in.

An authority that failed repeatedly is asked last for a while; it is never left out, so the service recovers by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import aiohttp
import structlog
from asn1crypto.x509 import Certificate

from engine.errors import Misuse, SealflowError, Unavailable
from engine.settings import Authority
from engine.trust.outbound import Outbound
from engine.trust.tokens import REPLY_LIMIT, Question, RefusedRequest, TokenCheck, UntrustedReply

_DIGEST_SIZES = {"sha256": 32, "sha384": 48, "sha512": 64, "sm3": 32}
_FAILURES_TO_OPEN = 3
_OPEN_SECONDS = 30.0
_HEADERS = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}

log = structlog.get_logger(__name__)


@dataclass
class _Line:
    """One authority and how it did lately."""

    authority: Authority
    failures: int = 0
    open_until: float = 0.0

    @property
    def name(self) -> str:
        """Host, port and path; never the user information of the address."""
        parts = urlsplit(self.authority.url)
        return f"{parts.hostname}:{parts.port}{parts.path}" if parts.port else f"{parts.hostname}{parts.path}"

    def note(self, *, worked: bool) -> None:
        self.failures = 0 if worked else self.failures + 1
        if self.failures >= _FAILURES_TO_OPEN:
            self.open_until = time.monotonic() + _OPEN_SECONDS
        elif worked:
            self.open_until = 0.0


class TimestampClient(Outbound):
    """RFC 3161 over HTTP with one kept session; use it as an async context manager or call ``close``.

    ``timeout`` is seconds per authority and try. ``clock_bound`` is how far a token may lie from this machine's clock.
    """

    def __init__(
        self,
        authorities: Sequence[Authority],
        anchors: Sequence[Certificate],
        *,
        proxy: str | None = None,
        timeout: float = 10.0,
        clock_bound: timedelta = timedelta(minutes=5),
    ) -> None:
        super().__init__(proxy, timeout)
        if not authorities:
            raise Misuse(
                "timestamp.no_authority",
                zh="没有配置时间戳服务。请在设置 trust.timestamp_authorities 中至少填写一个。",
                en="No timestamp authority is configured. Name one in the setting trust.timestamp_authorities.",
            )
        self._lines = [_Line(_check_address(authority)) for authority in authorities]
        self._check = TokenCheck(anchors, clock_bound=clock_bound)

    async def stamp(self, digest: bytes, algorithm: str = "sha256") -> bytes:
        """A checked DER TimeStampToken over ``digest``; asks for one, so call it behind the effect ledger.

        Raises Unavailable ``timestamp.unavailable``, or ``timestamp.untrusted`` when every authority answered wrongly;
        the fact ``failures`` says who failed why.
        """
        if _DIGEST_SIZES.get(algorithm) != len(digest):
            raise Misuse(
                "timestamp.digest",
                zh=f"时间戳请求有误：{len(digest)} 字节的摘要不是 {algorithm}。支持：{'、'.join(_DIGEST_SIZES)}。",
                en=f"The timestamp request is wrong: {len(digest)} bytes are no {algorithm} digest. "
                f"Supported: {', '.join(_DIGEST_SIZES)}.",
                algorithm=algorithm,
            )
        failures: dict[str, str] = {}
        lied = True
        now = time.monotonic()
        for line in sorted(self._lines, key=lambda line: line.open_until > now):
            try:
                token = await self._ask(line.authority, digest, algorithm)
            except UntrustedReply as error:
                failures[line.name] = str(error)
                log.error("timestamp.untrusted_reply", authority=line.name, reason=error.reason, detail=str(error))
            except (RefusedRequest, aiohttp.ClientError, TimeoutError, OSError) as error:
                failures[line.name] = _describe(error)
                lied = False
                log.warning("timestamp.authority_failed", authority=line.name, reason=failures[line.name])
            else:
                line.note(worked=True)
                return token
            line.note(worked=False)
        raise _all_failed(failures, untrusted=lied)

    async def health(self) -> Mapping[str, str | None]:
        """Ask every authority for a real token; maps its name to None when it works, else to what is wrong."""

        async def probe(line: _Line) -> tuple[str, str | None]:
            try:
                await self._ask(line.authority, bytes(32), "sha256")
            except (UntrustedReply, RefusedRequest, aiohttp.ClientError, TimeoutError, OSError) as error:
                line.note(worked=False)
                return line.name, _describe(error)
            line.note(worked=True)
            return line.name, None

        return dict(await asyncio.gather(*map(probe, self._lines)))

    async def _ask(self, authority: Authority, digest: bytes, algorithm: str) -> bytes:
        question = Question(digest, algorithm, policy=authority.policy)  # a new nonce for every try
        asked_at = datetime.now(UTC)
        reply = await self._post(authority, question.encode())
        return await self._check.accept(reply, question, asked_at)

    async def _post(self, authority: Authority, body: bytes) -> bytes:
        login = None
        if authority.username is not None:
            login = aiohttp.encode_basic_auth(authority.username, authority.password or "", encoding="utf-8")
        async with self._open().post(
            authority.url,
            data=body,
            headers=_HEADERS | ({"Authorization": login} if login else {}),
            proxy=self._route(authority.url),
            allow_redirects=False,  # a redirected POST may become a GET, and would carry the login elsewhere
        ) as response:
            if response.status != 200:
                raise RefusedRequest(f"HTTP {response.status}")
            if response.content_type != "application/timestamp-reply":
                raise RefusedRequest(f"content type {response.content_type}")
            return await _read(response)


def _check_address(authority: Authority) -> Authority:
    try:
        parts = urlsplit(authority.url)
        _ = parts.port  # looked at only when asked for
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise Misuse(
            "timestamp.address",
            zh=f"时间戳服务地址“{authority.url}”不能使用，请填写以 http:// 或 https:// 开头的完整地址。",
            en=f"The timestamp authority's address “{authority.url}” cannot be used; "
            "give a whole one that starts with http:// or https://.",
            url=authority.url,
        )
    return authority


async def _read(response: aiohttp.ClientResponse) -> bytes:
    reply = bytearray()
    async for chunk in response.content.iter_any():
        reply += chunk
        if len(reply) > REPLY_LIMIT:
            raise UntrustedReply("malformed", f"more than {REPLY_LIMIT} bytes")
    return bytes(reply)


def _describe(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    return str(error) or type(error).__name__


def _all_failed(failures: Mapping[str, str], *, untrusted: bool) -> SealflowError:
    said = "; ".join(f"{name}: {reason}" for name, reason in failures.items())
    if untrusted:
        return Unavailable(
            "timestamp.untrusted",
            zh=f"时间戳服务的回复未通过检查，未予采用（{said}）。请检查服务地址、信任锚和两端时钟；稍后会自动重试。",
            en=f"What the timestamp authorities answered did not pass the checks and was not used ({said}). "
            "Check their addresses, the trust anchors and both clocks; it is tried again later.",
            failures=said,
            authorities=len(failures),
        )
    return Unavailable(
        "timestamp.unavailable",
        zh=f"所有时间戳服务都不可用（{said}）。文档保持等待时间戳状态，稍后自动重试；请检查网络、代理和账号。",
        en=f"No timestamp authority is available ({said}). The document waits for its timestamp and it is tried again "
        "later; check network, proxy and account.",
        failures=said,
        authorities=len(failures),
    )
