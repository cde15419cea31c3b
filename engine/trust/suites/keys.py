"""A signing key of the SM2 suite in this process's memory; no hardware guards it."""

from __future__ import annotations

from dataclasses import dataclass

from asn1crypto import algos
from asn1crypto.x509 import Certificate

from engine.trust.suites.sm2 import Sm2PrivateKey


@dataclass(frozen=True, slots=True)
class Sm2Key:
    """Signs SM2 over SM3 (GB/T 32918, GB/T 32905), whatever digest its caller would rather have."""

    private: Sm2PrivateKey
    certificate: Certificate
    chain: tuple[Certificate, ...] = ()

    def __repr__(self) -> str:
        return f"Sm2Key({self.certificate.subject.human_friendly!r})"

    @property
    def digest_algorithm(self) -> str:
        return "sm3"

    @property
    def repeatable(self) -> bool:
        return True

    def mechanism(self, digest_algorithm: str) -> algos.SignedDigestAlgorithm:
        _ = digest_algorithm
        return algos.SignedDigestAlgorithm({"algorithm": "sm2_sm3"})

    async def sign(self, data: bytes, digest_algorithm: str, act: str) -> bytes:
        _ = digest_algorithm, act
        return self.private.sign(data)  # quicker than handing it to a thread

    async def recall(self, data: bytes, digest_algorithm: str, act: str) -> bytes | None:
        _ = data, digest_algorithm, act  # a repeatable key is never asked
        return None
