"""Timestamp authorities that are wrong in exactly one way each, served over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from aiohttp import web
from asn1crypto import cms, tsp
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from engine.settings import Authority
from engine.trust.authority import certificates
from engine.trust.authority.certificates import Holder
from engine.trust.authority.stamping import TokenIssuer

BASE = "http://127.0.0.1:9"
REPLY = "application/timestamp-reply"


class TestPki:
    """A root, an issuing CA and an honest authority's key, in memory."""

    __test__ = False

    def __init__(self) -> None:
        self.root = certificates.make_root()
        self.issuing = certificates.make_issuing(self.root, BASE)
        self.timestamping = certificates.make_timestamping(self.issuing, BASE)
        self.anchors = (Certificate.load(self.root.certificate.public_bytes(Encoding.DER)),)

    def issuer(self, holder: Holder | None = None, **options: Callable[[], datetime]) -> TokenIssuer:
        return TokenIssuer(holder or self.timestamping, [self.issuing.certificate], **options)

    def certify(self, *purposes: x509.ObjectIdentifier, critical: bool) -> Holder:
        """A certificate that is no proper authority's, over a new key."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Odd TSA")]))
            .issuer_name(self.issuing.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=1))
            .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        )
        if purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=critical)
        return Holder(builder.sign(self.issuing.key, hashes.SHA256()), key)


class Misbehaviour:
    """Each method answers one request body; honest but for what its name says."""

    def __init__(self, pki: TestPki) -> None:
        self.pki = pki
        self.honest_issuer = pki.issuer()

    def honest(self, body: bytes) -> bytes:
        return self.honest_issuer.answer(body)

    def sends_a_forest_of_certificates(self, body: bytes) -> bytes:
        forest = [certificates.make_issuing(self.pki.root, BASE).certificate for _ in range(20)]
        return TokenIssuer(self.pki.timestamping, [self.pki.issuing.certificate, *forest]).answer(body)

    def stamps_another_digest(self, body: bytes) -> bytes:
        return self._ask_instead(
            body, message_imprint={"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": bytes(32)}
        )

    def stamps_with_another_algorithm(self, body: bytes) -> bytes:
        """The same 32 bytes, said to be another algorithm's digest."""
        digest = tsp.TimeStampReq.load(body)["message_imprint"]["hashed_message"].native
        with patch.dict("engine.trust.authority.stamping._SIZES", {"sha3_256": 32}):
            imprint = {"hash_algorithm": {"algorithm": "sha3_256"}, "hashed_message": digest}
            return self._ask_instead(body, message_imprint=imprint)

    def sends_another_nonce(self, body: bytes) -> bytes:
        return self._ask_instead(body, nonce=4711)

    def forgets_the_nonce(self, body: bytes) -> bytes:
        return self._ask_instead(body, nonce=None)

    def forgets_its_certificate(self, body: bytes) -> bytes:
        return self._ask_instead(body, cert_req=False)

    def has_an_expired_certificate(self, body: bytes) -> bytes:
        expired = certificates.make_timestamping(self.pki.issuing, BASE, validity=timedelta(minutes=30))
        return self.pki.issuer(expired).answer(body)

    def has_no_purpose(self, body: bytes) -> bytes:
        return self.pki.issuer(self.pki.certify(critical=False)).answer(body)

    def has_another_purpose(self, body: bytes) -> bytes:
        return self.pki.issuer(self.pki.certify(ExtendedKeyUsageOID.EMAIL_PROTECTION, critical=True)).answer(body)

    def has_one_purpose_too_many(self, body: bytes) -> bytes:
        purposes = (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.EMAIL_PROTECTION)
        return self.pki.issuer(self.pki.certify(*purposes, critical=True)).answer(body)

    def has_an_uncritical_purpose(self, body: bytes) -> bytes:
        return self.pki.issuer(self.pki.certify(ExtendedKeyUsageOID.TIME_STAMPING, critical=False)).answer(body)

    def belongs_to_strangers(self, body: bytes) -> bytes:
        return TestPki().issuer().answer(body)

    def signs_with_another_key(self, body: bytes) -> bytes:
        return self.pki.issuer(Holder(self.pki.timestamping.certificate, TestPki().timestamping.key)).answer(body)

    def goes_two_hours_fast(self, body: bytes) -> bytes:
        return self.pki.issuer(clock=lambda: datetime.now(UTC) + timedelta(hours=2)).answer(body)

    def goes_two_hours_slow(self, body: bytes) -> bytes:
        return self.pki.issuer(clock=lambda: datetime.now(UTC) - timedelta(hours=2)).answer(body)

    def cuts_its_reply_short(self, body: bytes) -> bytes:
        return self.honest(body)[:-100]

    def adds_bytes_to_its_reply(self, body: bytes) -> bytes:
        return self.honest(body) + b"\x00"

    def sends_nothing(self, body: bytes) -> bytes:
        return b""

    def sends_html(self, body: bytes) -> bytes:
        return b"<html><title>Please log in</title></html>"

    def sends_far_too_much(self, body: bytes) -> bytes:
        return self.honest(body) + bytes(1_000_000)

    def grants_without_a_token(self, body: bytes) -> bytes:
        return bytes.fromhex("30053003020100")

    def does_not_name_its_certificate(self, body: bytes) -> bytes:
        return self._sign_again(
            body, lambda attributes: [a for a in attributes if a["type"].native != "signing_certificate_v2"]
        )

    def names_another_certificate(self, body: bytes) -> bytes:
        other = cms.CMSAttribute(
            {
                "type": "signing_certificate_v2",
                "values": [tsp.SigningCertificateV2({"certs": [{"cert_hash": bytes(32)}]})],
            }
        )
        return self._sign_again(
            body, lambda attributes: [other if a["type"].native == "signing_certificate_v2" else a for a in attributes]
        )

    def grants_with_changes(self, body: bytes) -> bytes:
        """Allowed by RFC 3161 §2.4.2; to be accepted."""
        response = tsp.TimeStampResp.load(self.honest(body))
        return bytes(
            tsp.TimeStampResp(
                {"status": {"status": "granted_with_mods"}, "time_stamp_token": response["time_stamp_token"]}
            ).dump()
        )

    def sends_the_usual_policy(self, body: bytes) -> bytes:
        return self._ask_instead(body)

    def refuses(self, body: bytes) -> bytes:
        return self.honest(b"not a request")

    def _ask_instead(self, body: bytes, **changes: object) -> bytes:
        request = tsp.TimeStampReq.load(body)
        fields = {
            "version": "v1",
            "message_imprint": request["message_imprint"],
            "nonce": request["nonce"].native,
            "cert_req": True,
        } | changes
        return self.honest(tsp.TimeStampReq({key: value for key, value in fields.items() if value is not None}).dump())

    def _sign_again(self, body: bytes, change: Callable[[cms.CMSAttributes], list[cms.CMSAttribute]]) -> bytes:
        response = tsp.TimeStampResp.load(self.honest(body))
        signer_info = response["time_stamp_token"]["content"]["signer_infos"][0]
        attributes = cms.CMSAttributes(change(signer_info["signed_attrs"].untag()))
        signature = self.pki.timestamping.key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256()))
        signer_info["signed_attrs"] = attributes
        signer_info["signature"] = signature
        return bytes(response.dump(force=True))


@asynccontextmanager
async def served(answer: Callable[[bytes], bytes], *, kind: str = REPLY, status: int = 200) -> AsyncIterator[Authority]:
    """Serve one behaviour; the block receives how settings would name it."""

    async def handle(request: web.Request) -> web.Response:
        return web.Response(body=answer(await request.read()), content_type=kind, status=status)

    async with listening(handle) as authority:
        yield authority


@asynccontextmanager
async def listening(
    handle: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[Authority]:
    """Serve one aiohttp handler at every path on a free loopback port."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield Authority(url=f"http://127.0.0.1:{runner.addresses[0][1]}/stamp")
    finally:
        await runner.cleanup()
