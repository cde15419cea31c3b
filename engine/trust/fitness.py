"""What makes a key fit to sign: its certificate's dates, usage and chain, and secrets that others cannot read."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from asn1crypto import pem
from asn1crypto.x509 import Certificate

from engine.errors import Misuse


def unfit(reason: str, place: str, party: str, zh: str, en: str) -> Misuse:
    """The key at a place cannot be used, and why; code ``keys.<reason>``."""
    return Misuse(
        f"keys.{reason}",
        zh=f"密钥 {place} 不能使用：{zh}。",
        en=f"The key {place} cannot be used: {en}.",
        file=place,
        party=party,
    )


def check_validity(certificate: Certificate, place: str, party: str, now: datetime) -> None:
    """Raise Misuse ``keys.expired`` or ``keys.not_yet_valid``."""
    if now > certificate.not_valid_after:
        day = certificate.not_valid_after.date().isoformat()
        raise unfit(
            "expired",
            place,
            party,
            f"证书已于 {day} 过期，请换发证书",
            f"the certificate expired on {day}; have a new one issued",
        )
    if now < certificate.not_valid_before:
        day = certificate.not_valid_before.isoformat()
        raise unfit(
            "not_yet_valid",
            place,
            party,
            f"证书要到 {day} 才生效，请检查本机时钟",
            f"the certificate is valid only from {day}; check this machine's clock",
        )


def check_usage(certificate: Certificate, place: str, party: str) -> None:
    """Raise Misuse ``keys.usage`` for a certificate that is not for signing (RFC 5280, 4.2.1.3)."""
    usage = certificate.key_usage_value
    if usage is not None and not usage.native & {"non_repudiation", "digital_signature"}:
        raise unfit("usage", place, party, "证书不允许用于签名", "the certificate does not allow signing")


def weak(place: str, party: str) -> Misuse:
    """A key that nobody should rely on (TS 119 312)."""
    return unfit(
        "weak",
        place,
        party,
        "只接受 2048 位以上的 RSA 密钥或 256 位以上的椭圆曲线密钥",
        "only RSA keys from 2048 bits and elliptic-curve keys from 256 bits are accepted",
    )


def no_sm2(place: str, party: str) -> Misuse:
    """An SM2 key on a machine that cannot compute SM2."""
    return unfit(
        "no_sm2",
        place,
        party,
        "其中的国密 SM2 密钥需要本机装有 OpenSSL 3（libcrypto）",
        "its SM2 key needs OpenSSL 3 (libcrypto) on this machine",
    )


def chain_of(certificate: Certificate, issuers: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """Issuers nearest first; certificates that are not in the chain are dropped."""
    chain: list[Certificate] = []
    current = certificate
    while current.issuer != current.subject:
        found = next((c for c in issuers if c.subject == current.issuer and c not in chain), None)
        if found is None:
            break
        chain.append(found)
        current = found
    return tuple(chain)


def read_secret(file: Path, party: str) -> str:
    """The text of a file only its owner may read; raises Misuse ``keys.passphrase_file`` or ``keys.permissions``."""
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        text = file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise unfit(
            "passphrase_file",
            str(file),
            party,
            f"口令文件读不出来（{error}）",
            f"the passphrase file cannot be read ({error})",
        ) from error
    if mode & 0o077:
        raise unfit(
            "permissions",
            str(file),
            party,
            f"权限为 {mode:04o}，他人可读；请执行 chmod 600",
            f"its mode is {mode:04o}, so others can read it; run chmod 600",
        )
    return text


def read_certificates(file: Path, party: str) -> list[Certificate]:
    """The certificates in a PEM or DER file, in its order; raises Misuse ``keys.unreadable``."""
    try:
        content = file.read_bytes()
        ders = [der for _, _, der in pem.unarmor(content, multiple=True)] if pem.detect(content) else [content]
        found = [Certificate.load(der, strict=True) for der in ders]
        for one in found:
            _ = one.native
    except (OSError, ValueError) as error:
        raise unfit("unreadable", str(file), party, f"无法读取（{error}）", f"it cannot be read ({error})") from error
    return found
