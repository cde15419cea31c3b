"""Demands on an issuer of one-time certificates; with a person on the bench, real certificates are issued."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from engine.language import Text
from engine.vendors.conformance.bench import Bench, Case, NotApplicable, Violation, must_reject
from engine.vendors.protocols import CertificateIssuer, CertificateRequest


def _key() -> str:
    return f"conformance-{secrets.token_hex(12)}"


def _request(bench: Bench, private: ec.EllipticCurvePrivateKey) -> CertificateRequest:
    if bench.person is None:
        raise NotApplicable(
            zh="需要一位同意领取证书的人的姓名和证件号", en="needs a person who agreed to a certificate"
        )
    name, number = bench.person
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(private, SHA256())
    return CertificateRequest(asked.public_bytes(Encoding.DER), name, number, b"{}")


def _load(chain: tuple[bytes, ...]) -> x509.Certificate:
    if not chain:
        raise Violation(zh="没有给出证书", en="no certificate was given")
    return x509.load_der_x509_certificate(chain[0])


async def _certified(issuer: CertificateIssuer, bench: Bench) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    request = _request(bench, private)
    chain = await issuer.issue(request, _key())
    certificate = _load(chain)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if certificate.public_key().public_bytes(*form) != private.public_key().public_bytes(*form):
        raise Violation(zh="证书不是为所申请的公钥签发的", en="the certificate is not for the key that was asked for")
    names = {attribute.value for attribute in certificate.subject}
    if request.name not in names:
        raise Violation(zh="证书主体中没有所申请的名称", en="the subject does not hold the name that was asked for")
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise Violation(zh="证书此刻无效", en="the certificate is not valid now")
    if len(chain) > 1 and x509.load_der_x509_certificate(chain[1]).subject != certificate.issuer:
        raise Violation(zh="证书链次序不对", en="the chain is not in order")


async def _replayed(issuer: CertificateIssuer, bench: Bench) -> None:
    request, key = _request(bench, ec.generate_private_key(ec.SECP256R1())), _key()
    if await issuer.issue(request, key) != await issuer.issue(request, key):
        raise Violation(zh="同一编号签发了两张证书", en="one key gave two certificates")


async def _fresh(issuer: CertificateIssuer, bench: Bench) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    first, second = [_load(await issuer.issue(_request(bench, private), _key())) for _ in range(2)]
    if first.serial_number == second.serial_number:
        raise Violation(zh="两次签发的序列号相同", en="two certificates have one serial number")


async def _malformed(issuer: CertificateIssuer, bench: Bench) -> None:  # noqa: ARG001  # needs nothing of the bench
    for pkcs10 in (b"", b"no request at all", _unsigned()):
        await must_reject(issuer.issue(CertificateRequest(pkcs10, "示例"), _key()), "certificate.request")


def _unsigned() -> bytes:
    """A request whose signature is not by its own key: nobody showed that he has that key."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "示例")])
    private = ec.generate_private_key(ec.SECP256R1())
    body = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(private, SHA256())
    whole = bytearray(body.public_bytes(Encoding.DER))
    whole[-1] ^= 1
    return bytes(whole)


certificate_cases: tuple[Case[CertificateIssuer], ...] = (
    Case("malformed", Text("不合格的申请被拒绝", "what is no signed request is refused"), _malformed),
    Case("certified", Text("证书属于所申请的公钥和名称", "the certificate is for the key and the name"), _certified),
    Case("replayed", Text("同一编号只签发一次", "one key gives one certificate"), _replayed),
    Case("fresh", Text("不同编号是不同的证书", "another key gives another certificate"), _fresh),
)
