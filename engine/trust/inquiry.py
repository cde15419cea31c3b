"""Finds out whether certificates of a file were revoked: from what was kept, else from their authorities, if allowed.

Only authorities below a trusted anchor are asked, at the addresses they put into their certificates; a hostile file
cannot name a place to call. Whoever does not answer in time stays unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from engine.errors import SealflowError
from engine.trust.chains import load_certificate, needs_no_revocation
from engine.trust.evidence import Evidence
from engine.trust.revocation import Answer, RevocationSource
from engine.trust.revocation_store import RevocationStore
from engine.trust.status import read_list, read_ocsp

_MOST = 200
"""Certificates of one file that are asked about."""


@dataclass
class _Gathered:
    certificates: dict[bytes, None] = field(default_factory=dict)
    ocsps: dict[bytes, None] = field(default_factory=dict)
    crls: dict[bytes, None] = field(default_factory=dict)

    def add(self, answer: Answer) -> None:
        (self.ocsps if answer.kind == "ocsp" else self.crls)[answer.der] = None
        if answer.status.responder is not None:
            self.certificates[answer.status.responder.public_bytes(Encoding.DER)] = None


class Inquiry:
    """Asks the store first, then ``source``; without a source nothing leaves this machine.

    ``patience``: seconds for all questions about one file.
    """

    def __init__(
        self, store: RevocationStore, source: RevocationSource | None = None, *, patience: float = 15.0
    ) -> None:
        self._store = store
        self._source = source
        self._patience = patience

    async def evidence(self, paths: Iterable[tuple[bytes, ...]]) -> Evidence:
        """What can be had about every member of trusted paths, certificate to anchor, DER; never raises."""
        pairs = dict.fromkeys(pair for path in paths for pair in itertools.pairwise(path))
        gathered = _Gathered()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await asyncio.gather(*(self._learn(*pair, gathered) for pair in list(pairs)[:_MOST]))
        return Evidence(tuple(gathered.certificates), tuple(gathered.ocsps), tuple(gathered.crls))

    async def _learn(self, own: bytes, above: bytes, gathered: _Gathered) -> None:
        certificate, issuer = load_certificate(own), load_certificate(above)
        if certificate is None or issuer is None or needs_no_revocation(certificate):
            return
        answer = await self._find(certificate, issuer)
        if answer is None:
            return
        gathered.add(answer)
        responder = answer.status.responder
        if responder is not None and not needs_no_revocation(responder):
            second = await self._find(responder, issuer, only_lists=True)
            if second is not None:
                gathered.add(second)

    async def _find(
        self, certificate: x509.Certificate, issuer: x509.Certificate, *, only_lists: bool = False
    ) -> Answer | None:
        """A fresh answer if there is one, else an old one: it may still tell about the time of signing."""
        kept = self._kept(certificate, issuer, only_lists)
        fresh = kept is not None and kept.status.fresh_until > datetime.now(UTC)
        if fresh or self._source is None:
            return kept
        try:
            answer = await self._source.tell(certificate, issuer, only_lists=only_lists)
        except SealflowError:
            return kept
        self._store.save(_name(answer.kind, certificate, issuer), answer.der)
        return answer

    def _kept(self, certificate: x509.Certificate, issuer: x509.Certificate, only_lists: bool) -> Answer | None:
        """The newest answer in the store whose signature holds; a damaged one is thrown away."""
        found = []
        for kind, read in (("crl", read_list),) if only_lists else (("ocsp", read_ocsp), ("crl", read_list)):
            name = _name(kind, certificate, issuer)
            der = self._store.load(name)
            status = read(der, certificate, issuer, None) if der is not None else None
            if der is not None and status is not None:
                found.append(Answer(kind, der, status))
            elif der is not None:
                self._store.drop(name)
        return max(found, key=lambda answer: answer.status.fresh_until, default=None)


def _name(kind: str, certificate: x509.Certificate, issuer: x509.Certificate) -> str:
    """One list serves all certificates of its issuer."""
    about = "" if kind == "crl" else certificate.fingerprint(SHA256()).hex()
    return f"{kind}/{issuer.fingerprint(SHA256()).hex()}/{about}"
