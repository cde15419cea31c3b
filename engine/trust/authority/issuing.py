"""Issues one-time demo certificates; it believes whatever name it is told, so they prove nothing."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.trust.authority.certificates import make_one_time
from engine.trust.authority.pki import DemoPki
from engine.trust.authority.status import Register

_FORM = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Application(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of a request; ``pkcs10`` is base64 of DER (RFC 2986), ``key`` the idempotency key."""

    pkcs10: str
    name: str
    key: str
    number: str | None = None


class Refused(Exception):  # an answer, no fault
    """The application is no good; the text says why."""


class IssuingDesk:
    """Remembers by files what it issued under which key."""

    def __init__(self, pki: DemoPki, register: Register) -> None:
        self._pki = pki
        self._register = register

    def issue(self, body: bytes) -> bytes:
        """JSON list of base64 certificates, subject first; raises Refused."""
        try:
            asked = msgspec.json.decode(body, type=Application)
            request = x509.load_der_x509_csr(base64.b64decode(asked.pkcs10, validate=True))
            public = request.public_key()
        except (msgspec.DecodeError, ValueError) as error:
            raise Refused(f"no request: {error}") from error
        if not request.is_signature_valid or not isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            raise Refused("the request is not signed with its own key")
        if not 0 < len(asked.name) <= 64:  # ub-common-name, RFC 5280 appendix A
            raise Refused("a name has 1 to 64 characters")
        certificate = self._kept(asked.key, public) or self._issue(asked, public)
        chain = (certificate, self._pki.issuing.certificate)
        return msgspec.json.encode([base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain])

    def _issue(self, asked: Application, public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> x509.Certificate:
        certificate = make_one_time(self._pki.issuing, self._pki.base, public, asked.name, asked.number)
        self._register.record(certificate.serial_number)
        place = self._place(asked.key)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        place.write_bytes(certificate.public_bytes(Encoding.DER))
        return certificate

    def _kept(self, key: str, public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> x509.Certificate | None:
        try:
            certificate = x509.load_der_x509_certificate(self._place(key).read_bytes())
        except FileNotFoundError:
            return None
        if certificate.public_key().public_bytes(*_FORM) != public.public_bytes(*_FORM):
            raise Refused("another request came under this key")
        return certificate

    def _place(self, key: str) -> Path:
        return self._pki.directory / "authority" / "issued" / f"{hashlib.sha256(key.encode()).hexdigest()}.der"
