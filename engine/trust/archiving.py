"""Adds what a document needs to be judged years later: validation data (B-LT) and a timestamp over it (B-LTA)."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.errors import Rejected
from engine.trust.embedding import Hole, HoleTooSmall, digest_around, embed
from engine.trust.evidence import Evidence
from engine.trust.revisions import ArchiveOrder, list_signers, prepare_archive
from engine.trust.revocation import RevocationSource
from engine.trust.signing import RESERVES, Stamper, Surroundings, recorded_tail


class Intent(msgspec.Struct, frozen=True, array_like=True):
    """All that the final bytes depend on beside the token."""

    tail: str
    hole: Hole | None
    digest: bytes
    digest_algorithm: str = "sha256"


async def archive_document(
    source: Path,
    output: Path,
    level: str,
    revocation: RevocationSource,
    stamper: Stamper,
    around: Surroundings,
    *,
    digest_algorithm: str | None = None,
) -> Path:
    """Raise a signed file to ``level`` B-LT or B-LTA; ``output`` begins with the source's bytes.

    ``digest_algorithm`` of document timestamps; None: SM3 when every signature of the file rests on it, else SHA-256.
    A signature that has no timestamp of its own is stamped by a document timestamp first. Raises Rejected
    ``archive.unsigned``, what revocation raises, and Unavailable of the stamper: never a lower level instead.
    """
    signers = await around.sandbox.call(list_signers, source)
    if not signers.chains:
        raise Rejected(
            "archive.unsigned",
            zh="该文件没有签名，无法归档到长期验证级别。请先签署。",
            en="The document has no signature to keep verifiable. Sign it first.",
        )
    digest_algorithm = digest_algorithm or signers.digest_algorithm
    if signers.unstamped:
        first = around.workspace / "stamped.pdf"
        source = await stamp_document(source, first, stamper, around, name="early", digest_algorithm=digest_algorithm)
        signers = await around.sandbox.call(list_signers, source)
    evidence = await revocation.evidence(signers.chains)
    last = stamper if level == "B-LTA" else None
    return await append_timestamp(source, output, evidence, last, around, "archive", digest_algorithm)


async def stamp_document(
    source: Path,
    output: Path,
    stamper: Stamper,
    around: Surroundings,
    *,
    name: str = "document",
    digest_algorithm: str = "sha256",
) -> Path:
    """Append a document timestamp (EN 319 142-1, 5.4.3) over the whole file."""
    return await append_timestamp(source, output, Evidence(), stamper, around, name, digest_algorithm)


async def append_timestamp(
    source: Path,
    output: Path,
    evidence: Evidence,
    stamper: Stamper | None,
    around: Surroundings,
    name: str,
    algorithm: str,
) -> Path:
    """Append evidence and, unless ``stamper`` is None, a document timestamp; ``name`` is part of the effect's key."""
    for attempt, reserve in enumerate(RESERVES):
        prepared = around.workspace / f"{name}-{attempt}.tail"
        order = ArchiveOrder(evidence, reserve if stamper is not None else 0)
        hole = await around.sandbox.call(prepare_archive, source, prepared, order)
        digest = await digest_around(source, prepared, hole, algorithm) if hole is not None else b""
        intent = Intent(await around.storage.put(prepared), hole, digest, algorithm)

        async def act(recorded: bytes) -> bytes:
            decided = msgspec.msgpack.decode(recorded, type=Intent)
            return await stamper.stamp(decided.digest, decided.digest_algorithm) if stamper is not None else b""

        key = f"{around.subject}:{name}:{attempt}"
        recorded, token = await around.once(key, "evidence", msgspec.msgpack.encode(intent), act, repeatable=True)
        decided = msgspec.msgpack.decode(recorded, type=Intent)
        tail = await recorded_tail(decided.tail, around)
        try:
            return await embed(source, tail, decided.hole, token, output)
        except HoleTooSmall as error:
            needed = error.needed
    raise Rejected(
        "archive.too_large",
        zh=f"时间戳过大（{needed} 字节），无法放入文件。请更换时间戳服务。",
        en=f"The timestamp is too large ({needed} bytes) for the document. Use another timestamp authority.",
        needed=needed,
    )
