"""The demo PKI's files: made once, whole or not at all; its keys lie unprotected but for file modes, being worthless.

``keys/`` holds the parties' PKCS#12 files, ``anchors/`` the roots, ``authority/`` what the server needs. The port
chosen at creation is written into every certificate, so it stays for the life of the PKI.
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
from asn1crypto import pem
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
from engine.trust.suites import sm2
from engine.trust.suites.sm2 import Sm2PrivateKey

PARTIES = {
    "platform": ("DEMO Signing Platform 演示签署平台", "DEMO 演示签署平台（无法律效力）"),
    "employer": ("DEMO Employer 演示用人单位", "DEMO 演示用人单位（无法律效力）"),
    "employee": ("DEMO Employee 演示员工", "DEMO 演示个人（无法律效力）"),
}
_ROLES = ("root", "issuing", "timestamping", "responder")
_SM2 = "sm2"
"""Folder of the SM2 branch, its path on the server and what its parties' names end with."""
DESCRIPTION = "pki.json"
_PORTS = range(20_000, 30_000)
"""Below the range from which systems take ports for outgoing connections."""
_STRETCHES = 20_000
"""PBKDF2 rounds; the passphrase is 256 random bits, so stretching it adds nothing."""


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``pki.json`` says."""

    port: int
    format: int = 1


@dataclass(frozen=True)
class Branch:
    """One root and what hangs on it; ``base`` is the address under which the certificates say it is served."""

    base: str
    root: Holder
    issuing: Holder
    timestamping: Holder
    responder: Holder


@dataclass(frozen=True)
class DemoPki(Branch):
    """An opened demo PKI: its P-256 branch, and the SM2 one if it was made on a machine that has SM2."""

    directory: Path
    port: int
    sm2: Branch | None

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
        if not (directory / DESCRIPTION).exists():
            _make(directory)
    try:
        description = msgspec.json.decode((directory / DESCRIPTION).read_bytes(), type=Description)
        base, own = _base(description.port), directory / "authority"
        holders = {role: _read_holder(own, role) for role in _ROLES}
        branch = None
        if (own / _SM2).is_dir() and sm2.is_available():
            branch = Branch(f"{base}/{_SM2}", **{role: _read_holder(own / _SM2, role) for role in _ROLES})
    except (OSError, ValueError) as error:
        raise _damaged(directory, str(error)) from error
    return DemoPki(base=base, directory=directory, port=description.port, sm2=branch, **holders)


def _make(directory: Path) -> None:
    if directory.exists() and any(directory.iterdir()):
        raise _damaged(directory, f"{DESCRIPTION} is missing")
    beside = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        _fill(beside)
        beside.rename(directory)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _fill(directory: Path) -> None:
    port = _choose_port()
    for name in ("keys", "anchors", "authority"):
        (directory / name).mkdir(mode=0o700)
    serials = _fill_branch(directory, directory / "authority", _base(port), "")
    if sm2.is_available():
        (directory / "authority" / _SM2).mkdir(mode=0o700)
        serials |= _fill_branch(directory, directory / "authority" / _SM2, f"{_base(port)}/{_SM2}", _SM2)
    _write(directory / "authority" / "register.json", msgspec.json.encode({f"{serial:x}": None for serial in serials}))
    _write(directory / DESCRIPTION, msgspec.json.encode(Description(port)), 0o644)


def _fill_branch(directory: Path, own: Path, base: str, suite: str) -> set[int]:
    """Make one branch and its parties; gives the serial numbers that its issuing CA used."""
    root = certificates.make_root(suite)
    issuing = certificates.make_issuing(root, base)
    timestamping, responder = certificates.make_timestamping(issuing, base), certificates.make_responder(issuing, base)
    for role, holder in zip(_ROLES, (root, issuing, timestamping, responder), strict=True):
        _write_holder(own, role, holder)
    suffix = f"-{suite}" if suite else ""
    _write(directory / "anchors" / f"demo-root{suffix}.pem", root.certificate.public_bytes(Encoding.PEM), 0o644)
    serials = {timestamping.certificate.serial_number, responder.certificate.serial_number}
    for party, (common_name, organization) in PARTIES.items():
        holder = certificates.make_party(issuing, base, common_name, organization)
        serials.add(holder.certificate.serial_number)
        write_pkcs12(directory / "keys" / f"{party}{suffix}.p12", holder, [issuing.certificate, root.certificate])
    return serials


def write_pkcs12(file: Path, holder: Holder, chain: list[x509.Certificate]) -> None:
    """Write a key as ``<party>.p12`` (AES-256) and a random passphrase as ``<party>.passphrase``, both mode 0600."""
    passphrase = secrets.token_urlsafe(32)
    _write(file.with_suffix(".passphrase"), passphrase.encode())
    if isinstance(holder.key, Sm2PrivateKey):
        own, *others = (link.public_bytes(Encoding.DER) for link in (holder.certificate, *chain))
        _write(file, holder.key.to_pkcs12(file.stem.encode(), own, tuple(others), passphrase.encode()))
        return
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
    _write(file, bundle)


def _write_holder(directory: Path, role: str, holder: Holder) -> None:
    _write(directory / f"{role}.crt", holder.certificate.public_bytes(Encoding.PEM))
    if isinstance(holder.key, Sm2PrivateKey):
        key = pem.armor("EC PRIVATE KEY", holder.key.dump())
    else:
        key = holder.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(directory / f"{role}.key", key)


def _read_holder(directory: Path, role: str) -> Holder:
    certificate = x509.load_pem_x509_certificate((directory / f"{role}.crt").read_bytes())
    content = (directory / f"{role}.key").read_bytes()
    if directory.name == _SM2:
        return Holder(certificate, Sm2PrivateKey.load(pem.unarmor(content)[2]))
    key = load_pem_private_key(content, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{role}.key")
    return Holder(certificate, key)


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
