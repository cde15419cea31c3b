"""One keyring over all places keys are kept in: asks them in order, then holds every key to its party and standing.

What a key may do is asked again at the instant it signs, so that a suspension is honoured by work that had begun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from asn1crypto import algos
from asn1crypto.x509 import Certificate

from engine.errors import Misuse
from engine.trust.acts import Once
from engine.trust.demo import refuse_demo_key
from engine.trust.holders import Holder, require_holder
from engine.trust.keys import SigningKey, unknown_party


class KeySource(Protocol):
    """A place keys are kept in: a folder, a token, a service."""

    @property
    def place(self) -> str:
        """What people call it."""
        ...

    def holds(self, party: str) -> bool: ...

    def parties(self) -> list[str]:
        """Those known by name; a source may hold others."""
        ...

    async def key(
        self, party: str, once: Once, subject: str, holder: Holder | None = None, proof: bytes = b""
    ) -> SigningKey:
        """The key of a party it holds, usable now; all beside the party is for a key that is made on the spot."""
        ...

    async def certificate(self, party: str) -> Certificate | None:
        """What the party signs with, usable or not; None where every signature has its own."""
        ...

    async def close(self) -> None: ...


class Standing(Protocol):
    """Says whether keys may be used at this moment (密钥状态)."""

    async def require(self, party: str, certificate: Certificate) -> None:
        """Raises Conflict ``keys.suspended``, Rejected ``keys.revoked``; Unavailable when nobody can say."""
        ...


class Sources:
    """The installation's keyring.

    ``holders``: who a party's certificate must name where no caller says so; production refuses a key for which
    neither does.
    """

    def __init__(
        self,
        sources: Sequence[KeySource],
        standing: Standing | None = None,
        holders: Mapping[str, str] | None = None,
        environment: str = "development",
    ) -> None:
        self._sources = tuple(sources)
        self._standing = standing
        self._holders = holders or {}
        self._environment = environment

    async def key(
        self, party: str, once: Once, subject: str, holder: Holder | None = None, proof: bytes = b""
    ) -> SigningKey:
        """See ``Keyring``; raises what the source raises, ``keys.holder_*`` and ``trust.demo_in_production``."""
        wanted = holder or (Holder(self._holders[party]) if party in self._holders else None)
        if wanted is None and self._environment == "production":
            raise _no_holder(party)
        key = await self.source(party).key(party, once, subject, wanted, proof)
        refuse_demo_key((key.certificate, *key.chain), self._environment)
        if wanted is not None:
            require_holder(key.certificate, wanted, party)
        return key if self._standing is None else GuardedKey(key, party, self._standing)

    def source(self, party: str) -> KeySource:
        """Where a party's key is; raises Misuse ``keys.unknown_party`` with what each source knows."""
        for source in self._sources:
            if source.holds(party):
                return source
        raise unknown_party(party, {source.place: source.parties() for source in self._sources})

    def listed(self) -> list[tuple[str, KeySource]]:
        """Every party known by name with the source that would be asked for its key."""
        parties = sorted({party for source in self._sources for party in source.parties()})
        return [(party, self.source(party)) for party in parties]

    async def close(self) -> None:
        for source in self._sources:
            await source.close()


class GuardedKey:
    """A key that asks for its standing immediately before every use."""

    def __init__(self, key: SigningKey, party: str, standing: Standing) -> None:
        self._key = key
        self._party = party
        self._standing = standing

    @property
    def certificate(self) -> Certificate:
        return self._key.certificate

    @property
    def chain(self) -> tuple[Certificate, ...]:
        return self._key.chain

    @property
    def digest_algorithm(self) -> str:
        return self._key.digest_algorithm

    @property
    def repeatable(self) -> bool:
        return self._key.repeatable

    def mechanism(self, digest_algorithm: str) -> algos.SignedDigestAlgorithm:
        return self._key.mechanism(digest_algorithm)

    async def sign(self, data: bytes, digest_algorithm: str, act: str) -> bytes:
        await self._standing.require(self._party, self.certificate)
        return await self._key.sign(data, digest_algorithm, act)

    async def recall(self, data: bytes, digest_algorithm: str, act: str) -> bytes | None:
        return await self._key.recall(data, digest_algorithm, act)


def _no_holder(party: str) -> Misuse:
    return Misuse(
        "keys.holder_missing",
        zh=f"未说明签约方“{party}”的证书应属于谁。请在设置 trust.holders 或签署步骤的 holder 选项中写明其名称。",
        en=f"Nothing says whom the certificate of the party “{party}” must name. Set it in trust.holders or in the "
        "option holder of the stage sign.",
        party=party,
    )
