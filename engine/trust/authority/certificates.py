"""Certificate profiles of the demo PKI; every name says DEMO 演示, every serial number is random.

The profiles follow RFC 5280, RFC 3161 §2.3 (timestamps), RFC 6960 §4.2.2.2 (OCSP) and RFC 9336 (document signing).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from asn1crypto import algos
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from engine.trust.authority.resigning import resign_certificate
from engine.trust.clock import Clock, system_clock
from engine.trust.suites.sm2 import Sm2PrivateKey

_DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
ROOT_NAME = "Sealflow DEMO Root CA 演示根证书"
ISSUING_NAME = "Sealflow DEMO Issuing CA 演示签发证书"
_YEAR = timedelta(days=365)
_ONE_TIME = timedelta(days=1)
_BACKDATED = timedelta(hours=1)
"""Covers clocks that run a little behind this one."""


PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True)
class Holder:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey | Sm2PrivateKey

    @property
    def digest_algorithm(self) -> str:
        return "sm3" if isinstance(self.key, Sm2PrivateKey) else _digest_for(self.key).name

    @property
    def mechanism(self) -> algos.SignedDigestAlgorithm:
        """The signature algorithm; for RSA it is PSS with the digest's size as salt (RFC 8017, 9.1)."""
        if isinstance(self.key, Sm2PrivateKey):
            return algos.SignedDigestAlgorithm({"algorithm": "sm2_sm3"})
        digest = _digest_for(self.key)
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return algos.SignedDigestAlgorithm({"algorithm": f"{digest.name}_ecdsa"})
        own = algos.DigestAlgorithm({"algorithm": digest.name})
        mask = algos.MaskGenAlgorithm({"algorithm": "mgf1", "parameters": own})
        parameters = {"hash_algorithm": own, "mask_gen_algorithm": mask, "salt_length": digest.digest_size}
        return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": algos.RSASSAPSSParams(parameters)})

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.key, Sm2PrivateKey):
            return self.key.sign(data)
        digest = _digest_for(self.key)
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(data, ec.ECDSA(digest))
        return self.key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)


def make_root(suite: str = "", *, key: ec.EllipticCurvePrivateKey | None = None, clock: Clock = system_clock) -> Holder:
    """Self-signed root for 30 years; it signs one certificate and its own revocation list. ``suite``: P-256 or SM2."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = _name(ROOT_NAME + (" SM2" if suite == "sm2" else ""))
    builder = _start(name, name, key.public_key(), 30 * _YEAR, clock)
    builder = _make_ca(builder, path_length=1)
    own = Sm2PrivateKey.generate() if suite == "sm2" else key
    return _issue(builder, key, own)


def make_stand_in() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A key and certificate of its own for drafts."""
    key, name = ec.generate_private_key(ec.SECP256R1()), _name(ROOT_NAME)
    return _start(name, name, key.public_key(), _YEAR, system_clock).sign(key, hashes.SHA256()), key


def make_issuing(
    root: Holder, base: str, *, key: ec.EllipticCurvePrivateKey | None = None, clock: Clock = system_clock
) -> Holder:
    """The CA that issues everything else, for 20 years."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = _name(ISSUING_NAME + _mark(root))
    builder = _start(name, root.certificate.subject, key.public_key(), 20 * _YEAR, clock, issuer=root)
    builder = _make_ca(builder, path_length=0)
    builder = _point(builder, crl=f"{base}/root.crl", issuer=f"{base}/root.crt")
    return _issue(builder, key, root.key)


def make_timestamping(
    issuing: Holder,
    base: str,
    *,
    validity: timedelta = 10 * _YEAR,
    key: PrivateKey | None = None,
    clock: Clock = system_clock,
) -> Holder:
    """A timestamp authority's certificate: one purpose, critical."""
    return _make_leaf(
        issuing,
        _name("Sealflow DEMO TSA 演示时间戳" + _mark(issuing)),
        base,
        validity,
        purposes=[ExtendedKeyUsageOID.TIME_STAMPING],
        critical=True,
        key=key,
        clock=clock,
    )


def make_responder(issuing: Holder, base: str, *, clock: Clock = system_clock) -> Holder:
    """An OCSP responder's certificate, itself exempt from revocation checks (id-pkix-ocsp-nocheck)."""
    return _make_leaf(
        issuing,
        _name("Sealflow DEMO OCSP 演示状态查询" + _mark(issuing)),
        base,
        10 * _YEAR,
        purposes=[ExtendedKeyUsageOID.OCSP_SIGNING],
        responder=True,
        clock=clock,
    )


