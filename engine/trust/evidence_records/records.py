"""Makes evidence records (证据记录) out of a tree and its timestamp, and renews them; what a record says is not judged.

The reduced tree starts with the document and its sibling together, as RFC 4998, 4.2 has it, so that no list of one
value has to be read one way or the other.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from asn1crypto import algos, cms, core, ocsp
from asn1crypto.crl import CertificateList
from asn1crypto.x509 import Certificate

from engine.trust import der
from engine.trust.evidence import Evidence
from engine.trust.evidence_records.syntax import (
    ArchiveTimeStamp,
    ArchiveTimeStampChain,
    ArchiveTimeStampSequence,
    EvidenceRecord,
)
from engine.trust.suites.digests import digest_bytes


def reduce_tree(digests: Sequence[bytes], siblings: Sequence[bytes]) -> list[list[bytes]]:
    """The reduced hash tree of one document, or of a group by the hashes of all its documents (4.2)."""
    if len(digests) > 1:
        return [sorted(digests), *([sibling] for sibling in siblings)]
    if not siblings:
        return []
    return [sorted([*digests, siblings[0]]), *([sibling] for sibling in siblings[1:])]


def make_record(algorithm: str, tree: list[list[bytes]], token: bytes) -> bytes:
    """A first record (4.2); ``token``: DER of the timestamp over the tree's root, by the same algorithm."""
    stamp = _write_stamp(algorithm, tree, token)
    return der.sequence(der.integer(1), der.sequence(_identify(algorithm)), der.sequence(der.sequence(stamp)))


def last_algorithm(record: bytes) -> str:
    """The hash algorithm of the newest chain."""
    newest = _sequence(record)[-1][-1]
    return _algorithm_of(newest)


def last_token(record: bytes) -> bytes:
    """DER of the newest timestamp."""
    return bytes(_sequence(record)[-1][-1]["time_stamp"].dump())


def hash_for_timestamp(record: bytes) -> bytes:
    """What a timestamp renewal (5.2) has to stamp, alone or as the leaf of a tree over many records."""
    return digest_bytes(last_algorithm(record), last_token(record))


def renew_timestamp(record: bytes, tree: list[list[bytes]], token: bytes) -> bytes:
    """Add a timestamp over the newest one (5.2): for certificates that end and signatures that weaken."""
    chains = list(_sequence(record))
    algorithm = last_algorithm(record)
    chains[-1] = ArchiveTimeStampChain([*chains[-1], _stamp(algorithm, tree, token)])
    return _encode(_algorithms(record), ArchiveTimeStampSequence(chains))


def hashes_for_tree(record: bytes, algorithm: str, digests: Sequence[bytes]) -> list[bytes]:
    """What a hash tree renewal (5.2) has to prove: every document's new hash, each with that of all that was before."""
    before = digest_bytes(algorithm, _sequence(record).dump())
    return [digest_bytes(algorithm, digest + before) for digest in digests]


def renew_tree(record: bytes, algorithm: str, tree: list[list[bytes]], token: bytes) -> bytes:
    """Begin a chain by a new hash algorithm (5.2): for hash algorithms that weaken."""
    chains = [*_sequence(record), ArchiveTimeStampChain([_stamp(algorithm, tree, token)])]
    known = _algorithms(record)
    return _encode([*known, *([algorithm] if algorithm not in known else [])], ArchiveTimeStampSequence(chains))


def complete_token(record: bytes, evidence: Evidence) -> bytes:
    """Put certificates and revocation data beside the newest timestamp's signature, before it is stamped itself."""
    chains = list(_sequence(record))
    stamps = list(chains[-1])
    last = stamps[-1]
    content = cms.ContentInfo.load(last["time_stamp"].dump())
    signed = content["content"]
    held = [choice.chosen.dump() for choice in signed["certificates"]]
    signed["certificates"] = [
        cms.CertificateChoices({"certificate": Certificate.load(member)})
        for member in dict.fromkeys([*held, *evidence.certificates])
    ]
    lists = [cms.RevocationInfoChoice({"crl": CertificateList.load(entry)}) for entry in evidence.crls]
    answers = [
        cms.RevocationInfoChoice({"other": {"other_rev_info_format": "ocsp_response", "other_rev_info": answer}})
        for answer in map(ocsp.OCSPResponse.load, evidence.ocsps)
    ]
    signed["crls"] = [*lists, *answers]
    stamps[-1] = _stamp(_algorithm_of(last), _lists(last), content.dump(force=True))
    chains[-1] = ArchiveTimeStampChain(stamps)
    return _encode(_algorithms(record), ArchiveTimeStampSequence(chains))


def _stamp(algorithm: str, tree: list[list[bytes]], token: bytes) -> ArchiveTimeStamp:
    stamp: ArchiveTimeStamp = ArchiveTimeStamp.load(_write_stamp(algorithm, tree, token))
    return stamp


def _write_stamp(algorithm: str, tree: list[list[bytes]], token: bytes) -> bytes:
    """DER written straight away: an archive has a million of them."""
    lists = (der.sequence(*map(der.octets, level)) for level in tree)
    reduced = der.element(0xA2, *lists) if tree else b""
    return der.sequence(b"\xa0" + _identify(algorithm)[1:], reduced, token)


@functools.cache
def _identify(algorithm: str) -> bytes:
    """DER of the AlgorithmIdentifier."""
    return bytes(algos.DigestAlgorithm({"algorithm": algorithm}).dump())


def _encode(algorithms: Sequence[str], chains: ArchiveTimeStampSequence) -> bytes:
    record = EvidenceRecord(
        {
            "version": 1,
            "digest_algorithms": [{"algorithm": algorithm} for algorithm in algorithms],
            "archive_time_stamp_sequence": chains,
        }
    )
    return bytes(record.dump())


def _sequence(record: bytes) -> ArchiveTimeStampSequence:
    sequence: ArchiveTimeStampSequence = EvidenceRecord.load(record, strict=True)["archive_time_stamp_sequence"]
    return sequence


def _algorithms(record: bytes) -> list[str]:
    return [str(entry["algorithm"].native) for entry in EvidenceRecord.load(record)["digest_algorithms"]]


def _algorithm_of(stamp: ArchiveTimeStamp) -> str:
    named = stamp["digest_algorithm"]
    if named is core.VOID or named.native is None:
        info = stamp["time_stamp"]["content"]["encap_content_info"]["content"].parsed
        named = info["message_imprint"]["hash_algorithm"]
    return str(named["algorithm"].native)


def _lists(stamp: ArchiveTimeStamp) -> list[list[bytes]]:
    held = stamp["reduced_hashtree"]
    return [] if held.native is None else [list(level) for level in held.native]
