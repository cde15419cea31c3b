"""Signing keys (签名密钥) behind one small Protocol; keys held here lie in memory, no hardware guards them.

A key object is loaded once and kept: checking an RSA key on load costs a hundred times the signature itself.
"""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from asn1crypto import algos
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from engine.errors import Misuse
from engine.trust.acts import Once
from engine.trust.clock import Clock, system_clock
from engine.trust.holders import Holder
from engine.trust.suites import sm2
from engine.trust.suites.keys import Sm2Key
from engine.trust.suites.libcrypto import NoSm2

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_PSS_FROM_BITS = 3000
"""TS 119 312: RSASSA-PSS from 3000 bits has no end date; PKCS#1 v1.5 ends with 2028 at any size."""
_PARTY_NAME = re.compile(r"[\w][\w.-]{0,99}")


class SigningKey(Protocol):
    """One private key and what proves whose it is, wherever the key lives."""

    @property
    def certificate(self) -> Certificate: ...

    @property
    def chain(self) -> tuple[Certificate, ...]:
        """Issuers, nearest first; the root may be absent."""
        ...

    @property
    def digest_algorithm(self) -> str:
        """What a signature of this key rests on: ``sha256``, or ``sm3`` for an SM2 key."""
        ...

    def mechanism(self, digest_algorithm: str) -> algos.SignedDigestAlgorithm:
        """The CMS ``signatureAlgorithm`` that ``sign`` uses with ``sha256``, ``sha384`` or ``sha512``."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether signing the same data twice harms nobody: a key held here, or a service that honours ``act``."""
        ...

    async def sign(self, data: bytes, digest_algorithm: str, act: str) -> bytes:
        """Hash ``data`` and sign it; ECDSA values are DER (RFC 3279 §2.2.3). Irrevocable: call it behind the ledger.

        ``act``: the effect key, which a service gets as its idempotency key (幂等键). Raises InDoubt when the key may
        have been used and the answer is unknown; any other error of ours says that it was not used. No bytes: the key
        is lost and will never sign (a one-time key whose process died).
        """
        ...

    async def recall(self, act: str) -> bytes | None:
        """The signature that ``act`` made earlier, where whoever holds the key can tell; None: unknown."""
        ...


class Keyring(Protocol):
    """Finds the key of a party (签约方)."""

    async def key(self, party: str, once: Once, subject: str, holder: Holder | None = None) -> SigningKey:
        """The party's key, usable now; Misuse ``keys.unknown_party`` names the parties there are.

        ``once`` and ``subject`` (start of every effect key) are for a key that is made for one signature only.
        ``holder``: who the certificate must name; Rejected ``keys.holder_differs``.
        """
        ...


@dataclass(frozen=True, slots=True)
class SoftwareKey:
    """A key in this process's memory: RSA from 2048 bits or an elliptic curve from 256 bits."""

    private: PrivateKey
    certificate: Certificate
    chain: tuple[Certificate, ...] = ()

    def __repr__(self) -> str:
        return f"SoftwareKey({self.certificate.subject.human_friendly!r})"

    @property
    def digest_algorithm(self) -> str:
        return "sha256"

    @property
    def repeatable(self) -> bool:
        return True

    def mechanism(self, digest_algorithm: str) -> algos.SignedDigestAlgorithm:
        digest = _digest(digest_algorithm)
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return algos.SignedDigestAlgorithm({"algorithm": f"{digest_algorithm}_ecdsa"})
        if not self._uses_pss():
            return algos.SignedDigestAlgorithm({"algorithm": f"{digest_algorithm}_rsa"})
        hash_algorithm = algos.DigestAlgorithm({"algorithm": digest_algorithm})
        parameters = algos.RSASSAPSSParams(
            {
                "hash_algorithm": hash_algorithm,
                "mask_gen_algorithm": algos.MaskGenAlgorithm({"algorithm": "mgf1", "parameters": hash_algorithm}),
                "salt_length": digest.digest_size,
            }
        )
        return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": parameters})

    async def sign(self, data: bytes, digest_algorithm: str, act: str) -> bytes:  # noqa: ARG002  # nobody else to tell
        digest = _digest(digest_algorithm)
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return self.private.sign(data, ec.ECDSA(digest))  # quicker than handing it to a thread
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size) if self._uses_pss() else padding.PKCS1v15()
        return await asyncio.to_thread(self.private.sign, data, scheme, digest)

    async def recall(self, act: str) -> bytes | None:  # noqa: ARG002  # a repeatable key is never asked
        return None

    def _uses_pss(self) -> bool:
        return self.certificate.public_key.algorithm == "rsassa_pss" or self.private.key_size >= _PSS_FROM_BITS


