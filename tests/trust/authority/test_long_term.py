"""The demo PKI under an independent path validator that insists on revocation data for every link."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from asn1crypto.x509 import Certificate
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import RevokedError
from pyhanko_certvalidator.fetchers.aiohttp_fetchers import AIOHttpFetcherBackend

from engine.trust.anchors import load_anchors
from engine.trust.authority.server import DemoAuthority, demo_authority
from engine.trust.keys import Pkcs12Keyring


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[DemoAuthority]:
    async with demo_authority(tmp_path / "pki") as authority:
        yield authority


async def certificate_of(authority: DemoAuthority, role: str) -> Certificate:
    if role == "timestamping":
        return Certificate.load(authority.pki.timestamping.certificate.public_bytes(Encoding.DER))
    return (await Pkcs12Keyring(authority.pki.keys).key(role)).certificate


async def validate(authority: DemoAuthority, role: str, *, usage: str, purpose: str | None = None) -> ValidationContext:
    """Only the leaf and the root are given: issuers, status and lists must all be found by their addresses."""
    async with aiohttp.ClientSession() as session:
        context = ValidationContext(
            trust_roots=list(load_anchors(authority.pki.anchors)),
            allow_fetching=True,
            revocation_mode="require",
            fetcher_backend=AIOHttpFetcherBackend(session),
        )
        leaf = await certificate_of(authority, role)
        await CertificateValidator(leaf, validation_context=context).async_validate_usage(
            {usage}, {purpose} if purpose else None
        )
    return context


@pytest.mark.parametrize(
    ("role", "usage", "purpose"),
    [
        ("platform", "non_repudiation", None),
        ("employer", "non_repudiation", "1.3.6.1.5.5.7.3.36"),
        ("employee", "non_repudiation", "email_protection"),
        ("timestamping", "digital_signature", "time_stamping"),
    ],
)
async def test_every_leaf_validates_with_revocation_required_from_the_addresses_it_names(
    authority: DemoAuthority, role: str, usage: str, purpose: str | None
) -> None:
    context = await validate(authority, role, usage=usage, purpose=purpose)
    assert len(context.ocsps) == 1
    assert context.crls


async def test_a_revoked_party_fails_that_validation(authority: DemoAuthority) -> None:
    authority.revoke((await certificate_of(authority, "employee")).serial_number)
    with pytest.raises(RevokedError):
        await validate(authority, "employee", usage="non_repudiation")
    assert await validate(authority, "employer", usage="non_repudiation")
