from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from engine.errors import Rejected, Unavailable
from engine.trust.chains import Chain, build_chain, issued_by
from engine.trust.revocation import RevocationSource
from engine.trust.status import read_list, read_ocsp

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)
OCSP_NO_CHECK = x509.OCSPNoCheck()


class Holder:
    """A key and its certificate."""

    def __init__(self, name: str, issuer: Holder | None = None, *extensions: x509.ExtensionType) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(
            issuer.certificate.subject if issuer else subject,
            subject,
            self.key.public_key(),
            x509.random_serial_number(),
            NOW - 30 * DAY,
            NOW + 30 * DAY,
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        self.certificate = builder.sign((issuer or self).key, SHA256())

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


ROOT = Holder("Sample Root")
OTHER = Holder("Sample Root")
"""Same name, other key: a forger."""
LEAF = Holder("Sample Leaf", ROOT)
SIBLING = Holder("Sample Sibling", ROOT)
RESPONDER = Holder("Responder", ROOT, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), OCSP_NO_CHECK)


def answer(
    about: Holder = LEAF,
    signer: Holder = ROOT,
    *,
    certificate: Holder | None = None,
    age: dt.timedelta = dt.timedelta(0),
    revoked: bool = False,
) -> bytes:
    status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
    builder = ocsp.OCSPResponseBuilder().add_response(
        about.certificate, ROOT.certificate, SHA1(), status, NOW - age, NOW - age + DAY, NOW if revoked else None, None
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, (certificate or signer).certificate)
    if certificate is not None:
        builder = builder.certificates([certificate.certificate])
    return builder.sign(signer.key, SHA256()).public_bytes(Encoding.DER)


def make_list(
    signer: Holder = ROOT,
    *revoked: Holder,
    age: dt.timedelta = dt.timedelta(0),
    extension: x509.ExtensionType | None = None,
) -> bytes:
    builder = x509.CertificateRevocationListBuilder(ROOT.certificate.subject, NOW - age, NOW - age + DAY)
    for holder in revoked:
        entry = x509.RevokedCertificateBuilder(holder.certificate.serial_number, NOW - age).build()
        builder = builder.add_revoked_certificate(entry)
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(signer.key, SHA256()).public_bytes(Encoding.DER)


def test_an_answer_by_the_issuer_or_its_delegate_counts() -> None:
    for der in (answer(), answer(signer=RESPONDER, certificate=RESPONDER)):
        status = read_ocsp(der, LEAF.certificate, ROOT.certificate, NOW)
        assert status is not None and status.revoked_at is None


@pytest.mark.parametrize(
    "der",
    [
        answer(signer=OTHER),
        answer(signer=SIBLING, certificate=SIBLING),
        answer(about=SIBLING),
        answer(age=3 * DAY),
        answer(age=-3 * DAY),
        b"",
        b"\x30\x03\x0a\x01\x06",
    ],
    ids=["forger", "not delegated", "another", "old", "from the future", "empty", "refusal"],
)
def test_an_answer_that_is_not_about_us_now_by_the_right_key_is_none(der: bytes) -> None:
    assert read_ocsp(der, LEAF.certificate, ROOT.certificate, NOW) is None


def test_revocation_is_read_from_answers_and_lists() -> None:
    for status in (
        read_ocsp(answer(revoked=True), LEAF.certificate, ROOT.certificate, NOW),
        read_list(make_list(ROOT, LEAF), LEAF.certificate, ROOT.certificate, NOW),
    ):
        assert status is not None and status.revoked_at == NOW


@pytest.mark.parametrize(
    "der",
    [
        make_list(OTHER),
        make_list(age=3 * DAY),
        make_list(extension=x509.DeltaCRLIndicator(1)),
        make_list(extension=x509.IssuingDistributionPoint(None, None, False, True, None, False, False)),
        b"no list",
    ],
    ids=["forger", "old", "delta", "partial", "garbage"],
)
def test_a_list_that_is_not_complete_current_and_the_issuers_is_none(der: bytes) -> None:
    assert read_list(der, LEAF.certificate, ROOT.certificate, NOW) is None


def test_chains_follow_signatures_not_names() -> None:
    assert not issued_by(LEAF.certificate, OTHER.certificate)
    assert build_chain(LEAF.certificate, [OTHER.certificate]) == [LEAF.certificate]
    assert build_chain(LEAF.certificate, [OTHER.certificate, ROOT.certificate])[-1] == ROOT.certificate


@asynccontextmanager
async def responder(replies: list[bytes | None]) -> AsyncIterator[str]:
    """Serves one reply after the other, the last one for ever; None is an error of the server."""

    async def reply(_: web.Request) -> web.Response:
        body = replies.pop(0) if len(replies) > 1 else replies[0]
        return web.Response(status=500) if body is None else web.Response(body=body)

    application = web.Application()
    application.router.add_route("*", "/{path}", reply)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def reachable(base: str) -> Holder:
    place = x509.UniformResourceIdentifier(f"{base}/ocsp")
    lists = x509.DistributionPoint([x509.UniformResourceIdentifier(f"{base}/crl")], None, None, None)
    access = x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)])
    return Holder("Sample Reachable", ROOT, access, x509.CRLDistributionPoints([lists]))


def source() -> RevocationSource:
    return RevocationSource([asn1.Certificate.load(ROOT.der)], timeout=2)


async def test_a_list_steps_in_when_ocsp_fails_and_is_kept() -> None:
    async with responder([None, make_list()]) as base, source() as revocation:
        leaf = reachable(base)
        for _ in range(3):
            evidence = await revocation.evidence([Chain(leaf.der)])
            assert len(evidence.crls) == 1 and evidence.ocsps == ()
            assert set(evidence.certificates) == {leaf.der, ROOT.der}
        assert revocation.requests == 2


async def test_silence_of_all_services_is_unavailable_and_the_next_try_asks_again() -> None:
    async with responder([None, None, make_list()]) as base, source() as revocation:
        chain = Chain(reachable(base).der)
        with pytest.raises(Unavailable) as refusal:
            await revocation.evidence([chain])
        assert refusal.value.code == "revocation.unavailable"
        assert (await revocation.evidence([chain])).crls


async def test_a_certificate_without_any_service_is_unavailable_not_good() -> None:
    async with source() as revocation:
        with pytest.raises(Unavailable):
            await revocation.evidence([Chain(LEAF.der)])


async def test_a_chain_of_a_forger_is_refused() -> None:
    async with source() as revocation:
        with pytest.raises(Rejected) as refusal:
            await revocation.evidence([Chain(Holder("Leaf", OTHER).der, (OTHER.der,))])
    assert refusal.value.code == "revocation.no_chain"
