"""The demo PKI's files: made once, whole or not at all; its keys lie unprotected but for file modes, being worthless.

``keys/`` holds the parties' PKCS#12 files, ``anchors/`` the root, ``authority/`` what the server needs. The port chosen
at creation is written into every certificate, so it stays for the life of the PKI.
"""

from __future__ import annotations

import fcntl
import os
import random
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from engine.errors import Misuse
from engine.trust.authority import certificates
from engine.trust.authority.certificates import Holder

PARTIES = {
    "platform": ("DEMO Signing Platform 演示签署平台", "DEMO 演示签署平台（无法律效力）"),
    "employer": ("DEMO Employer 演示用人单位", "DEMO 演示用人单位（无法律效力）"),
    "employee": ("DEMO Employee 演示员工", "DEMO 演示个人（无法律效力）"),
}
_ROLES = ("root", "issuing", "timestamping", "responder")
_DESCRIPTION = "pki.json"
_PORTS = range(20_000, 30_000)
"""Below the range from which systems take ports for outgoing connections."""
_STRETCHES = 20_000
"""PBKDF2 rounds; the passphrase is 256 random bits, so stretching it adds nothing."""


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``pki.json`` says."""

    port: int
    format: int = 1


@dataclass(frozen=True)
class DemoPki:
    """An opened demo PKI."""

    directory: Path
    port: int
    root: Holder
    issuing: Holder
    timestamping: Holder
    responder: Holder

    @property
    def base(self) -> str:
        """Address of the server, as the certificates name it."""
        return _base(self.port)

    @property
    def keys(self) -> Path:
        return self.directory / "keys"

    @property
    def anchors(self) -> Path:
        return self.directory / "anchors"

    @property
    def register(self) -> Path:
        """Serial numbers issued and revoked."""
        return self.directory / "authority" / "register.json"


def open_pki(directory: Path) -> DemoPki:
    """Open the demo PKI in a directory, making it first if there is none; safe when several processes come at once.

    Raises Misuse ``trust.demo_damaged`` when the directory holds something else.
    """
    with _locked(directory):
        if not (directory / _DESCRIPTION).exists():
            _make(directory)
    try:
        description = msgspec.json.decode((directory / _DESCRIPTION).read_bytes(), type=Description)
        holders = {role: _read_holder(directory / "authority", role) for role in _ROLES}
    except (OSError, ValueError) as error:
        raise _damaged(directory, str(error)) from error
    return DemoPki(directory, description.port, **holders)


def _make(directory: Path) -> None:
    if directory.exists() and any(directory.iterdir()):
        raise _damaged(directory, f"{_DESCRIPTION} is missing")
    beside = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        _fill(beside)
        beside.rename(directory)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _fill(directory: Path) -> None:
    port = _choose_port()
    base = _base(port)
    root = certificates.make_root()
    issuing = certificates.make_issuing(root, base)
    holders = {
        "root": root,
        "issuing": issuing,
        "timestamping": certificates.make_timestamping(issuing, base),
        "responder": certificates.make_responder(issuing, base),
    }
    for name in ("keys", "anchors", "authority"):
        (directory / name).mkdir(mode=0o700)
    for role, holder in holders.items():
        _write_holder(directory / "authority", role, holder)
    _write(directory / "anchors" / "demo-root.pem", root.certificate.public_bytes(Encoding.PEM), 0o644)
    serials = {holders["timestamping"].certificate.serial_number, holders["responder"].certificate.serial_number}
    for party, (common_name, organization) in PARTIES.items():
        holder = certificates.make_party(issuing, base, common_name, organization)
        serials.add(holder.certificate.serial_number)
        write_pkcs12(directory / "keys" / f"{party}.p12", holder, [issuing.certificate, root.certificate])
    _write(directory / "authority" / "register.json", msgspec.json.encode({f"{serial:x}": None for serial in serials}))
    _write(directory / _DESCRIPTION, msgspec.json.encode(Description(port)), 0o644)


def write_pkcs12(file: Path, holder: Holder, chain: list[x509.Certificate]) -> None:
    """Write a key as ``<party>.p12`` (AES-256) and a random passphrase as ``<party>.passphrase``, both mode 0600."""
    passphrase = secrets.token_urlsafe(32)
    protection = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(_STRETCHES)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(SHA256())
        .build(passphrase.encode())
    )
    bundle = pkcs12.serialize_key_and_certificates(
        file.stem.encode(), holder.key, holder.certificate, chain, protection
    )
    _write(file.with_suffix(".passphrase"), passphrase.encode())
    _write(file, bundle)


def _write_holder(directory: Path, role: str, holder: Holder) -> None:
    _write(directory / f"{role}.crt", holder.certificate.public_bytes(Encoding.PEM))
    _write(
        directory / f"{role}.key",
        holder.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def _read_holder(directory: Path, role: str) -> Holder:
    key = load_pem_private_key((directory / f"{role}.key").read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{role}.key")
    return Holder(x509.load_pem_x509_certificate((directory / f"{role}.crt").read_bytes()), key)


def _write(file: Path, content: bytes, mode: int = 0o600) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _choose_port() -> int:
    for port in random.sample(_PORTS, 50):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return random.choice(_PORTS)  # nothing was free now; the server says so if that lasts


def _base(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / f".{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _damaged(directory: Path, detail: str) -> Misuse:
    return Misuse(
        "trust.demo_damaged",
        zh=f"目录 {directory} 不是完整的演示证书库（{detail}）。请移走该目录，系统会重新生成。",
        en=f"The folder {directory} is no complete demo PKI ({detail}). Move it away and a new one is made.",
        directory=str(directory),
    )
