"""Derives the PAdES baseline level from what a file really holds (EN 319 142-1, 6); claims count nothing."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from engine.trust.chains import build_chain, is_self_signed, load_certificate, needs_no_revocation
from engine.trust.evidence import Evidence
from engine.trust.status import Status, read_list, read_ocsp

Holder = tuple[bytes, tuple[bytes, ...]]
"""DER of a certificate and of those that came with it."""


# The same few certificates and answers come up for every signature; a child that judges one file may keep them all.
_load = functools.cache(load_certificate)
_read_ocsp = functools.cache(read_ocsp)
_read_list = functools.cache(read_list)


@dataclass(frozen=True, slots=True)
class Sealing:
    """An intact document timestamp over the signature: who stamped, when, and the evidence its revision covers."""

    holder: Holder
    at: datetime
    evidence: Evidence


def baseline_level(
    signer: Holder, stamps: Sequence[Holder], sealings: Sequence[Sealing], evidence: Evidence, anchors: Iterable[bytes]
) -> str:
    """Level of an intact PAdES signature.

    ``stamps``: who made its intact signature timestamps. ``sealings``: intact document timestamps behind it, oldest
    first. ``evidence``: the whole file's.
    """
    roots = list(anchors)
    if not stamps and not sealings:
        return "B-B"
    needed = [signer, *stamps]
    later = list(sealings)
    if not stamps:
        needed.append(later.pop(0).holder)
    if not all(is_proven(holder, evidence, roots) for holder in needed):
        return "B-T"
    if any(all(is_proven(holder, sealing.evidence, roots) for holder in needed) for sealing in later):
        return "B-LTA"
    return "B-LT"


def is_proven(holder: Holder, evidence: Evidence, anchors: Iterable[bytes]) -> bool:
    """Whether evidence holds a whole chain for the certificate and revocation data for each of its members."""
    own, others = holder
    leaf = _load(own)
    if leaf is None:
        return False
    roots = [root for root in map(_load, anchors) if root is not None]
    pool = [found for found in map(_load, (*others, *evidence.certificates)) if found is not None]
    chain = build_chain(leaf, [*roots, *pool])
    if not is_self_signed(chain[-1]) and chain[-1] not in roots:
        return False
    for certificate, issuer in itertools.pairwise(chain):
        if certificate in roots:
            break
        if not any(True for _ in statuses(certificate, issuer, evidence)):
            return False
    return True


def statuses(certificate: x509.Certificate, issuer: x509.Certificate, evidence: Evidence) -> Iterator[Status]:
    """What the evidence says of a certificate, from those who may say it; when they said it is not asked."""
    for der in evidence.ocsps:
        status = _read_ocsp(der, certificate, issuer, None)
        if status is not None and _responder_stands(status, issuer, evidence):
            yield status
    for der in evidence.crls:
        status = _read_list(der, certificate, issuer, None)
        if status is not None:
            yield status


def _responder_stands(status: Status, issuer: x509.Certificate, evidence: Evidence) -> bool:
    responder = status.responder
    if responder is None or needs_no_revocation(responder):
        return True
    return any(_read_list(der, responder, issuer, None) is not None for der in evidence.crls)
