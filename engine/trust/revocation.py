"""Gathers certificates and revocation data for chains and keeps each answer until it ends; never answers from silence.

One session and one cache per process: a batch of documents by the same parties asks the network once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp
from asn1crypto.x509 import Certificate as Anchor
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from engine.errors import Rejected, Unavailable
from engine.trust.chains import (
    ISSUERS,
    OCSP,
    Chain,
    addresses,
    build_chain,
    is_self_signed,
    list_addresses,
    load_certificate,
    needs_no_revocation,
)
from engine.trust.clock import Clock, system_clock
from engine.trust.evidence import Evidence
from engine.trust.outbound import Outbound
from engine.trust.status import Status, ask_about, read_list, read_ocsp

_LARGEST = 32 * 1024 * 1024
_KEPT = 4096


@dataclass(slots=True)
class Answer:
    """What an authority said of a certificate; ``kind`` is ocsp or crl."""

    kind: str
    der: bytes
    status: Status


@dataclass(slots=True)
class _Gathered:
    certificates: dict[bytes, None] = field(default_factory=dict)
    ocsps: dict[bytes, None] = field(default_factory=dict)
    crls: dict[bytes, None] = field(default_factory=dict)


class RevocationSource(Outbound):
    """Asks OCSP first, lists second; use it from one event loop, as an async context manager or with ``close``.

    ``anchors``: trusted roots; a chain that does not reach one is refused. ``timeout``: seconds per request.
    """

    def __init__(
        self,
        anchors: Sequence[Anchor],
        *,
        proxy: str | None = None,
        timeout: float = 10.0,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(proxy, timeout)
        self._clock = clock
        loaded = [load_certificate(anchor.dump()) for anchor in anchors]
        self._anchors = [anchor for anchor in loaded if anchor is not None]
        self._answers: dict[bytes, Answer] = {}
        self._fetched: dict[str, bytes] = {}
        self._chains: dict[bytes, list[x509.Certificate]] = {}
        self._locks: dict[bytes, asyncio.Lock] = {}
        self.requests = 0

    async def evidence(self, chains: Iterable[Chain]) -> Evidence:
        """Certificates and fresh revocation data for every chain up to its anchor.

        Raises Rejected ``revocation.revoked`` or ``revocation.no_chain``, Unavailable ``revocation.unavailable``.
        """
        gathered = _Gathered()
        for chain in chains:
            await self._prove(chain, gathered)
        return Evidence(tuple(gathered.certificates), tuple(gathered.ocsps), tuple(gathered.crls))

    async def _prove(self, wanted: Chain, gathered: _Gathered) -> None:
        chain = await self._chain(wanted)
        for certificate in chain:
            gathered.certificates[certificate.public_bytes(Encoding.DER)] = None
        for certificate, issuer in itertools.pairwise(chain):
            if certificate in self._anchors:
                break
            answer = await self._answer(certificate, issuer)
            (gathered.ocsps if answer.kind == "ocsp" else gathered.crls)[answer.der] = None
            responder = answer.status.responder
            if responder is not None:
                gathered.certificates[responder.public_bytes(Encoding.DER)] = None
                if not needs_no_revocation(responder):
                    second = await self._answer(responder, issuer, only_lists=True)
                    gathered.crls[second.der] = None

    async def _chain(self, wanted: Chain) -> list[x509.Certificate]:
        key = hashlib.sha256(wanted.certificate).digest()
        if key in self._chains:
            return self._chains[key]
        leaf = load_certificate(wanted.certificate)
        if leaf is None:
            raise _no_chain("?")
        pool = [*self._anchors, *filter(None, map(load_certificate, wanted.others))]
        chain = build_chain(leaf, pool)
        while not is_self_signed(chain[-1]) and chain[-1] not in self._anchors:
            issuers = await self._fetch_issuers(chain[-1])
            longer = build_chain(leaf, [*pool, *issuers])
            if len(longer) <= len(chain):
                break
            pool, chain = [*pool, *issuers], longer
        if not any(certificate in self._anchors for certificate in chain):
            raise _no_chain(leaf.subject.rfc4514_string())
        if len(self._chains) >= _KEPT:
            self._chains.clear()
        self._chains[key] = chain
        return chain

    async def _fetch_issuers(self, certificate: x509.Certificate) -> list[x509.Certificate]:
        for address in addresses(certificate, ISSUERS):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                found = load_certificate(await self._get(address))
                if found is not None:
                    return [found]
        return []

    async def tell(
        self, certificate: x509.Certificate, issuer: x509.Certificate, *, only_lists: bool = False
    ) -> Answer:
        """A fresh answer about a certificate, be it good or bad; raises Unavailable ``revocation.unavailable``."""
        key = certificate.fingerprint(SHA256())
        async with self._locks.setdefault(key, asyncio.Lock()):
            now = self._clock()
            known = self._answers.get(key)
            if known is None or known.status.fresh_until <= now:
                known = await self._ask(certificate, issuer, now, only_lists=only_lists)
                if len(self._answers) >= _KEPT:
                    self._answers.clear()
                self._answers[key] = known
        return known

    async def _answer(
        self, certificate: x509.Certificate, issuer: x509.Certificate, *, only_lists: bool = False
    ) -> Answer:
        known = await self.tell(certificate, issuer, only_lists=only_lists)
        if known.status.revoked_at is not None:
            who = certificate.subject.rfc4514_string()
            raise Rejected(
                "revocation.revoked",
                zh=f"证书 {who} 已于 {known.status.revoked_at.isoformat()} 被吊销，不能归档。请更换证书后重新签署。",
                en=f"The certificate {who} was revoked at {known.status.revoked_at.isoformat()}; "
                "the document cannot be archived. Sign again with another certificate.",
                subject=who,
            )
        return known

    async def _ask(
        self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime, *, only_lists: bool
    ) -> Answer:
        failures: list[str] = []
        for address in [] if only_lists else addresses(certificate, OCSP):
            try:
                der = await self._post(address, ask_about(certificate, issuer))
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                failures.append(f"{address}: {str(error) or type(error).__name__}")
                continue
            status = read_ocsp(der, certificate, issuer, now)
            if status is not None:
                return Answer("ocsp", der, status)
            failures.append(f"{address}: no valid answer")
        for address in list_addresses(certificate):
            try:
                der = await self._list(address, certificate, issuer, now)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                failures.append(f"{address}: {str(error) or type(error).__name__}")
                continue
            status = read_list(der, certificate, issuer, now)
            if status is not None:
                return Answer("crl", der, status)
            failures.append(f"{address}: no valid list")
        raise _unavailable(certificate, failures)

    async def _list(
        self, address: str, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime
    ) -> bytes:
        """One list serves all certificates of its issuer."""
        kept = self._fetched.get(address)
        if kept is None or read_list(kept, certificate, issuer, now) is None:
            kept = await self._get(address)
            self._fetched[address] = kept
        return kept

    async def _get(self, address: str) -> bytes:
        async with self._open().get(address, proxy=self._route(address)) as response:
            return await self._read(response)

    async def _post(self, address: str, body: bytes) -> bytes:
        headers = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
        async with self._open().post(address, data=body, headers=headers, proxy=self._route(address)) as response:
            return await self._read(response)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        self.requests += 1
        response.raise_for_status()
        body = bytearray()
        async for block in response.content.iter_chunked(1 << 16):
            body += block
            if len(body) > _LARGEST:
                raise aiohttp.ClientPayloadError("the answer is too large")
        return bytes(body)


def _no_chain(who: str) -> Rejected:
    return Rejected(
        "revocation.no_chain",
        zh=f"证书 {who} 无法追溯到受信任的根证书，不能归档。请检查信任锚和证书链。",
        en=f"The certificate {who} does not lead to a trusted root; the document cannot be archived. "
        "Check the trust anchors and the chain.",
        subject=who,
    )


def _unavailable(certificate: x509.Certificate, failures: list[str]) -> Unavailable:
    who = certificate.subject.rfc4514_string()
    return Unavailable(
        "revocation.unavailable",
        zh=f"无法取得证书 {who} 的吊销状态，归档等待重试。",
        en=f"The revocation status of {who} cannot be had; archiving waits and tries again.",
        subject=who,
        failures="; ".join(failures) or "the certificate names no service",
    )
