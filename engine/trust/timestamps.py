"""Asks timestamp authorities (时间戳服务) in order until one gives a token that stands; no local clock ever stands in.

An authority that failed repeatedly is asked last for a while; it is never left out, so the service recovers by itself.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import aiohttp
import structlog
from asn1crypto import cms
from asn1crypto.x509 import Certificate
from pyhanko.sign.general import extract_certificate_info

from engine.errors import Misuse, SealflowError, Unavailable
from engine.settings import Authority
from engine.trust import measures
from engine.trust.clock import Clock, system_clock
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

    def note(self, outcome: str) -> None:
        """Remember ``granted``, ``untrusted`` or ``failed``."""
        worked = outcome == "granted"
        self.failures = 0 if worked else self.failures + 1
        if self.failures >= _FAILURES_TO_OPEN:
            self.open_until = time.monotonic() + _OPEN_SECONDS
        elif worked:
            self.open_until = 0.0
        measures.REPLIES.labels(self.name, outcome).inc()
        measures.SHUNNED.labels(self.name).set(self.open_until > time.monotonic())


@dataclass(frozen=True, slots=True)
class Health:
    """How one authority answered a real request.

    ``problem``: None when its token stands. ``seconds``: until it had answered. ``ahead``: seconds by which its clock
    is ahead of ours, as far as the way there and back lets us tell. ``policy``: OID of the token's policy.
    ``certificate_ends``: when the certificate it stamps with ends.
    """

    authority: str
    problem: str | None
    seconds: float
    ahead: float | None = None
    policy: str | None = None
    certificate_ends: datetime | None = None


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
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(proxy, timeout)
        if not authorities:
            raise Misuse(
                "timestamp.no_authority",
                zh="没有配置时间戳服务。请在设置 trust.timestamp_authorities 中至少填写一个。",
                en="No timestamp authority is configured. Name one in the setting trust.timestamp_authorities.",
            )
        self._lines = [_Line(_check_address(authority)) for authority in authorities]
        self._clock = clock
        self._check = TokenCheck(anchors, clock_bound=clock_bound, clock=clock)

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
        for line in sorted(self._lines_for(algorithm), key=lambda line: line.open_until > now):
            try:
                token = await self._ask(line, digest, algorithm)
            except UntrustedReply as error:
                failures[line.name] = str(error)
                log.error("timestamp.untrusted_reply", authority=line.name, reason=error.reason, detail=str(error))
                line.note("untrusted")
            except (RefusedRequest, aiohttp.ClientError, TimeoutError, OSError) as error:
                failures[line.name] = _describe(error)
                lied = False
                log.warning("timestamp.authority_failed", authority=line.name, reason=failures[line.name])
                line.note("failed")
            else:
                line.note("granted")
                return token
        raise _all_failed(failures, untrusted=lied)

    async def health(self) -> tuple[Health, ...]:
        """Ask every authority for a real token, all at once: an open port proves nothing."""
        return tuple(await asyncio.gather(*map(self._probe, self._lines)))

    async def _probe(self, line: _Line) -> Health:
        digest, began = secrets.token_bytes(32), time.perf_counter()
        try:
            token = await self._ask(line, digest, line.authority.digest)
        except UntrustedReply as error:
            line.note("untrusted")
            return Health(line.name, _describe(error), time.perf_counter() - began)
        except (RefusedRequest, aiohttp.ClientError, TimeoutError, OSError) as error:
            line.note("failed")
            return Health(line.name, _describe(error), time.perf_counter() - began)
        seconds = time.perf_counter() - began
        line.note("granted")
        signed = cms.ContentInfo.load(token)["content"]  # checked just now
        stamped = signed["encap_content_info"]["content"].parsed
        half_way = self._clock() - timedelta(seconds=seconds / 2)
        return Health(
            line.name,
            None,
            seconds,
            ahead=(stamped["gen_time"].native - half_way).total_seconds(),
            policy=stamped["policy"].dotted,
            certificate_ends=extract_certificate_info(signed).signer_cert.not_valid_after,
        )

    def require(self, algorithm: str) -> None:
        """Raise Misuse ``timestamp.no_authority_for`` unless an authority stamps with it; before a key is used."""
        self._lines_for(algorithm)

    def _lines_for(self, algorithm: str) -> list[_Line]:
        suite = "sm3" if algorithm == "sm3" else "sha256"
        lines = [line for line in self._lines if line.authority.digest == suite]
        if not lines:
            raise Misuse(
                "timestamp.no_authority_for",
                zh=f"没有为摘要算法 {algorithm} 配置时间戳服务。请在设置 trust.timestamp_authorities 中增加一个 "
                f'digest = "{suite}" 的服务。',
                en=f"No timestamp authority is configured for the digest algorithm {algorithm}. "
                f'Add one with digest = "{suite}" to the setting trust.timestamp_authorities.',
                algorithm=algorithm,
            )
        return lines

    async def _ask(self, line: _Line, digest: bytes, algorithm: str) -> bytes:
        question = Question(digest, algorithm, policy=line.authority.policy)  # a new nonce for every try
        asked_at = self._clock()
        with measures.timed(line.name):
            reply = await self._post(line.authority, question.encode())
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
