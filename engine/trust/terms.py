"""Reads how long what protects a file still lasts (有效期): its last timestamps; runs in a limited child."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asn1crypto import cms, core
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.general import extract_certificate_info

import engine.trust.hexadecimal  # makes reading signatures quick
import engine.trust.references  # noqa: F401 - reads what real writers write
from engine.errors import Rejected
from engine.trust.algorithms import Suite, suite_of
from engine.trust.chains import Chain, build_chain, is_self_signed, load_certificate
from engine.trust.evidence import read_store, value_at
from engine.trust.preparation import reading


@dataclass(frozen=True, slots=True)
class Term:
    """What a file's proof rests on today.

    ``chains``: whose certificates have to outlast it: of the last document timestamp, and of what was added behind it.
    ``ends_at``: when the first of them ends, below its root; ``ends``: whose it is. ``suites``: the algorithms.
    ``generation``: document timestamps so far.
    """

    chains: tuple[Chain, ...]
    ends_at: datetime
    ends: str
    suites: tuple[str, ...]
    generation: int


def read_term(source: Path) -> Term:
    """Raises Rejected ``document.unreadable``, ``renewal.unsigned``."""
    holders: list[tuple[Chain, cms.SignedData]] = []
    generation = 0
    with reading(), source.open("rb") as stream:
        reader = PdfFileReader(stream, strict=False)
        pool = read_store(reader.root).certificates
        signatures = [value.get_object() for _, value, _ in enumerate_sig_fields(reader, filled_status=True)]
        for dictionary in sorted(signatures, key=lambda found: int(found["/ByteRange"][2])):
            signed = cms.ContentInfo.load(dictionary.raw_get("/Contents").original_bytes)["content"]
            if value_at(dictionary, "/SubFilter") == "/ETSI.RFC3161":
                holders = [_holder(signed)]  # whatever stands before it is proven by it
                generation += 1
            else:
                holders += [_holder(token) for token in _tokens(signed)] or [_holder(signed)]
        if not holders:
            raise Rejected(
                "renewal.unsigned",
                zh="该文件没有签名或时间戳，无需续期。",
                en="The document has no signature and no timestamp; there is nothing to renew.",
            )
        ends_at, ends = min(_end_of(chain, pool) for chain, _ in holders)
        suites = dict.fromkeys(str(suite) for _, signed in holders for suite in _suites(signed))
    return Term(tuple(dict.fromkeys(chain for chain, _ in holders)), ends_at, ends, tuple(suites), generation)


def _holder(signed: cms.SignedData) -> tuple[Chain, cms.SignedData]:
    found = extract_certificate_info(signed)
    others = tuple(other.dump() for other in found.other_certs)
    return Chain(found.signer_cert.dump(), others), signed


def _end_of(chain: Chain, pool: Iterable[bytes]) -> tuple[datetime, str]:
    """The first end in a chain; a root is trusted or not, its own end says nothing (RFC 5280, 6.1)."""
    loaded = [found for found in map(load_certificate, (chain.certificate, *chain.others, *pool)) if found]
    members = build_chain(loaded[0], loaded[1:])
    below = [member for member in members if not is_self_signed(member)] or members[:1]
    return min((member.not_valid_after_utc, member.subject.rfc4514_string()) for member in below)


def _suites(signed: cms.SignedData) -> Iterable[Suite]:
    """That of the signature, and of a timestamp also that of the digest it stamped."""
    suite = suite_of(signed["signer_infos"][0], extract_certificate_info(signed).signer_cert)
    yield suite
    if signed["encap_content_info"]["content_type"].native == "tst_info":
        imprint = signed["encap_content_info"]["content"].parsed["message_imprint"]
        stamped = str(imprint["hash_algorithm"]["algorithm"].native)
        if stamped != suite.digest:
            yield Suite(suite.mechanism, suite.bits, stamped)


def _tokens(signed: cms.SignedData) -> list[cms.SignedData]:
    attributes = signed["signer_infos"][0]["unsigned_attrs"]
    return [
        token["content"]
        for attribute in (() if attributes is core.VOID else attributes)
        if attribute["type"].native == "signature_time_stamp_token"
        for token in attribute["values"]
    ]
