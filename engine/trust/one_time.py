"""Keys made for one signature (一次性密钥) and certified on the spot; they lie in memory and end with the process.

The ledger decides after a crash: each certificate is an act of its own, published once. A key that was lost never signs
again; the act of its signature is published as empty, whoever still held the key included, and the next key gets a new
certificate. So two signatures are never published for one, whatever died when.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import count

import msgspec
from asn1crypto import algos, csr
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from engine.errors import Misuse
from engine.trust.acts import Once
from engine.trust.clock import Clock, system_clock
from engine.trust.fitness import chain_of, check_usage, check_validity, unfit, weak
from engine.trust.holders import Holder, require_holder
from engine.trust.keys import SigningKey, SoftwareKey
from engine.trust.mechanisms import is_strong, mechanism_for
from engine.vendors.protocols import CertificateIssuer, CertificateRequest

EVERYBODY = "*"
"""Among the parties of a source: whoever has no key elsewhere."""
_LONGEST_NAME = 64
"""ub-common-name, RFC 5280 appendix A.1."""


class Chain(msgspec.Struct, frozen=True, array_like=True):
    """What the ledger keeps of a certificate: DER, subject first; nothing when its request was given up."""

    certificates: tuple[bytes, ...] = ()


class OneTimeSource:
    """An authority that certifies a new key for each signature of its parties.

    Raises Misuse ``keys.holder_missing`` for a party nobody named, and what the authority raises.
    """

    def __init__(
        self, issuer: CertificateIssuer, name: str, parties: Collection[str], clock: Clock = system_clock
    ) -> None:
        self._issuer = issuer
        self._name = name
        self._parties = frozenset(parties)
        self._clock = clock

    @property
    def place(self) -> str:
        return self._name

    def holds(self, party: str) -> bool:
        return party in self._parties or EVERYBODY in self._parties

    def parties(self) -> list[str]:
        return sorted(self._parties - {EVERYBODY})

    async def key(
        self, party: str, once: Once, subject: str, holder: Holder | None = None, proof: bytes = b""
    ) -> SigningKey:
        """A new key with its certificate; what is left of an earlier one (``SpentKey``) where the ledger has it."""
        if holder is None or not 0 < len(holder.name) <= _LONGEST_NAME:
            raise Misuse(
                "keys.one_time_holder",
                zh=f"无法为签约方“{party}”申请一次性证书：须用 holder 选项或设置 trust.holders 写明其名称（不超过 "
                f"{_LONGEST_NAME} 字）。",
                en=f"No one-time certificate can be asked for the party “{party}”: the option holder or the setting "
                f"trust.holders must say its name, in {_LONGEST_NAME} characters at most.",
                party=party,
            )
        for number in count():
            private = ec.generate_private_key(ec.SECP256R1())
            request = _request(private, holder.name)
            act = f"{subject}:certificate:{number}"

            async def issue(recorded: bytes, request: bytes = request, act: str = act) -> bytes:
                if recorded != request:  # asked for by a process whose key is lost: nobody needs the certificate
                    return msgspec.msgpack.encode(Chain())
                asked = CertificateRequest(request, holder.name, holder.number, proof)
                chain = await self._issuer.issue(asked, act)
                self._check(chain, request, holder, party)
                return msgspec.msgpack.encode(Chain(chain))

            recorded, result = await once(act, "certificate", request, issue, repeatable=True)
            chain = [Certificate.load(der) for der in msgspec.msgpack.decode(result, type=Chain).certificates]
            if chain and recorded == request:
                return SoftwareKey(private, chain[0], chain_of(chain[0], chain[1:]))
            if chain:
                return SpentKey(chain[0], chain_of(chain[0], chain[1:]))
        raise AssertionError  # count never ends

    async def certificate(self, party: str) -> None:  # noqa: ARG002  # every signature has its own
        return None

    async def close(self) -> None:
        """The registry closes the authority's client."""

    def _check(self, chain: tuple[bytes, ...], request: bytes, holder: Holder, party: str) -> None:
        """Nothing is published that could not sign for this party now."""
        try:
            certificate = Certificate.load(chain[0], strict=True)
            certified = certificate.public_key.dump()
        except (IndexError, ValueError) as error:
            raise unfit(
                "unreadable", self.place, party, f"无法读取（{error}）", f"it cannot be read ({error})"
            ) from error
        if certified != _public_key(request):
            raise unfit(
                "mismatch",
                self.place,
                party,
                "签发的证书不属于所申请的密钥",
                "the certificate it gave is not for the key that was asked for",
            )
        require_holder(certificate, holder, party)
        check_validity(certificate, self.place, party, self._clock())
        check_usage(certificate, self.place, party)
        if not is_strong(certificate):
            raise weak(self.place, party)


@dataclass(frozen=True, slots=True)
class SpentKey:
    """What is left of a one-time key after its process: its certificate. It never signs."""

    certificate: Certificate
    chain: tuple[Certificate, ...]

    @property
    def digest_algorithm(self) -> str:
        return "sha256"

    @property
    def repeatable(self) -> bool:
        return True

    def mechanism(self, digest_algorithm: str) -> algos.SignedDigestAlgorithm:
        return mechanism_for(self.certificate, digest_algorithm)

    async def sign(self, data: bytes, digest_algorithm: str, act: str) -> bytes:  # noqa: ARG002  # as Protocol
        return b""

    async def recall(self, data: bytes, digest_algorithm: str, act: str) -> bytes | None:  # noqa: ARG002  # as Protocol
        return None


def _request(private: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(private, SHA256()).public_bytes(Encoding.DER)


def _public_key(request: bytes) -> bytes:
    asked = csr.CertificationRequest.load(request)
    der: bytes = asked["certification_request_info"]["subject_pk_info"].dump()
    return der
