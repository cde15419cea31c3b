"""Reads X.509 certificates and leads them to an anchor by signatures, names and times; revocation is judged elsewhere.

Runs inside an evidence bundle: Python 3.8 and its standard library, nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime

from engine.contracting.offline.arithmetic import Unknown, is_genuine
from engine.contracting.offline.encoding import Malformed, Node, decode, member

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s*([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----")
_LONGEST = 8
_TIME_STAMPING = "1.3.6.1.5.5.7.3.8"


class Certificate:
    """A certificate as its holder shows it; raises Malformed for what is none."""

    def __init__(self, der: bytes) -> None:
        self.der = der
        self.fingerprint = hashlib.sha256(der).hexdigest()
        outer = decode(der).fields(3)
        self.signed, self.algorithm, self.signature = outer[0].raw, outer[1], outer[2].bits()
        inner = outer[0].fields(6)
        inner = inner[1:] if inner[0].tag == 0xA0 else inner
        if inner[1].raw != self.algorithm.raw:
            raise Malformed("a certificate names two signature algorithms")
        self.serial = inner[0].number()
        self.issuer, self.subject, self.key = inner[2].raw, inner[4].raw, inner[5]
        self.begins, self.ends = (node.moment() for node in inner[3].fields(2)[:2])
        self.extensions = {}
        extensions = member(inner, 0xA3)
        for entry in extensions.children()[0].children() if extensions else []:
            parts = entry.fields(2)
            self.extensions[parts[0].identifier()] = parts[-1].expect(0x04).value

    @property
    def name(self) -> str:
        """Common name of the subject, else its last part."""
        parts = [part.children()[0].fields(2) for part in decode(self.subject).children()]
        named = [part for part in parts if part[0].identifier() == "2.5.4.3"] or parts
        encoding = "utf-16-be" if named and named[-1][1].tag == 0x1E else "utf-8"
        return named[-1][1].value.decode(encoding, "replace") if named else ""

    @property
    def may_issue(self) -> bool:
        constraints = self.extensions.get("2.5.29.19")
        nodes = decode(constraints).children() if constraints else []
        return bool(nodes) and nodes[0].raw == b"\x01\x01\xff"

    @property
    def may_stamp(self) -> bool:
        purposes = self.extensions.get("2.5.29.37")
        return purposes is not None and _TIME_STAMPING in [node.identifier() for node in decode(purposes).children()]

    def made_by(self, issuer: Certificate) -> bool:
        return self.issuer == issuer.subject and is_genuine(issuer.key, self.algorithm, self.signature, self.signed)


class Trust:
    """Anchors to lead to, and certificates to lead over; what was checked once is remembered."""

    def __init__(self, anchors: list[Certificate], others: list[Certificate]) -> None:
        self.anchors = {anchor.fingerprint: anchor for anchor in anchors}
        self._others = others
        self._made: dict[tuple[str, str], bool] = {}

    def path(self, leaf: Certificate, carried: list[Certificate], moment: datetime) -> list[Certificate] | None:
        """Certificates from the leaf to an anchor, all valid at a moment; None without such a path."""
        return self._extend([leaf], [*carried, *self._others, *self.anchors.values()], moment)

    def _extend(self, path: list[Certificate], pool: list[Certificate], moment: datetime) -> list[Certificate] | None:
        last = path[-1]
        if not last.begins <= moment <= last.ends:
            return None
        if last.fingerprint in self.anchors:
            return path
        for issuer in pool if len(path) < _LONGEST else []:
            if issuer not in path and self._leads(last, issuer):
                found = self._extend([*path, issuer], pool, moment)
                if found:
                    return found
        return None

    def _leads(self, certificate: Certificate, issuer: Certificate) -> bool:
        """Whether one made the other and may; what cannot be read leads nowhere."""
        if certificate.issuer != issuer.subject:
            return False
        pair = (certificate.fingerprint, issuer.fingerprint)
        if pair not in self._made:
            try:
                self._made[pair] = issuer.may_issue and certificate.made_by(issuer)
            except (Malformed, Unknown):
                self._made[pair] = False
        return self._made[pair]


def read_pem(text: bytes) -> list[Certificate]:
    """Every certificate of a PEM file."""
    return [Certificate(base64.b64decode(block)) for block in _PEM.findall(text)]


def same_name(certificate: Certificate, sid: Node) -> bool:
    """Whether a CMS signer identifier (RFC 5652, 5.3) means this certificate."""
    if sid.tag == 0x80:
        held = certificate.extensions.get("2.5.29.14")
        return held is not None and decode(held).value == sid.value
    issuer, serial = sid.fields(2)[:2]
    return issuer.raw == certificate.issuer and serial.number() == certificate.serial
