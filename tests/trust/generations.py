"""Thirty years in seconds: authorities of five generations behind one real server, each living in its own time."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from aiohttp import web
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from engine.settings import Authority
from engine.trust.authority.certificates import (
    PrivateKey,
    make_issuing,
    make_party,
    make_responder,
    make_root,
    make_timestamping,
)
from engine.trust.authority.pki import DemoPki
from engine.trust.authority.server import DemoAuthority, make_application
from engine.trust.authority.status import Register
from engine.trust.keys import SoftwareKey
from engine.trust.revocation import RevocationSource
from engine.trust.timestamps import TimestampClient

_YEAR = timedelta(days=365)
KEYS: dict[int, Callable[[], PrivateKey]] = {
    2026: lambda: ec.generate_private_key(ec.SECP256R1()),
    2031: lambda: ec.generate_private_key(ec.SECP384R1()),
    2037: lambda: rsa.generate_private_key(65_537, 4096),
    2043: lambda: ec.generate_private_key(ec.SECP521R1()),
    2049: lambda: ec.generate_private_key(ec.SECP384R1()),
}
"""The year in which each generation begins, and the key of its timestamp authority; a certificate lasts eight years."""


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def go(self, year: int, month: int = 6) -> datetime:
        self.now = datetime(year, month, 1, tzinfo=UTC)
        return self.now


@dataclass(frozen=True)
class Era:
    """One generation."""

    authority: DemoAuthority

    @property
    def root(self) -> Certificate:
        return _convert(self.authority.pki.root.certificate)


class History:
    """Every generation, and clients that know the roots of those that have begun."""

    def __init__(self, folder: Path, port: int) -> None:
        self.time = Time()
        self.eras: dict[int, Era] = {}
        for year, make_key in KEYS.items():
            self.time.go(year, 1)
            self.eras[year] = _begin(folder / str(year), port, f"http://127.0.0.1:{port}/{year}", self.time, make_key())
        self.time.go(2026)

    @property
    def anchors(self) -> tuple[Certificate, ...]:
        return tuple(era.root for year, era in self.eras.items() if year <= self.time.now.year)

    def stamper(self) -> TimestampClient:
        """Asks the newest authority."""
        newest = max(year for year in self.eras if year <= self.time.now.year)
        address = Authority(url=f"{self.eras[newest].authority.pki.base}/timestamp")
        return TimestampClient([address], self.anchors, clock=self.time)

    def revocation(self) -> RevocationSource:
        return RevocationSource(self.anchors, clock=self.time)

    def party(self, name: str) -> SoftwareKey:
        """A signer of the first generation, for five years."""
        pki = self.eras[2026].authority.pki
        holder = make_party(pki.issuing, pki.base, name, "DEMO 演示", clock=self.time)
        self.eras[2026].authority.register.record(holder.certificate.serial_number)
        assert isinstance(holder.key, ec.EllipticCurvePrivateKey)
        return SoftwareKey(holder.key, _convert(holder.certificate), (_convert(pki.issuing.certificate),))


@asynccontextmanager
async def live_through(folder: Path) -> AsyncIterator[History]:
    """Serve all generations on loopback while the block runs."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        history = History(folder, door.getsockname()[1])
        application = web.Application()
        for year, era in history.eras.items():
            application.add_subapp(f"/{year}", make_application(era.authority, clock=history.time))
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.SockSite(runner, door).start()
        try:
            yield history
        finally:
            await runner.cleanup()


def _begin(folder: Path, port: int, base: str, clock: Time, key: PrivateKey) -> Era:
    root = make_root(clock=clock)
    issuing = make_issuing(root, base, clock=clock)
    stamping = make_timestamping(issuing, base, validity=8 * _YEAR, key=key, clock=clock)
    responder = make_responder(issuing, base, clock=clock)
    pki = DemoPki(base, root, issuing, stamping, responder, folder, port, None)
    pki.register.parent.mkdir(parents=True)
    serials = (stamping.certificate.serial_number, responder.certificate.serial_number)
    pki.register.write_bytes(msgspec.json.encode({f"{serial:x}": None for serial in serials}))
    return Era(DemoAuthority(pki, Register(pki.register)))


def _convert(certificate: x509.Certificate) -> Certificate:
    return Certificate.load(certificate.public_bytes(Encoding.DER))
