"""Signs one document in three steps that a crash cannot repeat differently: prepare, use the key, stamp.

The prepared revision is stored before the key is used and the intent names it, so a replay gives the same bytes. A
timestamp authority that is away costs a retry of the stamp alone: the key's answer is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
from asn1crypto.x509 import Certificate

from engine.errors import Rejected
from engine.sandbox import Caller
from engine.trust import cms
from engine.trust.acts import Once
from engine.trust.embedding import Hole, HoleTooSmall, digest_around, embed
from engine.trust.intent import IntentProof, replaced_proof
from engine.trust.keys import KeyLost, SigningKey
from engine.trust.preparation import SignatureOrder, prepare_signature
from engine.trust.suites.digests import digest_bytes
from engine.vendors.protocols import Storage

RESERVES = (8 * 1024, 80 * 1024)
"""Bytes of DER kept for a token and what surrounds it: for usual authorities, then for the largest token there may be.

Every reader walks through the hole digit by digit, so a generous first guess would slow down all that follows.
"""


class Stamper(Protocol):
    """Gives checked DER TimeStampTokens."""

    async def stamp(self, digest: bytes, algorithm: str = "sha256") -> bytes:
        """Raises Unavailable when no authority answers."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where one piece of signing work happens; ``subject`` starts every effect key."""

    sandbox: Caller
    storage: Storage
    once: Once
    subject: str
    workspace: Path


class KeyUse(Protocol):
    """What an intent to use a key says in any case: what is signed, with which certificates, over which digest."""

    @property
    def attributes(self) -> bytes: ...

    @property
    def certificates(self) -> tuple[bytes, ...]: ...

    @property
    def digest_algorithm(self) -> str: ...


Use = TypeVar("Use", bound=KeyUse)


class Intent(msgspec.Struct, frozen=True, array_like=True):
    """All that the final bytes depend on beside the key's answer and the token."""

    tail: str
    """Digest of the prepared revision in the content store."""
    hole: Hole
    attributes: bytes
    mechanism: bytes
    certificates: tuple[bytes, ...]
    digest_algorithm: str = "sha256"
    proof: bytes = b""
    """Digest of the proof that the party wanted this."""


async def sign_document(
    source: Path,
    output: Path,
    order: SignatureOrder,
    key: SigningKey,
    stamper: Stamper | None,
    around: Surroundings,
    proof: IntentProof,
) -> Path:
    """Write the signed file to ``output``: level B-T, or B-B without a stamper. It begins with the source's bytes.

    ``order.reserve`` is a floor; a CMS that does not fit is prepared anew with more room, at most once.
    ``proof``: redeemed for ``signing_act(around.subject)``; no key is used without one, and the signature names it.
    Raises what preparing raises, Unavailable of the stamper, Rejected ``signature.key_changed``, KeyLost
    where a one-time key is no more: sign again under another subject.
    """
    own = sum(map(len, path_of(key)))
    for attempt, reserve in enumerate(RESERVES):
        prepared = around.workspace / f"prepared-{attempt}.tail"
        wanted = replace(order, reserve=max(order.reserve, own + reserve))
        hole = await around.sandbox.call(prepare_signature, source, prepared, wanted)
        key_name = f"{signing_act(around.subject)}:{attempt}"
        intent, signature = await _use_key(source, prepared, hole, key, around, key_name, proof)
        token = None
        if stamper is not None:
            imprint = digest_bytes(intent.digest_algorithm, signature)
            token = await stamp_once(stamper, imprint, around, f"{key_name}:stamp", intent.digest_algorithm)
        certificates = [Certificate.load(der) for der in intent.certificates]
        content = cms.signed_data(
            certificates, intent.attributes, intent.mechanism, signature, token, intent.digest_algorithm
        )
        tail = await recorded_tail(intent.tail, around)
        try:
            return await embed(source, tail, intent.hole, content, output)
        except HoleTooSmall as error:
            needed = error.needed
    raise Rejected(
        "signature.too_large",
        zh=f"签名数据过大（{needed} 字节），无法放入文件。请检查证书链和时间戳服务。",
        en=f"The signature is too large ({needed} bytes) for the document. Check the certificate chain and the token.",
        needed=needed,
    )


def signing_act(subject: str) -> str:
    """Start of the effect keys of one signature; what its intent token is redeemed for."""
    return f"{subject}:sign"


async def _use_key(
    source: Path,
    prepared: Path,
    hole: Hole,
    key: SigningKey,
    around: Surroundings,
    name: str,
    proof: IntentProof,
) -> tuple[Intent, bytes]:
    algorithm = key.digest_algorithm
    digest = await digest_around(source, prepared, hole, algorithm)
    intent = Intent(
        tail=await around.storage.put(prepared),
        hole=hole,
        attributes=cms.signed_attributes(key.certificate, digest, algorithm, proof.digest),
        mechanism=key.mechanism(algorithm).dump(),
        certificates=path_of(key),
        digest_algorithm=algorithm,
        proof=proof.digest,
    )
    decided, signature = await use_key(intent, key, around.once, name, "signature")
    if not signature:
        raise KeyLost(
            "keys.lost",
            zh="一次性密钥已随进程丢失，未产生签名；将换用新的密钥重新签署。",
            en="The one-time key was lost with its process and signed nothing; another key signs instead.",
        )
    if decided.proof != proof.digest:
        raise replaced_proof(proof.party)
    return decided, signature


async def use_key(intent: Use, key: SigningKey, once: Once, name: str, kind: str) -> tuple[Use, bytes]:
    """Sign the attributes of an intent, or of the one recorded before under ``name``; give that intent and the value.

    Raises Rejected ``signature.key_changed`` when the recorded intent names another certificate.
    """

    def read(recorded: bytes) -> Use:
        return msgspec.msgpack.decode(recorded, type=type(intent))

    async def act(recorded: bytes) -> bytes:
        decided = read(recorded)
        if decided.certificates[0] != key.certificate.dump():
            raise Rejected(
                "signature.key_changed",
                zh="签署开始后，签约方的证书被更换。请重新发起签署。",
                en="The party's certificate was replaced after signing began. Start the signing again.",
            )
        return await key.sign(decided.attributes, decided.digest_algorithm, name)

    async def recall(recorded: bytes) -> bytes | None:
        decided = read(recorded)
        return await key.recall(decided.attributes, decided.digest_algorithm, name)

    recorded, value = await once(
        name, kind, msgspec.msgpack.encode(intent), act, repeatable=key.repeatable, recall=recall
    )
    return read(recorded), value


def path_of(key: SigningKey) -> tuple[bytes, ...]:
    """The certificates that travel with a signature: no root, whoever judges has his own."""
    issuers = (issuer.dump() for issuer in key.chain if issuer.subject != issuer.issuer)
    return (key.certificate.dump(), *issuers)


async def stamp_once(
    stamper: Stamper, digest: bytes, around: Surroundings, name: str, algorithm: str = "sha256"
) -> bytes:
    """Get the one token for a digest; asking twice harms nobody, but one token is published."""

    async def act(recorded: bytes) -> bytes:
        return await stamper.stamp(recorded, algorithm)

    return (await around.once(name, "timestamp", digest, act, repeatable=True))[1]


async def recorded_tail(digest: str, around: Surroundings) -> Path:
    """Fetch the prepared revision that an intent names."""
    return await around.storage.get(digest, around.workspace)
