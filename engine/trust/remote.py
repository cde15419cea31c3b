"""Keys at a signature service (远程签名服务): CSC API v2 ``signatures/signHash``; a lost answer is never guessed away.

The Cloud Signature Consortium's API is spoken because authorities speak it; it has no word for repeated requests, so
each carries the effect key as ``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header) and as ``clientData``. A
service that honours it is set ``idempotent``: doubt is settled by asking again. One that tells what it did is set
``status``: it is asked ``GET signatures/<key>``. For any other, an answer that was lost parks the run.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec
from asn1crypto import algos
from asn1crypto.x509 import Certificate
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from engine.errors import InDoubt, Misuse, Unavailable
from engine.settings import RemoteService
from engine.trust.acts import Once
from engine.trust.clock import Clock, system_clock
from engine.trust.fitness import (
    chain_of,
    check_usage,
    check_validity,
    no_sm2,
    read_certificates,
    read_secret,
    unfit,
    weak,
)
from engine.trust.holders import Holder
from engine.trust.keys import SigningKey, unknown_party
from engine.trust.mechanisms import digest_for, hash_for, is_elliptic, is_signature, is_strong, mechanism_for
from engine.trust.outbound import LOOPBACK, Outbound
from engine.trust.suites.sm2 import is_available

_LARGEST_ANSWER = 1024 * 1024
_KEPT = 600.0
"""Seconds for which what a service said of a certificate is believed."""
_BUSY = (429, 503)
"""Statuses by which a service says that it did not act (RFC 6585, RFC 9110)."""
_OPEN = (408, 409, 425)
"""Client errors after which it may have acted: timed out, still at it, too early."""


class Doubt(Exception):  # never leaves this module
    """The service may have acted, and how it ended is not known."""


class RemoteSource(Outbound):
    """The keys at one service: a credential for each party.

    Raises Misuse ``keys.remote_refused``, Unavailable ``keys.remote_unavailable``, InDoubt ``keys.remote_doubt`` and
    what every key must prove.
    """

    def __init__(self, service: RemoteService, *, proxy: str | None = None, clock: Clock = system_clock) -> None:
        super().__init__(proxy, service.timeout)
        address = urlsplit(service.url)
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
            raise Misuse(
                "keys.remote_address",
                zh=f"签名服务地址 {service.url} 不是 https，凭据会被窃听。请改正设置 trust.remote.url。",
                en=f"The address {service.url} of the signature service is not https, so others could read the "
                "credentials. Correct trust.remote.url.",
                url=service.url,
            )
        self.service = service
        # Who cannot even be reached did not act: that must be told apart from an answer that does not come.
        self._limits = aiohttp.ClientTimeout(total=service.timeout, sock_connect=service.timeout / 3)
        self._clock = clock
        self._known: dict[str, tuple[float, list[Certificate]]] = {}

    @property
    def place(self) -> str:
        return self.service.url

    def holds(self, party: str) -> bool:
        return party in self.service.parties

    def parties(self) -> list[str]:
        return sorted(self.service.parties)

    async def key(
        self,
        party: str,
        once: Once,  # noqa: ARG002  # these keys last
        subject: str,  # noqa: ARG002  # as above
        holder: Holder | None = None,  # noqa: ARG002  # the keyring compares
        proof: bytes = b"",  # noqa: ARG002  # as above
    ) -> SigningKey:
        found = await self._certificates(party)
        check_validity(found[0], self.place, party, self._clock())
        check_usage(found[0], self.place, party)
        if not is_strong(found[0]):
            raise weak(self.place, party)
        if digest_for(found[0]) == "sm3" and not is_available():
            raise no_sm2(self.place, party)  # else nobody here could tell whether what comes back is its signature
        return RemoteKey(self, party, found[0], chain_of(found[0], found[1:]))

    async def certificate(self, party: str) -> Certificate:
        return (await self._certificates(party))[0]

    def forget(self, party: str) -> None:
        """Ask for the party's certificate anew at the next use."""
        self._known.pop(party, None)

    async def _certificates(self, party: str) -> list[Certificate]:
        if not self.holds(party):
            raise unknown_party(party, {self.place: self.parties()})
        if self.service.certificates is not None:
            return read_certificates(self.service.certificates / f"{party}.pem", party)
        asked, found = self._known.get(party, (0.0, []))
        if not found or time.monotonic() - asked > _KEPT:
            question = {"credentialID": self.service.parties[party], "certificates": "chain"}
            try:
                told = await self.post(party, "credentials/info", question)
                found = [Certificate.load(base64.b64decode(one), strict=True) for one in told["cert"]["certificates"]]
                _ = [one.native for one in found]
            except Doubt as error:
                raise self.unavailable(party, str(error)) from error  # asking again harms nobody
            except (KeyError, TypeError, ValueError):
                found = []
            if not found:
                raise unfit("unreadable", self.place, party, "服务没有给出证书", "the service gave no certificate")
            self._known[party] = (time.monotonic(), found)
        return found

    async def post(self, party: str, path: str, body: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """Ask the service; raises Doubt unless it is sure that nothing was done or what was done is told."""
        headers = {"Idempotency-Key": f'"{key}"'} if key else {}
        return await self._ask(party, "POST", path, headers, msgspec.json.encode(body))

    async def look_up(self, party: str, key: str) -> dict[str, Any] | None:
        """What became of an earlier request, if the service says so and knows."""
        if not self.service.status:
            return None
        try:
            return await self._ask(party, "GET", f"signatures/{quote(key, safe='')}", {}, None)
        except (Doubt, Misuse, Unavailable):
            return None

    async def _ask(
        self, party: str, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> dict[str, Any]:
        address = f"{self.service.url.rstrip('/')}/{path}"
        if self.service.credentials is not None:
            headers["Authorization"] = f"Bearer {read_secret(self.service.credentials, party)}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        if not self.service.idempotent:
            headers["Connection"] = "close"  # on a kept connection the service may hang up while we write
        try:
            async with self._open().request(
                method,
                address,
                data=body,
                headers=headers,
                proxy=self._route(address),
                allow_redirects=False,
                timeout=self._limits,
            ) as response:
                status, content = response.status, await response.content.read(_LARGEST_ANSWER)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:  # nothing was sent
            raise self.unavailable(party, type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Doubt(type(error).__name__) from error
        if status in _BUSY:
            raise self.unavailable(party, f"HTTP {status}")
        if 300 <= status < 500 and status not in _OPEN:
            raise self._refused(party, status, content)
        if status != 200:
            raise Doubt(f"HTTP {status}")
        try:
            return msgspec.json.decode(content, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise Doubt("unreadable answer") from error

    def unavailable(self, party: str, why: str) -> Unavailable:
        """The service did not act."""
        return Unavailable(
            "keys.remote_unavailable",
            zh=f"签约方“{party}”的签名服务 {self.place} 暂时不可用（{why}）。系统会重试。",
            en=f"The signature service {self.place} of the party “{party}” is away ({why}); it will be tried again.",
            party=party,
            place=self.place,
        )

    def _refused(self, party: str, status: int, content: bytes) -> Misuse:
        said = content[:200].decode("utf-8", "replace")
        return Misuse(
            "keys.remote_refused",
            zh=f"签名服务 {self.place} 拒绝了签约方“{party}”的请求（HTTP {status}：{said}）。请检查凭据和密钥编号。",
            en=f"The signature service {self.place} refused the party “{party}” (HTTP {status}: {said}). Check its "
            "credentials and the name of its key.",
            party=party,
            place=self.place,
            status=status,
        )


@dataclass(frozen=True, slots=True)
class RemoteKey:
    """A key that stays at its service; what the service gives is checked before it is believed."""

    source: RemoteSource
    party: str
    certificate: Certificate
    chain: tuple[Certificate, ...]

    @property
    def digest_algorithm(self) -> str:
        return digest_for(self.certificate)

    @property
    def repeatable(self) -> bool:
        return self.source.service.idempotent

    def mechanism(self, digest_algorithm: str) -> algos.SignedDigestAlgorithm:
        return mechanism_for(self.certificate, digest_algorithm)

    async def sign(self, data: bytes, digest_algorithm: str, act: str) -> bytes:
        request = self._request(data, digest_algorithm)
        if self.source.service.pin is not None:
            request["SAD"] = await self._authorize(request)
        request |= {"operationMode": "S", "clientData": act}
        try:
            answer = await self.source.post(self.party, "signatures/signHash", request, act)
        except Doubt as error:
            found = await self.recall(data, digest_algorithm, act)
            if found is not None:
                return found
            if self.repeatable:
                raise self.source.unavailable(self.party, str(error)) from error
            raise self._doubt(str(error)) from error
        signature = self._checked(answer, data, digest_algorithm)
        if signature is None:
            self.source.forget(self.party)  # it may have another certificate by now
            raise self._doubt("no signature that belongs to the certificate")
        return signature

    async def recall(self, data: bytes, digest_algorithm: str, act: str) -> bytes | None:
        answer = await self.source.look_up(self.party, act)
        return None if answer is None else self._checked(answer, data, digest_algorithm)

    def _request(self, data: bytes, digest_algorithm: str) -> dict[str, Any]:
        """What CSC API v2, 11.11 asks for, but for the authorisation."""
        mechanism = self.mechanism(digest_algorithm)
        request = {
            "credentialID": self.source.service.parties[self.party],
            "hashes": [base64.b64encode(hash_for(self.certificate, data, digest_algorithm)).decode()],
            "hashAlgorithmOID": algos.DigestAlgorithmId(digest_algorithm).dotted,
            "signAlgo": mechanism["algorithm"].dotted,
        }
        if mechanism["algorithm"].native == "rsassa_pss":
            request["signAlgoParams"] = base64.b64encode(mechanism["parameters"].dump()).decode()
        return request

    async def _authorize(self, request: Mapping[str, Any]) -> str:
        """Signature activation data for these digests and no others (``credentials/authorize``); uses no key yet."""
        pin = self.source.service.pin
        asked = {
            "credentialID": request["credentialID"],
            "numSignatures": 1,
            "hashes": request["hashes"],
            "hashAlgorithmOID": request["hashAlgorithmOID"],
            "authData": [{"id": "PIN", "value": read_secret(pin, self.party) if pin else ""}],
        }
        try:
            return str((await self.source.post(self.party, "credentials/authorize", asked))["SAD"])
        except (Doubt, KeyError) as error:
            raise self.source.unavailable(self.party, "no authorisation") from error

    def _checked(self, answer: Mapping[str, Any], data: bytes, digest_algorithm: str) -> bytes | None:
        """The signature, as DER where services differ, if it is one of this certificate's key over the data."""
        try:
            (text,) = answer["signatures"]
            value = base64.b64decode(text, validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error):
            return None
        forms = [value]
        if is_elliptic(self.certificate) and len(value) % 2 == 0:  # some give the bare numbers (IEEE P1363)
            half = len(value) // 2
            forms.append(encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big")))
        return next((form for form in forms if is_signature(self.certificate, form, data, digest_algorithm)), None)

    def _doubt(self, why: str) -> InDoubt:
        return InDoubt(
            "keys.remote_doubt",
            zh=f"签名服务 {self.source.place} 可能已为签约方“{self.party}”签名，但没有得到可用的结果（{why}）。"
            "请向服务方核实，系统不会自动重签。",
            en=f"The signature service {self.source.place} may have signed for the party “{self.party}”, but its "
            f"answer was lost or wrong ({why}). Ask the service; it is not repeated by itself.",
            party=self.party,
            place=self.source.place,
        )
