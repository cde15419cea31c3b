"""The demo authority's counter for one-time certificates, over its real HTTP server."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from engine.trust.authority.server import DemoAuthority, demo_authority


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[DemoAuthority]:
    async with demo_authority(tmp_path / "pki") as authority:
        yield authority


def application(key: str = "key", **more: Any) -> dict[str, Any]:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "示例")])
    pkcs10 = (
        x509.CertificateSigningRequestBuilder().subject_name(name).sign(private, SHA256()).public_bytes(Encoding.DER)
    )
    return {"pkcs10": base64.b64encode(pkcs10).decode(), "name": "示例", "key": key} | more


async def ask(authority: DemoAuthority, body: object) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{authority.pki.base}/certificates", data=json.dumps(body)) as response,
    ):
        return response.status, await response.text()


async def test_a_certificate_names_whom_it_was_asked_for_and_is_registered(authority: DemoAuthority) -> None:
    asked = application(number="990000199001010017")
    status, said = await ask(authority, asked)
    certificate, issuer = [x509.load_der_x509_certificate(base64.b64decode(one)) for one in json.loads(said)]
    assert status == 200
    assert {attribute.value for attribute in certificate.subject} >= {"示例", "990000199001010017"}
    assert "DEMO" in certificate.subject.rfc4514_string(), "nobody takes it for a real one"
    certificate.verify_directly_issued_by(issuer)
    assert authority.register.entries()[certificate.serial_number] is None, "its status can be asked"
    assert await ask(authority, asked) == (status, said), "the same request under the same key"


@pytest.mark.parametrize(
    "body", [{}, [], application(name=""), application(name="长" * 65), application(pkcs10="eA=="), application(more=1)]
)
async def test_what_is_no_application_is_refused(authority: DemoAuthority, body: object) -> None:
    assert (await ask(authority, body))[0] == 422


async def test_another_request_under_a_used_key_is_refused(authority: DemoAuthority) -> None:
    assert (await ask(authority, application()))[0] == 200
    assert (await ask(authority, application()))[0] == 422
