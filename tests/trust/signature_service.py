"""A signature service on loopback: the part of CSC API v2 that is used, with every way to fail it may have."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import web
from asn1crypto.x509 import Certificate
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from engine.settings import RemoteService
from engine.trust.authority import certificates
from engine.trust.keys import SoftwareKey
from engine.trust.suites.keys import Sm2Key
from engine.trust.suites.sm2 import Sm2PrivateKey
from tests.trust.paper import make_key

ROOT = make_key("ec", "Sample Root", usage="ca")
TOKEN, PIN = "sample-token", "2718"


def make_sm2_key(_kind: str, name: str, _issuer: SoftwareKey) -> Sm2Key:
    issuing = certificates.make_issuing(certificates.make_root("sm2"), "http://127.0.0.1:9")
    holder = certificates.make_party(issuing, "http://127.0.0.1:9", name, "Sample")
    assert isinstance(holder.key, Sm2PrivateKey)
    return Sm2Key(holder.key, Certificate.load(holder.certificate.public_bytes(Encoding.DER)))


def sign_with_sm2(key: Sm2PrivateKey, digest: bytes) -> bytes:
    """Sign what the caller made of identity and data, as such a service does; the openssl command can."""
    with TemporaryDirectory() as folder:
        for name, content in (("key.der", key.dump()), ("digest", digest)):
            (Path(folder) / name).write_bytes(content)
        command = ["openssl", "pkeyutl", "-sign", "-keyform", "DER", "-inkey", "key.der", "-in", "digest"]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout


def bare(value: bytes) -> bytes:
    """The two numbers of a signature without DER."""
    return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(value))


class SignatureService:
    """``moods`` are taken one by one, each by one request to sign; then all is well.

    before: lost, then not signed; after: signed, then lost; wrong, other: another signature, another key; raw: IEEE
    P1363; html; slow; a number: that HTTP status. ``uses`` counts signatures made, ``asked`` requests to sign.
    """

    def __init__(self, kind: str = "ec") -> None:
        make = make_sm2_key if kind == "sm2" else make_key
        self.key = make(kind, "Sample Works Ltd", ROOT)
        self.other = make(kind, "Sample Works Ltd", ROOT)
        self.moods: list[str] = []
        self.uses = self.asked = 0
        self.remembers = True
        self.kept: dict[str, str] = {}
        self.seen: list[dict[str, Any]] = []
        self.url = ""
        self.runner: web.AppRunner | None = None

    def table(self, folder: Path, **more: Any) -> RemoteService:
        for name, text in (("token", TOKEN), ("pin", PIN)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        settings: dict[str, Any] = {"credentials": folder / "token", "timeout": 2.0} | more
        return RemoteService(url=self.url, parties={"employer": "credential-1"}, **settings)

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[SignatureService]:
        application = web.Application()
        application.add_routes(
            [
                web.post("/csc/v2/credentials/info", self._info),
                web.post("/csc/v2/credentials/authorize", self._authorize),
                web.post("/csc/v2/signatures/signHash", self._sign),
                web.get("/csc/v2/signatures/{key}", self._status),
            ]
        )
        self.runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/csc/v2"
        try:
            yield self
        finally:
            await self.runner.cleanup()

    async def _info(self, request: web.Request) -> web.Response:
        self._check(request)
        chain = [base64.b64encode(one.dump()).decode() for one in (self.key.certificate, ROOT.certificate)]
        return web.json_response({"key": {"status": "enabled"}, "cert": {"certificates": chain}})

    async def _authorize(self, request: web.Request) -> web.Response:
        self._check(request)
        asked = await request.json()
        if asked["authData"] != [{"id": "PIN", "value": PIN}]:
            raise web.HTTPUnauthorized(text="wrong PIN")
        return web.json_response({"SAD": f"activated for {asked['hashes'][0]}"})

    async def _status(self, request: web.Request) -> web.Response:
        self._check(request)
        kept = self.kept.get(request.match_info["key"])
        return web.json_response({"signatures": [kept]}) if kept else web.json_response({}, status=404)

    async def _sign(self, request: web.Request) -> web.Response:
        self._check(request)
        self.asked += 1
        asked = await request.json()
        self.seen.append(asked)
        mood = self.moods.pop(0) if self.moods else ""
        if mood == "before":
            return self._hang_up(request)
        if mood == "html":
            return web.Response(text="<html>maintenance</html>", content_type="text/html")
        if mood.isdigit():
            return web.json_response({"error": mood}, status=int(mood))
        name = request.headers["Idempotency-Key"].strip('"')
        if not (self.remembers and name in self.kept):
            self.kept[name] = base64.b64encode(self._value(base64.b64decode(asked["hashes"][0]), mood)).decode()
        if mood == "after":
            return self._hang_up(request)
        if mood == "slow":
            await asyncio.sleep(3)
        return web.json_response({"signatures": [self.kept[name]]})

    def _value(self, digest: bytes, mood: str) -> bytes:
        self.uses += 1
        key = self.other if mood == "other" else self.key
        digest = bytes(32) if mood == "wrong" else digest
        if isinstance(key, Sm2Key):
            value = sign_with_sm2(key.private, digest)
            return bare(value) if mood == "raw" else value
        if isinstance(key.private, rsa.RSAPrivateKey):
            return key.private.sign(digest, padding.PKCS1v15(), Prehashed(SHA256()))
        value = key.private.sign(digest, ec.ECDSA(Prehashed(SHA256())))
        return bare(value) if mood == "raw" else value

    def _hang_up(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def _check(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise web.HTTPUnauthorized(text="who are you")
