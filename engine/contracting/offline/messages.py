"""Checks CMS signatures (RFC 5652) and timestamp tokens (RFC 3161): one signer each, signed attributes required.

Runs inside an evidence bundle: Python 3.8 and its standard library, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from engine.contracting.offline.arithmetic import digest, digest_name, is_genuine
from engine.contracting.offline.certificates import Certificate, same_name
from engine.contracting.offline.encoding import Malformed, Node, decode, member

_PKCS9 = "1.2.840.113549.1.9."
_SIGNED_DATA = "1.2.840.113549.1.7.2"
_TST_INFO = _PKCS9 + "16.1.4"
TOKEN = _PKCS9 + "16.2.14"
"""Attribute that carries a timestamp over the signature's value."""


class Invalid(Exception):
    """A signature that does not hold; the argument is one word for what is wrong."""


class Message:
    """A SignedData with one signer, taken apart; ``check`` says whether it holds."""

    def __init__(self, der: bytes) -> None:
        outer = decode(der).fields(2)
        if outer[0].identifier() != _SIGNED_DATA:
            raise Malformed("no SignedData")
        parts = outer[1].expect(0xA0).children()[0].fields(4)
        content = parts[2].fields(1)
        self.content_type = content[0].identifier()
        self.content = content[1].expect(0xA0).children()[0].expect(0x04).value if len(content) > 1 else None
        carried = member(parts[3:], 0xA0)
        self.certificates = [Certificate(node.raw) for node in (carried.children() if carried else [])]
        (info,) = parts[-1].expect(0x31).children()
        signer = info.fields(5)
        versions = parts[0].number(), signer[0].number()
        self.hashed = digest_name(signer[2])
        self.is_bare = versions == (3, 1) and len(parts) == 5 and len(signer) == 6
        """Whether all it holds besides certificates is signed: no revocation data, no unsigned attributes."""
        attributes = signer[3].expect(0xA0)
        self.signed = b"\x31" + attributes.raw[1:]
        self.attributes = _attributes(attributes)
        self.algorithm, self.signature = signer[4], signer[5].expect(0x04).value
        self.unsigned = _attributes(signer[6].expect(0xA1)) if len(signer) > 6 else {}
        if versions[0] not in (1, 3, 4, 5) or versions[1] != (3 if signer[1].tag == 0x80 else 1):
            raise Malformed("an odd version")
        if self.hashed not in [digest_name(node) for node in parts[1].expect(0x31).children()]:
            raise Malformed("the digest algorithm is not announced")
        named = [one for one in self.certificates if same_name(one, signer[1])]
        if len(named) != 1:
            raise Malformed("the signer's certificate is not there")
        self.signer = named[0]

    def check(self, digest_of: Callable[[str], bytes]) -> None:
        """Raise Invalid unless the signer signed content with this digest; Unknown, Malformed as their names say."""
        if self._single(_PKCS9 + "3").identifier() != self.content_type:
            raise Invalid("content-type")
        if self._single(_PKCS9 + "4").expect(0x04).value != digest_of(self.hashed):
            raise Invalid("digest")
        if not is_genuine(self.signer.key, self.algorithm, self.signature, self.signed, self.hashed):
            raise Invalid("value")
        if not self._names_signer():
            raise Invalid("certificate")

    def octets(self) -> list[bytes]:
        """Values of all signed attributes that are octet strings, but not the message digest's."""
        values = [node for kind, nodes in self.attributes.items() if kind != _PKCS9 + "4" for node in nodes]
        return [node.value for node in values if node.tag == 0x04]

    def _single(self, kind: str) -> Node:
        values = self.attributes.get(kind, [])
        if len(values) != 1:
            raise Malformed("a signed attribute is missing: " + kind)
        return values[0]

    def _names_signer(self) -> bool:
        """The attribute that binds the certificate itself, not only its name (RFC 5035)."""
        for kind, default in ((_PKCS9 + "16.2.47", "sha256"), (_PKCS9 + "16.2.12", "sha1")):
            if kind in self.attributes:
                first = self._single(kind).fields(1)[0].fields(1)[0].fields(1)
                name = digest_name(first[0]) if first[0].tag == 0x30 else default
                held = first[1] if first[0].tag == 0x30 else first[0]
                return held.expect(0x04).value == digest(name, self.signer.der)
        return False


class Token:
    """A timestamp token: ``at`` is what its authority says, once ``check`` held."""

    def __init__(self, der: bytes) -> None:
        self.message = Message(der)
        if self.message.content_type != _TST_INFO or self.message.content is None:
            raise Malformed("no timestamp token")
        fields = decode(self.message.content).fields(5)
        imprint = fields[2].fields(2)
        self.hashed, self.imprint = digest_name(imprint[0]), imprint[1].expect(0x04).value
        self.serial = fields[3].number()
        self.at: datetime = fields[4].moment()

    def check(self, digest_of: Callable[[str], bytes]) -> None:
        """Raise Invalid ``imprint`` when it stamps something else, and what ``Message.check`` raises."""
        content = self.message.content or b""
        self.message.check(lambda name: digest(name, content))
        if not self.message.signer.may_stamp:
            raise Invalid("usage")
        if self.imprint != digest_of(self.hashed):
            raise Invalid("imprint")


def unwrap(response: bytes) -> bytes:
    """Token of a TimeStampResp that says "granted" and nothing else."""
    parts = decode(response).fields(2)
    if len(parts) != 2 or parts[0].raw != b"\x30\x03\x02\x01\x00":
        raise Malformed("no granted timestamp")
    return parts[1].raw


def _attributes(node: Node) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for attribute in node.children():
        kind, values = attribute.fields(2)[:2]
        if kind.identifier() in found:
            raise Malformed("an attribute stands there twice")
        found[kind.identifier()] = values.expect(0x31).children()
    return found
