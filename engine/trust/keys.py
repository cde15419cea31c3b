"""Signing keys (签名密钥) behind one small Protocol; keys held here lie in memory, no hardware guards them.

A key object is loaded once and kept: checking an RSA key on load costs a hundred times the signature itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from asn1crypto import algos
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from engine.errors import Conflict, Misuse
from engine.trust.acts import Once
from engine.trust.clock import Clock, system_clock
from engine.trust.fitness import chain_of, check_usage, check_validity, no_sm2, read_secret, unfit, weak
from engine.trust.holders import Holder
from engine.trust.mechanisms import digest_of_name, mechanism_for, padding_for
from engine.trust.suites import sm2
from engine.trust.suites.keys import Sm2Key
from engine.trust.suites.libcrypto import NoSm2

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

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

    async def recall(self, data: bytes, digest_algorithm: str, act: str) -> bytes | None:
        """The signature over ``data`` that ``act`` made earlier, if whoever holds the key can tell."""
        ...


class KeyLost(Conflict):
    """A one-time key is gone and its signature published as never made; sign anew with another key."""


class Keyring(Protocol):
    """Finds the key of a party (签约方)."""

    async def key(
        self, party: str, once: Once, subject: str, holder: Holder | None = None, proof: bytes = b""
    ) -> SigningKey:
        """The party's key, usable now; Misuse ``keys.unknown_party`` names the parties there are.

        ``once`` and ``subject`` (start of every effect key) are for a key that is made for one signature only.
        ``proof`` of the party's will goes to who certifies it. ``holder``: who the certificate must name; Rejected
        ``keys.holder_differs``.
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
        return mechanism_for(self.certificate, digest_algorithm)

    async def sign(self, data: bytes, digest_algorithm: str, act: str) -> bytes:  # noqa: ARG002  # nobody else to tell
        digest = digest_of_name(digest_algorithm)
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return self.private.sign(data, ec.ECDSA(digest))  # quicker than handing it to a thread
        return await asyncio.to_thread(self.private.sign, data, padding_for(self.certificate, digest), digest)

    async def recall(self, data: bytes, digest_algorithm: str, act: str) -> bytes | None:  # noqa: ARG002  # a repeatable key is never asked
        return None


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
        proof: bytes = b"",  # noqa: ARG002  # as above
    ) -> SigningKey:
        """The party's key, usable now; ``keys.unknown_party``, ``.expired``, ``.usage`` … otherwise."""
        key = await self._load(party)
        check_validity(key.certificate, str(self._file(party)), party, self._clock())
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
    passphrase = read_secret(file.with_suffix(".passphrase"), file.stem).encode("utf-8")
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
        raise weak(str(file), file.stem)
    certificate = _convert(held.certificate)
    check_usage(certificate, str(file), file.stem)
    issuers = [_convert(entry.certificate) for entry in bundle.additional_certs]
    return SoftwareKey(private, certificate, chain_of(certificate, issuers))


def _load_sm2(file: Path, content: bytes, passphrase: bytes) -> Sm2Key:
    try:
        bundle = sm2.read_pkcs12(content, passphrase)
    except sm2.WrongPassphrase as error:
        raise _wrong_passphrase(file) from error
    except NoSm2 as error:
        raise no_sm2(str(file), file.stem) from error
    except ValueError as error:
        raise _unreadable(file, error) from error
    if bundle.certificate is None:
        raise _mismatch(file)
    certificate = Certificate.load(bundle.certificate)
    check_usage(certificate, str(file), file.stem)
    return Sm2Key(bundle.key, certificate, chain_of(certificate, [Certificate.load(der) for der in bundle.others]))


def _convert(certificate: x509.Certificate) -> Certificate:
    return Certificate.load(certificate.public_bytes(Encoding.DER))


def _wrong_passphrase(file: Path) -> Misuse:
    return _refuse("passphrase", file, "口令不对，请检查口令文件", "the passphrase is wrong; check the passphrase file")


def _unreadable(file: Path, error: Exception) -> Misuse:
    return _refuse("unreadable", file, f"无法读取（{error}）", f"it cannot be read ({error})")


def _mismatch(file: Path) -> Misuse:
    return _refuse("mismatch", file, "没有与私钥匹配的证书", "no certificate in it belongs to the private key")


def _refuse(reason: str, file: Path, zh: str, en: str) -> Misuse:
    return unfit(reason, str(file), file.stem, zh, en)