class Pkcs12Keyring:
    """Keys from ``<party>.p12`` files; the passphrase is the text of ``<party>.passphrase`` beside, mode 0600.

    A replaced file is noticed at the next use. Raises Misuse ``keys.*`` naming party and file.
    """

    def __init__(self, directory: Path, *, clock: Clock = system_clock) -> None:
        self._directory = directory
        self._clock = clock
        self._loaded: dict[str, tuple[tuple[int, int], SoftwareKey | Sm2Key]] = {}
        self._loading: dict[str, asyncio.Lock] = {}

    @property
    def place(self) -> str:
        return str(self._directory)

    def holds(self, party: str) -> bool:
        return _PARTY_NAME.fullmatch(party) is not None and (self._directory / f"{party}.p12").is_file()

    def parties(self) -> list[str]:
        return sorted(file.stem for file in self._directory.glob("*.p12"))

    async def key(
        self,
        party: str,
        once: Once | None = None,  # noqa: ARG002  # these keys last
        subject: str = "",  # noqa: ARG002  # as above
        holder: Holder | None = None,  # noqa: ARG002  # the keyring compares
    ) -> SigningKey:
        """The party's key, usable now; ``keys.unknown_party``, ``.expired``, ``.usage`` … otherwise."""
        key = await self._load(party)
        _check_validity(key.certificate, self._file(party), self._clock())
        return key

    async def certificate(self, party: str) -> Certificate:
        return (await self._load(party)).certificate

    async def close(self) -> None:
        """Nothing is held open."""

    async def _load(self, party: str) -> SoftwareKey | Sm2Key:
        file = self._file(party)
        async with self._loading.setdefault(party, asyncio.Lock()):
            status = file.stat()
            version = (status.st_mtime_ns, status.st_size)
            known = self._loaded.get(party)
            if known is None or known[0] != version:
                known = (version, await asyncio.to_thread(load_pkcs12, file))
                self._loaded[party] = known
        return known[1]

    def _file(self, party: str) -> Path:
        if not self.holds(party):
            raise unknown_party(party, {self.place: self.parties()})
        return self._directory / f"{party}.p12"


def unknown_party(party: str, known: Mapping[str, Sequence[str]]) -> Misuse:
    """Nobody holds a key of the party; ``known``: the parties by the place of their keys."""
    listed = "; ".join(f"{place}: {', '.join(parties) or '-'}" for place, parties in known.items())
    return Misuse(
        "keys.unknown_party",
        zh=f"没有签约方“{party}”的密钥。已有密钥：{listed}。请补充密钥（{party}.p12 或设置 trust），或改正名称。",
        en=f"There is no key for the party “{party}”. Known: {listed}. "
        f"Add one ({party}.p12, or in the settings trust) or correct the name.",
        party=party,
        known=listed,
    )


def load_pkcs12(file: Path) -> SoftwareKey | Sm2Key:
    """Open one PKCS#12 file (RFC 7292) with its passphrase file and check that key, certificate and usage agree.

    Blocks up to half a second: the passphrase is stretched on purpose.
    """
    passphrase = _read_passphrase(file.with_suffix(".passphrase"))
    try:
        content = file.read_bytes()
        bundle = pkcs12.load_pkcs12(content, passphrase)
    except UnsupportedAlgorithm:  # such as a curve that it does not know
        return _load_sm2(file, content, passphrase)
    except (ValueError, OSError) as error:
        if "password" in str(error).lower():
            raise _wrong_passphrase(file) from error
        raise _unreadable(file, error) from error
    private, held = bundle.key, bundle.cert
    if private is None:
        raise _refuse("incomplete", file, "里面没有私钥", "there is no private key in it")
    if held is None:  # the library pairs key and certificate by their public key
        raise _mismatch(file)
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or private.key_size < (
        256 if isinstance(private, ec.EllipticCurvePrivateKey) else 2048
    ):
        raise _refuse(
            "weak",
            file,
            "只接受 2048 位以上的 RSA 密钥或 256 位以上的椭圆曲线密钥",
            "only RSA keys from 2048 bits and elliptic-curve keys from 256 bits are accepted",
        )
    certificate = _convert(held.certificate)
    _check_usage(certificate, file)
    issuers = [_convert(entry.certificate) for entry in bundle.additional_certs]
    return SoftwareKey(private, certificate, _order(certificate, issuers))


