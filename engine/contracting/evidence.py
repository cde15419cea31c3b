"""Makes the evidence (存证) of a finished run once: page, bundle and seal; a second export gives the same bytes.

What was decided first stays: the frozen dossier, the drawn page and the laid-out members are stored before a key is
used on them, and the ledger names them. The page shows what was known then.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from asn1crypto.x509 import Certificate

from engine.contracting import bundle, sealing
from engine.contracting.dossier import Dossier, gather
from engine.contracting.extraction import Parts, extract
from engine.contracting.offline.container import read_container
from engine.contracting.page import FIELD, Material, draw_page
from engine.pipeline.step import work_folder
from engine.records.database import Database
from engine.records.runs import Run
from engine.sandbox import Caller, Sandbox
from engine.trust.acts import Once
from engine.trust.archiving import archive_document
from engine.trust.intent import Agreement, BaseRevision, Intents
from engine.trust.keys import Keyring
from engine.trust.preparation import SignatureOrder
from engine.trust.revocation import RevocationSource
from engine.trust.signing import Stamper, Surroundings, sign_document, signing_act
from engine.trust.validation import verify
from engine.vendors.protocols import Storage

STEPS = 6
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Desk:
    """What making evidence needs; ``party``: whose key seals it, the platform's."""

    database: Database
    storage: Storage
    once: Once
    sandbox: Sandbox
    keyring: Keyring
    intents: Intents
    stamper: Stamper
    revocation: RevocationSource
    anchors: Sequence[Certificate]
    party: str


class Decided(msgspec.Struct, frozen=True, array_like=True):
    """Contents that all else is made from: the dossier and the unsigned page, by digest."""

    dossier: str
    page: str


async def make_evidence(run: Run, desk: Desk, progress: Progress = lambda _done, _total: None) -> str:
    """Give the digest of the run's bundle in the content store, making it if nobody has yet.

    Raises Conflict ``evidence.unfinished`` for a run that is not done, and what signing and archiving raise; a call
    that failed is simply made again.
    """

    async def act(_: bytes) -> bytes:
        with work_folder() as folder:
            return (await _make(run, desk, folder, progress)).encode()

    _, result = await desk.once(f"{run.id}/evidence", "evidence bundle", b"1", act, repeatable=True)
    progress(STEPS, STEPS)
    return result.decode()


async def _make(run: Run, desk: Desk, folder: Path, progress: Progress) -> str:
    subject = f"{run.id}/evidence"
    contracts = [await desk.storage.get(digest, folder) for digest in run.head]
    async with desk.sandbox.child() as child:
        decided = await _decide(run, contracts, desk, child, folder, subject, progress)
        dossier = msgspec.json.decode((await desk.storage.get(decided.dossier, folder)).read_bytes(), type=Dossier)
        page = await desk.storage.get(decided.page, folder)
        key = await desk.keyring.key(desk.party, desk.once, f"{subject}/page")
        workspace = folder / "page"
        workspace.mkdir()
        around = Surroundings(child, desk.storage, desk.once, f"{subject}/page", workspace)
        order = SignatureOrder(field=FIELD, claimed=datetime.now(UTC).replace(microsecond=0), reserve=0, sound=True)
        base = BaseRevision(decided.page, page.stat().st_size)
        proof = await desk.intents.attest(signing_act(around.subject), Agreement(base, desk.party), str(run.id))
        signed = await sign_document(page, workspace / "signed.pdf", order, key, desk.stamper, around, proof)
        progress(3, STEPS)
        archived = workspace / "archived.pdf"
        await archive_document(signed, archived, "B-LTA", desk.revocation, desk.stamper, around)
        progress(4, STEPS)
        parts = [await child.call(extract, file) for file in (*contracts, archived)]
    members = bundle.lay_out(
        dossier,
        [file.read_bytes() for file in contracts],
        archived.read_bytes(),
        parts,
        [anchor.dump() for anchor in desk.anchors],
        {FIELD: proof.to_dict()},
    )
    members["manifest.json"] = bundle.manifest_of(members, dossier)
    unsealed = await _store(desk.storage, folder / "unsealed.zip", bundle.pack(members))
    progress(5, STEPS)
    key = await desk.keyring.key(desk.party, desk.once, f"{subject}/seal")
    sealed = await sealing.seal(
        unsealed, members["manifest.json"], key, desk.stamper, desk.anchors, desk.once, f"{subject}/seal"
    )
    if sealed.content != unsealed:  # an earlier try was cut off after it had sealed other bytes; those stand
        recorded = (await desk.storage.get(sealed.content, folder)).read_bytes()
        members = {name: bytes(content) for name, content in read_container(memoryview(recorded))[0].items()}
    members |= {"manifest.p7s": sealed.message, "manifest.tsr": sealed.response}
    return await _store(desk.storage, folder / "evidence.zip", bundle.pack(members))


async def _decide(
    run: Run,
    contracts: Sequence[Path],
    desk: Desk,
    child: Caller,
    folder: Path,
    subject: str,
    progress: Progress,
) -> Decided:
    """Freeze what is known and draw the page; or give what an earlier try froze."""
    async with desk.database.transaction() as connection:
        dossier = await gather(connection, run, secrets.token_hex(8).upper())
    values = run.facts.get("values")
    progress(1, STEPS)
    reports = [await verify(child, file, desk.anchors) for file in contracts]
    parts: list[Parts] = [await child.call(extract, file) for file in contracts]
    material = Material(dossier, values if isinstance(values, dict) else {}, tuple(parts), tuple(reports))
    page = folder / "evidence-page.pdf"
    await child.call(draw_page, material, page)
    progress(2, STEPS)
    decided = Decided(
        await _store(desk.storage, folder / "dossier.json", msgspec.json.encode(dossier)),
        await desk.storage.put(page),
    )

    async def act(recorded: bytes) -> bytes:
        return recorded

    recorded, _ = await desk.once(
        f"{subject}/dossier", "evidence dossier", msgspec.json.encode(decided), act, repeatable=True
    )
    return msgspec.json.decode(recorded, type=Decided)


async def _store(storage: Storage, file: Path, content: bytes) -> str:
    file.write_bytes(content)
    return await storage.put(file)
