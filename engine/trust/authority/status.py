"""Says which demo certificates still count: OCSP (RFC 6960) for leaves, revocation lists (RFC 5280) for both CAs."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from engine.trust.authority.certificates import Holder, PrivateKey, make_stand_in
from engine.trust.authority.pki import Branch
from engine.trust.authority.resigning import resign_answer, resign_list
from engine.trust.clock import Clock, system_clock
from engine.trust.suites.sm2 import Sm2PrivateKey
from engine.trust.suites.verification import public_key_of

OCSP_KEPT = timedelta(seconds=60)
OCSP_VALID = timedelta(days=1)
LIST_KEPT = timedelta(minutes=10)
LIST_VALID = timedelta(days=7)


class Register:
    """Serial numbers issued, and since when those revoked are; one small file, read again when it changed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._version: tuple[int, int] | None = None
        self._entries: dict[int, datetime | None] = {}

    def entries(self) -> dict[int, datetime | None]:
        status = self._file.stat()
        version = (status.st_mtime_ns, status.st_ino)
        if version != self._version:
            table = msgspec.json.decode(self._file.read_bytes(), type=dict[str, datetime | None])
            self._entries = {int(serial, 16): moment for serial, moment in table.items()}
            self._version = version
        return self._entries

    def record(self, serial: int, revoked_at: datetime | None = None) -> None:
        """Note an issued certificate, or its revocation (吊销), for every process that serves this PKI."""
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = self.entries() | {serial: revoked_at}
            beside = self._file.with_suffix(f".{os.getpid()}")
            beside.write_bytes(msgspec.json.encode({f"{key:x}": moment for key, moment in entries.items()}))
            beside.replace(self._file)


class StatusDesk:
    """Signed status answers, kept for a short while so that a batch costs one signature."""

    def __init__(self, pki: Branch, register: Register, *, clock: Clock = system_clock) -> None:
        self._pki = pki
        self._clock = clock
        self._register = register
        self._stand_in = make_stand_in()
        """Signs what is then signed with SM2 instead."""
        self._seen: dict[int, datetime | None] = {}
        self._kept: dict[object, tuple[datetime, bytes]] = {}

    def answer(self, body: bytes) -> bytes:
        """DER OCSPResponse for a DER OCSPRequest; a nonce (RFC 9654) is echoed and that answer not kept."""
        try:
            request = ocsp.load_der_ocsp_request(body)
            serial, algorithm = request.serial_number, request.hash_algorithm
            issuer = (request.issuer_name_hash, request.issuer_key_hash)
            nonce = _find_nonce(request)
        except (ValueError, NotImplementedError, x509.DuplicateExtension):
            return _refuse(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if issuer != _hash_issuer(self._pki.issuing, algorithm):
            return _refuse(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        if nonce is not None:
            return self._sign_answer(serial, algorithm, nonce)
        return self._keep((serial, algorithm.name), OCSP_KEPT, lambda: self._sign_answer(serial, algorithm, None))

    def revocation_list(self, role: str) -> bytes:
        """DER CertificateList of ``issuing`` or ``root``."""
        return self._keep(role, LIST_KEPT, lambda: self._sign_list(role))

    def _keep(self, key: object, span: timedelta, make: Callable[[], bytes]) -> bytes:
        now = self._clock()
        entries = self._register.entries()
        if entries is not self._seen:
            self._seen = entries
            self._kept.clear()
        kept = self._kept.get(key)
        if kept is None or not kept[0] <= now <= kept[0] + span:
            kept = self._kept[key] = (now, make())
        return kept[1]

    def _sign_answer(self, serial: int, algorithm: hashes.HashAlgorithm, nonce: x509.OCSPNonce | None) -> bytes:
        entries = self._register.entries()
        revoked_at = entries.get(serial)
        status = ocsp.OCSPCertStatus.UNKNOWN
        if serial in entries:
            status = ocsp.OCSPCertStatus.REVOKED if revoked_at else ocsp.OCSPCertStatus.GOOD
        name_hash, key_hash = _hash_issuer(self._pki.issuing, algorithm)
        responder = self._pki.responder
        signer, key = self._drafter(responder)
        now = self._clock().replace(microsecond=0)
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                issuer_name_hash=name_hash,
                issuer_key_hash=key_hash,
                serial_number=serial,
                algorithm=algorithm,
                cert_status=status,
                this_update=now,
                next_update=now + OCSP_VALID,
                revocation_time=revoked_at,
                revocation_reason=x509.ReasonFlags.unspecified if revoked_at else None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
            .certificates([signer])
        )
        if nonce is not None:
            builder = builder.add_extension(nonce, critical=False)
        der = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
        if isinstance(responder.key, Sm2PrivateKey):
            return resign_answer(der, responder.certificate.public_bytes(Encoding.DER), responder.key)
        return der

    def _drafter(self, holder: Holder) -> tuple[x509.Certificate, PrivateKey]:
        """Certificate and key the library can sign with: the holder's own, or for SM2 a stand-in's."""
        key = holder.key
        if isinstance(key, Sm2PrivateKey):
            return self._stand_in
        return holder.certificate, key

    def _sign_list(self, role: str) -> bytes:
        issuer = self._pki.root if role == "root" else self._pki.issuing
        now = self._clock().replace(microsecond=0)
        identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(now)
            .next_update(now + LIST_VALID)
            .add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
                critical=False,
            )
        )
        if role != "root":
            for serial, revoked_at in self._register.entries().items():
                if revoked_at is not None:
                    builder = builder.add_revoked_certificate(
                        x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(revoked_at).build()
                    )
        der = builder.sign(self._drafter(issuer)[1], hashes.SHA256()).public_bytes(Encoding.DER)
        return resign_list(der, issuer.key) if isinstance(issuer.key, Sm2PrivateKey) else der


def _hash_issuer(issuer: Holder, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
    """Name and key hash by which a request names the issuer (RFC 6960 §4.1.1)."""
    name = issuer.certificate.subject.public_bytes()
    key = bytes(public_key_of(issuer.certificate)["public_key"])
    return hashlib.new(algorithm.name, name).digest(), hashlib.new(algorithm.name, key).digest()


def _find_nonce(request: ocsp.OCSPRequest) -> x509.OCSPNonce | None:
    for extension in request.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            return extension.value
    return None


def _refuse(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
