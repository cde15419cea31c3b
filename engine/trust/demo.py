"""The door to the demo PKI (演示证书): fills the place of real keys and authorities outside production, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from asn1crypto.x509 import Certificate

from engine.errors import Misuse
from engine.settings import Authority
from engine.trust.authority.certificates import ISSUING_NAME, ROOT_NAME
from engine.trust.authority.pki import DESCRIPTION, open_pki
from engine.trust.authority.server import DemoAuthority, demo_authority
from engine.trust.authority.status import Register

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class DemoTrust:
    """Where the demo PKI keeps what settings would name otherwise."""

    directory: Path
    keyring_directory: Path
    anchors_directory: Path
    authority: Authority
    """The demo timestamp authority; it answers while ``serve`` runs here or in another process."""
    sm2_authority: Authority | None
    """The one that stamps with SM2 over SM3, on machines that have SM2."""

    @property
    def authorities(self) -> tuple[Authority, ...]:
        return (self.authority,) if self.sm2_authority is None else (self.authority, self.sm2_authority)

    @property
    def tsa_url(self) -> str:
        return self.authority.url

    def serve(self) -> AbstractAsyncContextManager[DemoAuthority]:
        """Serve timestamps and certificate status while the block runs."""
        return demo_authority(self.directory)


async def ensure_demo(directory: Path, environment: str) -> DemoTrust:
    """Make the demo PKI if it is not there and say where its parts are.

    Raises Misuse ``trust.demo_in_production`` before anything is made.
    """
    if environment == "production":
        raise _in_production()
    pki = await asyncio.to_thread(open_pki, directory)
    log.warning("trust.demo_in_use", directory=str(directory), note="signatures made with it have no legal effect")
    sm2 = Authority(url=f"{pki.sm2.base}/timestamp", digest="sm3") if pki.sm2 is not None else None
    return DemoTrust(directory, pki.keys, pki.anchors, Authority(url=f"{pki.base}/timestamp"), sm2)


def refuse_demo_anchors(anchors: Iterable[Certificate], environment: str) -> None:
    """Raise Misuse ``trust.demo_in_production`` when production is told to trust the root of any demo PKI."""
    if environment == "production" and any(ROOT_NAME in anchor.subject.human_friendly for anchor in anchors):
        raise _in_production()


def refuse_demo_key(path: Iterable[Certificate], environment: str) -> None:
    """Raise Misuse ``trust.demo_in_production`` when production is to sign with what any demo PKI certified."""
    if environment == "production" and any(map(_is_by_demo, path)):
        raise _in_production()


def refuse_demo_keys(directory: Path | None, environment: str) -> None:
    """Raise Misuse ``trust.demo_in_production`` for a folder of keys that lies in a demo PKI; others say it in use."""
    if environment == "production" and directory is not None and (directory.parent / DESCRIPTION).is_file():
        raise _in_production()


def revoke_demo_certificate(directory: Path, certificate: Certificate) -> bool:
    """Tell the demo PKI in a directory that a certificate of its own is revoked; False: it issued no such thing."""
    if not (directory / DESCRIPTION).is_file() or not _is_by_demo(certificate):
        return False
    Register(open_pki(directory).register).record(certificate.serial_number, datetime.now(UTC))
    return True


def _is_by_demo(certificate: Certificate) -> bool:
    issuer: str = certificate.issuer.human_friendly
    return ROOT_NAME in issuer or ISSUING_NAME in issuer


def _in_production() -> Misuse:
    return Misuse(
        "trust.demo_in_production",
        zh="生产环境不能使用演示证书。请在设置 trust 中配置正式的 keys、anchors 和 timestamp_authorities。",
        en="Production cannot use the demo PKI. Set keys, anchors and timestamp_authorities of your own under trust.",
    )