def make_party(
    issuing: Holder,
    base: str,
    common_name: str,
    organization: str,
    *,
    validity: timedelta = 5 * _YEAR,
    clock: Clock = system_clock,
) -> Holder:
    """A signer's certificate (签名证书): non-repudiation only."""
    return _make_leaf(
        issuing,
        _name(common_name, organization),
        base,
        validity,
        purposes=[_DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION],  # readers on NSS ask for the second
        non_repudiation=True,
        clock=clock,
    )


def make_one_time(issuing: Holder, base: str, public_key: PublicKey, name: str, number: str | None) -> x509.Certificate:
    """A certificate for one signature (一次性证书), for a key this authority never sees; the P-256 branch only."""
    subject = _name(name)
    if number:
        subject = x509.Name([*subject, x509.NameAttribute(NameOID.SERIAL_NUMBER, number)])
    builder = (
        _start(subject, issuing.certificate.subject, public_key, _ONE_TIME, system_clock, issuer=issuing)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(non_repudiation=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    )
    builder = _point(builder, crl=f"{base}/issuing.crl", issuer=f"{base}/issuing.crt", ocsp=f"{base}/ocsp")
    if isinstance(issuing.key, Sm2PrivateKey):
        raise TypeError("one-time certificates are of the P-256 branch")
    return builder.sign(issuing.key, hashes.SHA256())


def _make_leaf(
    issuing: Holder,
    name: x509.Name,
    base: str,
    validity: timedelta,
    *,
    purposes: list[x509.ObjectIdentifier],
    critical: bool = False,
    non_repudiation: bool = False,
    responder: bool = False,
    key: PrivateKey | None = None,
    clock: Clock,
) -> Holder:
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        _start(name, issuing.certificate.subject, key.public_key(), validity, clock, issuer=issuing)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(non_repudiation=non_repudiation, digital_signature=not non_repudiation), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=critical)
    )
    if responder:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
        builder = _point(builder, issuer=f"{base}/issuing.crt")
    else:
        builder = _point(builder, crl=f"{base}/issuing.crl", issuer=f"{base}/issuing.crt", ocsp=f"{base}/ocsp")
    return _issue(builder, key, issuing.key)


def _issue(
    builder: x509.CertificateBuilder,
    key: PrivateKey,
    issuer: PrivateKey | Sm2PrivateKey,
) -> Holder:
    """Sign with the issuer's key; under an SM2 issuer the subject gets an SM2 key in the place of ``key``."""
    if not isinstance(issuer, Sm2PrivateKey):
        return Holder(builder.sign(issuer, _digest_for(issuer)), key)
    draft = builder.sign(key, hashes.SHA256())
    own = issuer if draft.subject == draft.issuer else Sm2PrivateKey.generate()
    der = resign_certificate(draft.public_bytes(Encoding.DER), own, issuer)
    return Holder(x509.load_der_x509_certificate(der), own)


def _digest_for(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    """The digest that is as strong as a key (NIST SP 800-57-1, tables 2 and 3)."""
    if key.key_size in (256, 2048, 3072):
        return hashes.SHA256()
    return hashes.SHA384() if key.key_size == 384 else hashes.SHA512()


def _mark(issuer: Holder) -> str:
    """What tells the names of the two branches apart."""
    return " SM2" if isinstance(issuer.key, Sm2PrivateKey) else ""


def _name(common_name: str, organization: str = "Sealflow DEMO 演示，无法律效力") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _start(
    subject: x509.Name,
    issuer_name: x509.Name,
    public_key: PublicKey,
    validity: timedelta,
    clock: Clock,
    *,
    issuer: Holder | None = None,
) -> x509.CertificateBuilder:
    start = clock().replace(microsecond=0) - _BACKDATED
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + validity)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
    if issuer is None:
        return builder
    identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
    )


def _make_ca(builder: x509.CertificateBuilder, path_length: int) -> x509.CertificateBuilder:
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True).add_extension(
        _usage(authority=True), critical=True
    )


def _usage(*, non_repudiation: bool = False, digital_signature: bool = False, authority: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=non_repudiation,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _point(
    builder: x509.CertificateBuilder, *, issuer: str, crl: str | None = None, ocsp: str | None = None
) -> x509.CertificateBuilder:
    """Say where revocation lists, status and the issuer's certificate are (CRL DP and AIA, RFC 5280 §4.2)."""
    places = [(AuthorityInformationAccessOID.CA_ISSUERS, issuer)]
    if ocsp:
        places.insert(0, (AuthorityInformationAccessOID.OCSP, ocsp))
    builder = builder.add_extension(
        x509.AuthorityInformationAccess(
            [x509.AccessDescription(kind, x509.UniformResourceIdentifier(place)) for kind, place in places]
        ),
        critical=False,
    )
    if crl is None:
        return builder
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl)], None, None, None)
    return builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
