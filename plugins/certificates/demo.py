"""A stand-in for an authority of one-time certificates: asks the demo PKI, which certifies any name."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from engine.errors import Rejected, Unavailable
from engine.vendors.hooks import hookimpl
from engine.vendors.protocols import CertificateRequest

_TIMEOUT = aiohttp.ClientTimeout(total=10.0)


class DemoCertificates:
    """Finds the demo authority by ``<home>/demo-pki/pki.json``; it answers while any command or worker runs."""

    development_only = True

    def __init__(self, home: Path) -> None:
        self._description = home / "demo-pki" / "pki.json"

    async def issue(self, request: CertificateRequest, key: str) -> tuple[bytes, ...]:
        asked = {
            "pkcs10": base64.b64encode(request.pkcs10).decode(),
            "name": request.name,
            "number": request.number,
            "key": key,
        }
        try:
            port = json.loads(self._description.read_text("utf-8"))["port"]
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.post(f"http://127.0.0.1:{port}/certificates", json=asked) as response,
            ):
                status, said = response.status, await response.text()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError) as error:
            raise _away(type(error).__name__) from error
        if status == 422:
            raise Rejected(
                "certificate.request",
                zh=f"演示证书机构拒绝了证书申请（{said}）。请检查签约人名称。",
                en=f"The demo authority refused the certificate request ({said}). Check the name of the signer.",
            )
        if status != 200:
            raise _away(f"HTTP {status}")
        return tuple(base64.b64decode(one) for one in json.loads(said))


def _away(why: str) -> Unavailable:
    return Unavailable(
        "certificate.unavailable",
        zh=f"演示证书机构没有应答（{why}）。请确认使用的是演示证书；系统会重试。",
        en=f"The demo authority does not answer ({why}). Make sure that it is in use; it will be tried again.",
    )


@hookimpl
def sealflow_certificate_issuers() -> Mapping[str, type[DemoCertificates]]:
    """Offer ``demo-certificates``."""
    return {"demo-certificates": DemoCertificates}
