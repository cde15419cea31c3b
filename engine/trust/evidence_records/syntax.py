"""The structures of RFC 4998, appendix A (implicit tags), for asn1crypto; what encryption needs is left out."""

from __future__ import annotations

from asn1crypto import algos, cms, core


class PartialHashtree(core.SequenceOf):  # type: ignore[misc]  # asn1crypto publishes no types
    """Hash values below one node."""

    _child_spec = core.OctetString


class ReducedHashtree(core.SequenceOf):  # type: ignore[misc]  # as above
    """From the document's own up to the root's children."""

    _child_spec = PartialHashtree


class Attributes(core.SetOf):  # type: ignore[misc]  # as above
    """Attributes nobody has defined yet."""

    _child_spec = cms.CMSAttribute


class ArchiveTimeStamp(core.Sequence):  # type: ignore[misc]  # as above
    """A timestamp over the root of a hash tree, and what leads one document there."""

    _fields = [  # noqa: RUF012  # the library's way to describe a structure
        ("digest_algorithm", algos.DigestAlgorithm, {"implicit": 0, "optional": True}),
        ("attributes", Attributes, {"implicit": 1, "optional": True}),
        ("reduced_hashtree", ReducedHashtree, {"implicit": 2, "optional": True}),
        ("time_stamp", cms.ContentInfo),
    ]


class ArchiveTimeStampChain(core.SequenceOf):  # type: ignore[misc]  # as above
    """Timestamps over timestamps, all by one hash algorithm."""

    _child_spec = ArchiveTimeStamp


class ArchiveTimeStampSequence(core.SequenceOf):  # type: ignore[misc]  # as above
    """Chains, each by a newer hash algorithm than the one before."""

    _child_spec = ArchiveTimeStampChain


class DigestAlgorithms(core.SequenceOf):  # type: ignore[misc]  # as above
    """Every hash algorithm a record uses."""

    _child_spec = algos.DigestAlgorithm


class EvidenceRecord(core.Sequence):  # type: ignore[misc]  # as above
    """The proof of one document or one group of documents."""

    _fields = [  # noqa: RUF012  # as above
        ("version", core.Integer),
        ("digest_algorithms", DigestAlgorithms),
        ("crypto_infos", Attributes, {"implicit": 0, "optional": True}),
        ("archive_time_stamp_sequence", ArchiveTimeStampSequence),
    ]
