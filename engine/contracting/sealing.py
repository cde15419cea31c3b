"""Seals bytes from outside: a detached CMS signature and an RFC 3161 timestamp over it; no revocation data goes in.

The signature covers the content, the timestamp covers the signature: neither can be changed or exchanged alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from asn1crypto.x509 import Certificate

from engine.contracting.offline.certificates import Certificate as Link
from engine.contracting.offline.certificates import Trust
from engine.contracting.offline.encoding import decode
from engine.contracting.offline.messages import Token
from engine.trust import cms
from engine.trust.acts import Once
from engine.trust.der import element, integer, sequence, set_of
from engine.trust.keys import SigningKey
from engine.trust.signing import Stamper, path_of, use_key
from engine.trust.suites.digests import digest_bytes


class Intent(msgspec.Struct, frozen=True, array_like=True):
    """All that the seal depends on beside the key's answer and the token; ``content``: digest in the content store."""

    content: str
    attributes: bytes
    mechanism: bytes
    certificates: tuple[bytes, ...]
    digest_algorithm: str


@dataclass(frozen=True, slots=True)
class Seal:
    """``content`` was sealed, perhaps by an earlier try; ``message`` is the .p7s, ``response`` the .tsr."""

    content: str
    message: bytes
    response: bytes


async def seal(
    content: str,
    data: bytes,
    key: SigningKey,
    stamper: Stamper,
    anchors: Sequence[Certificate],
    once: Once,
    name: str,
) -> Seal:
    """Sign and stamp ``data``, which the stored ``content`` holds; ``name`` starts the effect keys.

    Raises Unavailable of the stamper, Rejected ``signature.key_changed``.
    """
    algorithm = key.digest_algorithm
    intent = Intent(
        content=content,
        attributes=cms.signed_attributes(key.certificate, digest_bytes(algorithm, data), algorithm),
        mechanism=key.mechanism(algorithm).dump(),
        certificates=path_of(key),
        digest_algorithm=algorithm,
    )
    decided, signature = await use_key(intent, key, once, name, "seal")
    certificates = [Certificate.load(der) for der in decided.certificates]
    message = cms.signed_data(
        certificates, decided.attributes, decided.mechanism, signature, None, decided.digest_algorithm
    )

    async def stamp(digest: bytes) -> bytes:
        return await stamper.stamp(digest, decided.digest_algorithm)

    imprint = digest_bytes(decided.digest_algorithm, message)
    _, token = await once(f"{name}:stamp", "timestamp", imprint, stamp, repeatable=True)
    return Seal(decided.content, message, response_of(token, anchors))


def response_of(token: bytes, anchors: Sequence[Certificate]) -> bytes:
    """A granted TimeStampResp (RFC 3161, 2.4.2) with the token, without what nothing in it protects.

    Certificates that do not lead to an anchor, revocation data and unsigned attributes stand outside every signature:
    altered there, nobody would notice.
    """
    read = Token(token)
    trust = Trust([Link(anchor.dump()) for anchor in anchors], [])
    held = read.message.certificates
    kept = {one.der for one in held if trust.path(one, held, read.at)}
    kind, wrapped = decode(token).fields(2)
    parts = wrapped.children()[0].fields(4)
    signer = sequence(*(node.raw for node in parts[-1].children()[0].fields(6)[:6]))
    carried = set_of(*kept, tag=0xA0)
    signed = sequence(*(node.raw for node in parts[:3]), carried, set_of(signer))
    return sequence(sequence(integer(0)), sequence(kind.raw, element(0xA0, signed)))
