"""Serves the demo PKI on loopback: timestamps, OCSP, revocation lists, one-time certificates; no login, no TLS.

Several processes may serve one PKI: the first holds the port, the others use it and take over when it goes away.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import errno
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from engine.errors import Misuse, Unavailable
from engine.trust.authority import certificates
from engine.trust.authority.issuing import IssuingDesk, Refused
from engine.trust.authority.pki import Branch, DemoPki, open_pki, write_pkcs12
from engine.trust.authority.stamping import TokenIssuer
from engine.trust.authority.status import Register, StatusDesk
from engine.trust.clock import Clock, system_clock

_REQUEST_LIMIT = 16_384
_TAKEOVER_SECONDS = 0.5
_PATIENCE_SECONDS = 4.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class DemoAuthority:
    """A demo PKI whose server answers."""

    pki: DemoPki
    register: Register

    @property
    def timestamp_url(self) -> str:
        return f"{self.pki.base}/timestamp"

    @property
    def ocsp_url(self) -> str:
        return f"{self.pki.base}/ocsp"

    def issue(self, party: str, common_name: str, organization: str) -> Path:
        """Make a key for one more party beside the others; returns its ``.p12`` file.

        Raises Misuse ``trust.demo_party_exists``: a key in use is never replaced.
        """
        file = self.pki.keys / f"{party}.p12"
        if file.exists():
            raise Misuse(
                "trust.demo_party_exists",
                zh=f"演示签约方“{party}”已有密钥 {file}，请换一个名称。",
                en=f"The demo party “{party}” already has the key {file}; choose another name.",
                party=party,
            )
        holder = certificates.make_party(self.pki.issuing, self.pki.base, common_name, organization)
        self.register.record(holder.certificate.serial_number)
        write_pkcs12(file, holder, [self.pki.issuing.certificate, self.pki.root.certificate])
        return file

    def revoke(self, serial: int, at: datetime | None = None) -> None:
        """Revoke (吊销) a certificate by its serial number; the next answer says so."""
        self.register.record(serial, (at or system_clock()).replace(microsecond=0))


@asynccontextmanager
async def demo_authority(directory: Path) -> AsyncIterator[DemoAuthority]:
    """Open or make the PKI in ``directory`` and see that it is served while the block runs.

    Raises Unavailable ``trust.demo_port_taken`` when a program that is not ours holds its port.
    """
    pki = await asyncio.to_thread(open_pki, directory)
    authority = DemoAuthority(pki, Register(pki.register))
    runner = web.AppRunner(make_application(authority), access_log=None)
    await runner.setup()
    takeover: asyncio.Task[None] | None = None
    try:
        if not await _join(runner, pki):
            takeover = asyncio.create_task(_take_over(runner, pki))
        yield authority
    finally:
        if takeover is not None:
            takeover.cancel()
            await asyncio.gather(takeover, return_exceptions=True)
        await runner.cleanup()


def make_application(authority: DemoAuthority, *, clock: Clock = system_clock) -> web.Application:
    """The routes, for whoever wants to serve them elsewhere."""
    pki = authority.pki

    async def identify(_request: web.Request) -> web.Response:
        return web.Response(text=_identity(pki))

    counter = IssuingDesk(pki, authority.register)

    async def certify(request: web.Request) -> web.Response:
        try:
            return web.Response(body=counter.issue(await request.read()), content_type="application/json")
        except Refused as error:
            return web.Response(status=422, text=str(error))

    application = web.Application(client_max_size=_REQUEST_LIMIT)
    application.add_routes([web.post("/certificates", certify)])
    application.add_routes([*_routes(pki, pki.base, authority.register, clock), web.get("/", identify)])
    if pki.sm2 is not None:
        application.add_routes(_routes(pki.sm2, pki.base, authority.register, clock))
    return application


def _routes(branch: Branch, server: str, register: Register, clock: Clock) -> list[web.RouteDef]:
    issuer = TokenIssuer(branch.timestamping, [branch.issuing.certificate], clock=clock)
    desk = StatusDesk(branch, register, clock=clock)
    prefix = branch.base.removeprefix(server)

    async def stamp(request: web.Request) -> web.Response:
        return web.Response(body=issuer.answer(await request.read()), content_type="application/timestamp-reply")

    async def tell_status(request: web.Request) -> web.Response:
        if request.method == "POST":
            body = await request.read()
        else:
            try:
                body = base64.b64decode(request.match_info["request"], validate=True)
            except binascii.Error:
                body = b""
        return web.Response(body=desk.answer(body), content_type="application/ocsp-response")

    async def send_list(request: web.Request) -> web.Response:
        return web.Response(body=desk.revocation_list(request.match_info["role"]), content_type="application/pkix-crl")

    async def send_certificate(request: web.Request) -> web.Response:
        holder = branch.root if request.match_info["role"] == "root" else branch.issuing
        return web.Response(
            body=holder.certificate.public_bytes(Encoding.DER),
            content_type="application/pkix-cert",
        )

    return [
        web.post(f"{prefix}/timestamp", stamp),
        web.post(f"{prefix}/ocsp", tell_status),
        web.get(prefix + "/ocsp/{request:.+}", tell_status),
        web.get(prefix + "/{role:root|issuing}.crl", send_list),
        web.get(prefix + "/{role:root|issuing}.crt", send_certificate),
    ]


async def _listen(runner: web.AppRunner, pki: DemoPki) -> bool:
    """Take the PKI's port; False when somebody holds it."""
    site = web.TCPSite(runner, "127.0.0.1", pki.port)
    try:
        await site.start()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        await site.stop()
        return False
    return True


async def _join(runner: web.AppRunner, pki: DemoPki) -> bool:
    """True: we hold the port; False: a server of the same PKI does."""
    until = time.monotonic() + _PATIENCE_SECONDS  # who holds it may just be starting or ending
    while not await _listen(runner, pki):
        holder = await _identify(pki)
        if holder == _identity(pki):
            return False
        if holder is not None or time.monotonic() > until:
            raise Unavailable(
                "trust.demo_port_taken",
                zh=f"演示证书服务的端口 {pki.port} 被其他程序占用。请停止该程序，或移走目录 {pki.directory}。",
                en=f"Another program holds port {pki.port} of the demo authority. Stop it, "
                f"or move the folder {pki.directory} away and a new demo PKI is made.",
                port=pki.port,
                directory=str(pki.directory),
            )
        await asyncio.sleep(_PATIENCE_SECONDS / 20)
    return True


async def _identify(pki: DemoPki) -> str | None:
    """What the program on the PKI's port says it is; None when it does not say."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE_SECONDS)) as session,
            session.get(pki.base) as response,
        ):
            return (await response.content.read(1000)).decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        log.debug("trust.demo_port_probe", error=str(error))
        return None


async def _take_over(runner: web.AppRunner, pki: DemoPki) -> None:
    while True:
        await asyncio.sleep(_TAKEOVER_SECONDS)
        if await _listen(runner, pki):
            log.info("trust.demo_taken_over", port=pki.port)
            return


def _identity(pki: DemoPki) -> str:
    return f"sealflow demo authority {pki.root.certificate.fingerprint(SHA256()).hex()}"