def _load_sm2(file: Path, content: bytes, passphrase: bytes) -> Sm2Key:
    try:
        bundle = sm2.read_pkcs12(content, passphrase)
    except sm2.WrongPassphrase as error:
        raise _wrong_passphrase(file) from error
    except NoSm2 as error:
        raise _refuse(
            "no_sm2",
            file,
            "其中的国密 SM2 密钥需要本机装有 OpenSSL 3（libcrypto）",
            "its SM2 key needs OpenSSL 3 (libcrypto) on this machine",
        ) from error
    except ValueError as error:
        raise _unreadable(file, error) from error
    if bundle.certificate is None:
        raise _mismatch(file)
    certificate = Certificate.load(bundle.certificate)
    _check_usage(certificate, file)
    return Sm2Key(bundle.key, certificate, _order(certificate, [Certificate.load(der) for der in bundle.others]))


def _check_usage(certificate: Certificate, file: Path) -> None:
    usage = certificate.key_usage_value
    if usage is not None and not usage.native & {"non_repudiation", "digital_signature"}:
        raise _refuse("usage", file, "证书不允许用于签名", "the certificate does not allow signing")


def _convert(certificate: x509.Certificate) -> Certificate:
    return Certificate.load(certificate.public_bytes(Encoding.DER))


def _order(certificate: Certificate, issuers: list[Certificate]) -> tuple[Certificate, ...]:
    """Sort issuers nearest first; certificates that are not in the chain are dropped."""
    chain: list[Certificate] = []
    current = certificate
    while current.issuer != current.subject:
        found = next((c for c in issuers if c.subject == current.issuer and c not in chain), None)
        if found is None:
            break
        chain.append(found)
        current = found
    return tuple(chain)


def _read_passphrase(file: Path) -> bytes:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        text = file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _refuse(
            "passphrase_file", file, f"口令文件读不出来（{error}）", f"the passphrase file cannot be read ({error})"
        ) from error
    if mode & 0o077:
        raise _refuse(
            "permissions",
            file,
            f"权限为 {mode:04o}，他人可读；请执行 chmod 600",
            f"its mode is {mode:04o}, so others can read it; run chmod 600",
        )
    return text.encode("utf-8")


def _check_validity(certificate: Certificate, file: Path, now: datetime) -> None:
    if now > certificate.not_valid_after:
        day = certificate.not_valid_after.date().isoformat()
        raise _refuse(
            "expired",
            file,
            f"证书已于 {day} 过期，请换发证书",
            f"the certificate expired on {day}; have a new one issued",
        )
    if now < certificate.not_valid_before:
        day = certificate.not_valid_before.isoformat()
        raise _refuse(
            "not_yet_valid",
            file,
            f"证书要到 {day} 才生效，请检查本机时钟",
            f"the certificate is valid only from {day}; check this machine's clock",
        )


def _digest(name: str) -> hashes.HashAlgorithm:
    try:
        return _DIGESTS[name]()
    except KeyError:
        raise Misuse(
            "keys.digest",
            zh=f"不支持摘要算法“{name}”，请改用：{'、'.join(_DIGESTS)}。",
            en=f"The digest algorithm “{name}” is not supported; use one of {', '.join(_DIGESTS)}.",
            digest=name,
        ) from None


def _wrong_passphrase(file: Path) -> Misuse:
    return _refuse("passphrase", file, "口令不对，请检查口令文件", "the passphrase is wrong; check the passphrase file")


def _unreadable(file: Path, error: Exception) -> Misuse:
    return _refuse("unreadable", file, f"无法读取（{error}）", f"it cannot be read ({error})")


def _mismatch(file: Path) -> Misuse:
    return _refuse("mismatch", file, "没有与私钥匹配的证书", "no certificate in it belongs to the private key")


def _refuse(reason: str, file: Path, zh: str, en: str) -> Misuse:
    return Misuse(
        f"keys.{reason}",
        zh=f"密钥文件 {file} 不能使用：{zh}。",
        en=f"The key file {file} cannot be used: {en}.",
        file=str(file),
        party=file.stem,
    )
