"""Reads the folder of trust anchors (信任锚); nothing in it is checked for expiry here, the path check does that."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

from asn1crypto import pem
from asn1crypto.x509 import Certificate

from engine.errors import Misuse

_SUFFIXES = {".pem", ".crt", ".cer", ".der"}


def load_anchors(directory: Path) -> tuple[Certificate, ...]:
    """Every certificate in the folder's ``.pem``, ``.crt``, ``.cer`` and ``.der`` files, PEM or DER, in file order.

    Raises Misuse ``trust.anchors`` when the folder or a file is unreadable or no certificate is found.
    """
    anchors: list[Certificate] = []
    file = directory
    try:
        for file in sorted(directory.iterdir()):
            if file.suffix.lower() in _SUFFIXES:
                anchors.extend(_read(file.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise _refuse(file, f"读不出来（{error}）", f"it cannot be read ({error})") from error
    if not anchors:
        raise _refuse(directory, "里面没有证书", "there is no certificate in it")
    return tuple(anchors)


def load_retirements(directory: Path) -> dict[bytes, datetime]:
    """From when on anchors of the folder are believed no more, by their DER.

    ``root.pem.until`` beside ``root.pem`` holds the first such day, as 2045-01-31. What is proven to be older than that
    the root still proves; take the file away instead and it proves nothing. Raises Misuse ``trust.anchors``.
    """
    retired: dict[bytes, datetime] = {}
    for file in sorted(directory.glob("*.until")):
        try:
            day = date.fromisoformat(file.read_text("utf-8").strip())
            certificates = _read(file.with_suffix("").read_bytes())
        except (OSError, ValueError, TypeError) as error:
            raise _refuse(file, f"读不出来（{error}）", f"it cannot be read ({error})") from error
        retired |= {certificate.dump(): datetime.combine(day, time(), UTC) for certificate in certificates}
    return retired


def _read(content: bytes) -> list[Certificate]:
    if not pem.detect(content):
        blocks = [content]
    else:
        blocks = [block for kind, _, block in pem.unarmor(content, multiple=True) if kind == "CERTIFICATE"]
    certificates = [Certificate.load(block, strict=True) for block in blocks]
    for certificate in certificates:
        _ = certificate.public_key, certificate.not_valid_after  # parsing is lazy: meet a broken file now
    return certificates


def _refuse(place: Path, zh: str, en: str) -> Misuse:
    return Misuse(
        "trust.anchors",
        zh=f"信任锚 {place} 不能使用：{zh}。请放入 PEM 或 DER 格式的根证书。",
        en=f"The trust anchors at {place} cannot be used: {en}. Put root certificates there, PEM or DER.",
        place=str(place),
    )
