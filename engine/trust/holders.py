"""Holds a certificate to the party it signs for (证书持有人核对, 电子签名法 art. 21) by words; it asks no register.

Names are compared after NFKC, without white space and case (RFC 4518 does no less). A number is compared where the
certificate carries one: organizationIdentifier and serialNumber of the subject (EN 319 412-1, 5.1.3 and 5.1.4) and the
extensions of Chinese authorities for identity documents and organisation codes (GM/T 0015-2012, 5.2.3.4).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from asn1crypto import parser
from asn1crypto.x509 import Certificate

from engine.errors import Rejected

_NAMES = ("common_name", "organization_name")
_NUMBERS = ("organization_identifier", "serial_number")
_CODES = ("1.2.156.10260.4.1.", "1.2.86.11.7.")
"""Arcs of identity numbers, registrations and organisation codes; the second is older and still issued."""
_SEMANTICS = re.compile(r"[A-Z]{3}[A-Z]{2}-")
"""``NTRCN-``, ``IDCCN-`` …: kind and country before a number (EN 319 412-1, 5.1.4)."""
_LIKE_ID_NUMBER = re.compile(r"\d{15}|\d{17}[\dX]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a certificate must belong to: a name, and a credit code or identity number if one is known."""

    name: str
    number: str | None = None


def require_holder(certificate: Certificate, holder: Holder, party: str) -> None:
    """Raise Rejected ``keys.holder_differs`` unless the certificate names the holder.

    The name may be the subject's common name or organisation, or one of its numbers. Where the certificate carries
    numbers of the form the holder's has, one of them must be the holder's.
    """
    names, numbers = list(_names(certificate)), list(_numbers(certificate))
    if _fold(holder.name) not in map(_fold, (*names, *numbers)):
        raise _differs(party, holder.name, names)
    if holder.number:
        wanted = _fold(holder.number)
        alike = [number for number in numbers if len(_fold(number)) == len(wanted)]
        if alike and wanted not in map(_fold, alike):
            raise _differs(party, holder.number, alike)


def claim_key(signers: Mapping[str, str], certificate: Certificate, party: str) -> dict[str, str]:
    """Parties of one file by the digest of their public key, with this one added.

    Raises Rejected ``keys.shared`` when another party signed the file with the same key: one of them did not sign.
    """
    digest: str = certificate.public_key.sha256.hex()
    other = signers.get(digest, party)
    if other != party:
        raise Rejected(
            "keys.shared",
            zh=f"签约方“{party}”与“{other}”使用同一把密钥，不能在同一文件上代表两方签署。请为其中一方配置自己的密钥。",
            en=f"The parties “{party}” and “{other}” have the same key, which cannot sign one document for both. "
            "Give one of them a key of its own.",
            party=party,
            other=other,
        )
    return {**signers, digest: party}


def mask(text: str) -> str:
    """An identity number as people may see it: first and last digits."""
    return f"{text[:3]}***********{text[-4:]}" if _LIKE_ID_NUMBER.fullmatch(text.strip()) else text


def _names(certificate: Certificate) -> Iterator[str]:
    for kind in _NAMES:
        yield from _attributes(certificate, kind)


def _numbers(certificate: Certificate) -> Iterator[str]:
    for kind in _NUMBERS:
        for number in _attributes(certificate, kind):
            yield _SEMANTICS.sub("", number, count=1) if _SEMANTICS.match(number) else number
    for extension in certificate["tbs_certificate"]["extensions"]:
        if str(extension["extn_id"].dotted).startswith(_CODES):
            yield _text(extension["extn_value"].contents)


def _attributes(certificate: Certificate, kind: str) -> Iterator[str]:
    for relative in certificate.subject.chosen:
        for pair in relative:
            if pair["type"].native == kind:
                yield str(pair["value"].native)


def _text(value: bytes) -> str:
    """The characters of an extension: a string, perhaps tagged; some authorities write no DER at all."""
    content = value
    try:
        _, _, _, _, content, _ = parser.parse(value, strict=True)
        while content and content[0] in _WRAPPERS:
            _, _, _, _, content, _ = parser.parse(content, strict=True)
    except ValueError:
        pass
    return content.decode("utf-8", "replace")


_WRAPPERS = frozenset({0x04, 0x0C, 0x13, 0x16, 0x30, 0x80, 0x81, 0x82, 0xA0, 0xA1, 0xA2})
"""First bytes of what may surround the characters; a number that begins with 0 (0x30) is too short to be a SEQUENCE."""


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _differs(party: str, expected: str, found: list[str]) -> Rejected:
    wanted, shown = mask(expected), "、".join(map(mask, found)) or "-"
    return Rejected(
        "keys.holder_differs",
        zh=f"签约方“{party}”的证书与签约人不符：应为“{wanted}”，证书上是“{shown}”。请使用本人或本单位的证书。",
        en=f"The certificate of the party “{party}” is not the signer's: expected “{wanted}”, it names “{shown}”. "
        "Sign with the certificate of the person or organisation itself.",
        party=party,
        expected=wanted,
        found=shown,
    )
