"""Intent tokens (意愿凭证) in the records: single use by one statement, expiry by the database's clock."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from engine.errors import Conflict
from engine.records import journal, runs
from engine.records.canonical import encode
from engine.records.database import Connection, Database
from engine.records.effects import run_of
from engine.records.statements import statements
from engine.trust.intent import (
    BASE,
    UNATTENDED,
    UNATTENDED_VENDOR,
    Agreement,
    BaseRevision,
    Check,
    IntentProof,
    expired_token,
    make_proof,
    read_proof,
    refuse_other,
    refuse_unattended,
    replaced_proof,
    unknown_token,
    used_token,
)

_SQL = statements("intents")
_AT_ONCE = timedelta(0)


class PostgresIntents:
    """The tokens of an installation; ``unattended``: parties that may sign without being asked, None for all."""

    def __init__(self, database: Database, unattended: frozenset[str] | None) -> None:
        self._database = database
        self._unattended = unattended

    async def issue(
        self, agreement: Agreement, check: Check, lifetime: timedelta, run_id: UUID | None = None
    ) -> IntentProof:
        """See ``Intents.issue``."""
        async with self._database.transaction() as connection:
            proof = await _make(connection, agreement, check, lifetime)
            await _keep(connection, proof, run_id, None)
            return proof

    async def redeem(self, token: str, act: str, agreement: Agreement) -> IntentProof:
        """See ``Intents.redeem``."""
        arguments = {"token": token, "act": act, "run": run_of(act), "detail": encode({"act": act})}
        arguments |= {"document": agreement.base.digest, "party": agreement.party, "purpose": agreement.purpose}
        async with self._database.autocommit() as connection:
            row = await (await connection.execute(_SQL["redeem"], arguments)).fetchone()
        if row is None:
            raise unknown_token(agreement.party)
        proof = read_proof(json.loads(row["proof"]))
        refuse_other(proof, agreement)
        if row["fresh"] or row["used_by"] == act:
            return proof
        if row["used_by"] is not None:
            raise used_token(agreement.party)
        raise expired_token(agreement.party, proof) if row["expired"] else replaced_proof(agreement.party)

    async def attest(self, act: str, agreement: Agreement, reference: str) -> IntentProof:
        """See ``Intents.attest``."""
        refuse_unattended(agreement.party, self._unattended)
        check = Check(UNATTENDED, UNATTENDED_VENDOR, reference)
        async with self._database.transaction() as connection:
            proof = await _make(connection, agreement, check, _AT_ONCE)
            await _keep(connection, proof, run_of(act), act)
            row = await (await connection.execute(_SQL["of act"], {"act": act})).fetchone()
        kept = proof if row is None else read_proof(json.loads(row["proof"]))
        refuse_other(kept, agreement)
        return kept


async def issue_for_run(
    connection: Connection, run_id: UUID, party: str, check: Check, lifetime: timedelta
) -> IntentProof:
    """Issue a token for signing the document of a run; its base revision must stand already.

    Raises Rejected ``run.unknown``, Conflict ``run.over`` or ``intent.no_base``, Misuse ``intent.incomplete``.
    """
    run = await runs.get(connection, run_id)
    if run.state in runs.FINAL:
        raise runs.over(run_id, run.state)
    base = run.facts.get(BASE)
    if base is None:
        raise Conflict(
            "intent.no_base",
            zh=f"任务 {run_id} 的文件尚未定稿，还不能就其内容取得签署意愿。请待任务等待签署后再试。",
            en=f"The document of the run {run_id} is not final yet; nobody can agree to it. "
            "Try again when the run waits for signatures.",
            run=str(run_id),
        )
    proof = await _make(connection, Agreement(BaseRevision(**base), party), check, lifetime)
    await _keep(connection, proof, run_id, None)
    return proof


async def _make(connection: Connection, agreement: Agreement, check: Check, lifetime: timedelta) -> IntentProof:
    row = await (await connection.execute(_SQL["clock"])).fetchone()
    now: datetime = row["now"].astimezone(UTC) if row else datetime.now(UTC)
    return make_proof(secrets.token_hex(16), agreement, check, now, lifetime)


async def _keep(connection: Connection, proof: IntentProof, run_id: UUID | None, act: str | None) -> None:
    """Write a token; one that is used at once gives way to an earlier one of the same act."""
    arguments = {
        "token": proof.token,
        "run": run_id,
        "document": proof.document,
        "party": proof.party,
        "purpose": proof.purpose,
        "proof": encode(proof.to_dict()),
        "expires_at": proof.expires_at,
        "act": act,
    }
    if (await connection.execute(_SQL["keep"], arguments)).rowcount:
        detail = {"party": proof.party, "purpose": proof.purpose, "factor": proof.factor, "act": act}
        detail |= {"document": proof.document, "proof": proof.digest.hex()}
        await journal.append(connection, "intent issued", run_id, detail)


@dataclass(slots=True)
class _Kept:
    proof: IntentProof
    used_by: str | None = None


class MemoryIntents:
    """The same promises for the life of one process and by its clock: for work without records, and for tests."""

    def __init__(self, unattended: frozenset[str] | None = None) -> None:
        self._unattended = unattended
        self._kept: dict[str, _Kept] = {}

    async def issue(
        self,
        agreement: Agreement,
        check: Check,
        lifetime: timedelta,
        run_id: UUID | None = None,  # noqa: ARG002  # kept nowhere
    ) -> IntentProof:
        """See ``Intents.issue``."""
        proof = make_proof(secrets.token_hex(16), agreement, check, datetime.now(UTC), lifetime)
        self._kept[proof.token] = _Kept(proof)
        return proof

    async def redeem(self, token: str, act: str, agreement: Agreement) -> IntentProof:
        """See ``Intents.redeem``."""
        kept = self._kept.get(token)
        if kept is None:
            raise unknown_token(agreement.party)
        refuse_other(kept.proof, agreement)
        if any(other.used_by == act and other is not kept for other in self._kept.values()):
            raise replaced_proof(agreement.party)
        if kept.used_by is None and kept.proof.expires_at > datetime.now(UTC):
            kept.used_by = act
        if kept.used_by == act:
            return kept.proof
        if kept.used_by is not None:
            raise used_token(agreement.party)
        raise expired_token(agreement.party, kept.proof)

    async def attest(self, act: str, agreement: Agreement, reference: str) -> IntentProof:
        """See ``Intents.attest``."""
        refuse_unattended(agreement.party, self._unattended)
        for kept in self._kept.values():
            if kept.used_by == act:
                refuse_other(kept.proof, agreement)
                return kept.proof
        proof = await self.issue(agreement, Check(UNATTENDED, UNATTENDED_VENDOR, reference), _AT_ONCE)
        self._kept[proof.token].used_by = act
        return proof
