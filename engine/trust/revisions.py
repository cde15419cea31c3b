"""Prepares the revisions of archiving and lists whom a file's signatures name; runs in a limited child."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from asn1crypto import cms, core
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import ensure_sig_flags, enumerate_sig_fields, prepare_sig_field
from pyhanko.sign.general import CMSExtractionError, extract_certificate_info
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp

import engine.trust.hexadecimal  # makes reading signatures quick
import engine.trust.identities  # and finding their certificates
import engine.trust.references  # noqa: F401 - reads what real writers write
from engine.errors import Rejected
from engine.trust.chains import Chain
from engine.trust.embedding import Hole
from engine.trust.evidence import Evidence, add_to_store, value_at
from engine.trust.increments import append_container, append_revision
from engine.trust.preparation import reading, revision_of
from engine.trust.suites.digests import DIGEST_IDENTIFIERS


@dataclass(frozen=True, slots=True)
class Signers:
    """Chains of all signers and timestamp authorities of a file; ``unstamped``: a signature nothing has stamped.

    ``digest_algorithm``: what document timestamps should rest on so that every signature's readers can check them.
    """

    chains: tuple[Chain, ...]
    unstamped: bool
    digest_algorithm: str = "sha256"


@dataclass(frozen=True, slots=True)
class ArchiveOrder:
    """Evidence to add, and bytes of DER to keep for a document timestamp, 0 for none."""

    evidence: Evidence
    reserve: int


def list_signers(source: Path) -> Signers:
    """Certificates of every signature and timestamp; raises Rejected ``document.unreadable``."""
    chains: dict[Chain, None] = {}
    unstamped = False
    digests = set()
    with reading(), source.open("rb") as stream:
        reader = PdfFileReader(stream, strict=False)
        for _, value, _ in enumerate_sig_fields(reader, filled_status=True):
            dictionary = value.get_object()
            signed = cms.ContentInfo.load(dictionary.raw_get("/Contents").original_bytes)["content"]
            chains[_chain(signed)] = None
            tokens = list(_tokens(signed))
            chains.update(dict.fromkeys(map(_chain, tokens)))
            if value_at(dictionary, "/SubFilter") == "/ETSI.RFC3161":
                unstamped = False  # it stamps every signature before it
                continue
            unstamped = unstamped or not tokens
            digests.add(str(signed["signer_infos"][0]["digest_algorithm"]["algorithm"].dotted))
    only_sm3 = digests == {DIGEST_IDENTIFIERS["sm3"]}
    return Signers(tuple(chains), unstamped, "sm3" if only_sm3 else "sha256")


def prepare_archive(source: Path, tail: Path, order: ArchiveOrder) -> Hole | None:
    """Write a revision with the evidence and one with an unfinished document timestamp to ``tail``.

    Two revisions, because readers look for the evidence in what the timestamp covers.
    """
    hole = None
    with revision_of(source, tail) as writer:
        stream = writer.prev.stream
        if add_to_store(writer, order.evidence):
            append_revision(writer)
            if order.reserve:
                writer = IncrementalPdfFileWriter(stream, strict=False)
        if order.reserve:
            hole = _append_timestamp(writer, order.reserve)
    return hole


def _append_timestamp(writer: IncrementalPdfFileWriter, reserve: int) -> Hole:
    taken = {name for name, _, _ in enumerate_sig_fields(writer)}
    name = next(name for number in range(1, 10_000) if (name := f"timestamp-{number}") not in taken)
    page = writer.find_page_for_modification(0)[0]
    _, reference = prepare_sig_field(name, writer.root, update_writer=writer, include_on_page=page)
    container = DocumentTimestamp(bytes_reserved=reserve * 2)
    reference.get_object()[pdf_name("/V")] = writer.add_object(container)
    ensure_sig_flags(writer=writer, lock_sig_flags=True)
    return append_container(writer, container)


def _tokens(signed: cms.SignedData) -> Iterator[cms.SignedData]:
    (signer,) = signed["signer_infos"]
    attributes = signer["unsigned_attrs"]
    for attribute in () if attributes is core.VOID else attributes:
        if attribute["type"].native == "signature_time_stamp_token":
            for token in attribute["values"]:
                yield token["content"]


def _chain(signed: cms.SignedData) -> Chain:
    try:
        found = extract_certificate_info(signed)
    except CMSExtractionError as error:
        raise Rejected(
            "archive.no_certificate",
            zh="文件中的签名不含签名证书，无法归档。请重新签署。",
            en="A signature in the document lacks its certificate; it cannot be archived. Sign it again.",
        ) from error
    return Chain(found.signer_cert.dump(), tuple(certificate.dump() for certificate in found.other_certs))
