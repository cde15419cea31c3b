"""Several parties sign one file: in any order, in a fixed one, at once, too late, twice, not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from engine.errors import Conflict, Misuse
from engine.records import attention, progress
from engine.records.database import Database
from engine.records.effects import PostgresLedger
from engine.sandbox import Sandbox
from engine.trust.inspection import inspect_file
from engine.trust.intent import read_proof
from engine.trust.verdict import Integrity, Report
from tests.stages.cosigning import PRELOADED, Office, open_office
from tests.trust.paper import Crash, draw_paper, draw_seal_picture

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROUNDS = int(os.environ.get("SEALFLOW_ROUNDS", "20"))
"""Pairs that sign at the same instant; a hundred take a minute."""
A, B, C = "party-a", "party-b", "party-c"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    door = Sandbox(PRELOADED)
    yield door
    await door.close()


@pytest_asyncio.fixture(loop_scope="module")
async def office(database_url: str, sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(database_url, sandbox, tmp_path) as desk:
        yield desk


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    return draw_paper(tmp_path / "paper.pdf", (A, B, C))


async def judge(file: Path) -> Report:
    return await asyncio.to_thread(inspect_file, file, "", (), datetime.now(UTC))


async def signed_fields(file: Path) -> list[str]:
    """Fields of the file's signatures in their order; every one must stand."""
    report = await judge(file)
    assert report.integrity is Integrity.VALID, report.findings
    assert not [verdict.findings for verdict in report.signatures if verdict.findings]
    return [verdict.fields[0] for verdict in report.signatures]


async def test_whoever_comes_signs_and_the_partly_signed_file_is_the_head(office: Office, paper: Path) -> None:
    run = await office.submit(paper, (A, B, C))
    assert (await office.get(run)).waiting_for == "signed:party-a"
    for number, party in enumerate((C, A, B), 1):
        assert await office.agree(run, party)
        after = await office.advance(run)
        assert after.state == ("done" if number == 3 else "waiting")
        assert await signed_fields(await office.file(run)) == [C, A, B][:number]
    content = (await office.file(run)).read_bytes()
    assert content.startswith(paper.read_bytes())
    assert after.facts["base"] == {
        "digest": hashlib.sha256(paper.read_bytes()).hexdigest(),
        "size": len(paper.read_bytes()),
    }


async def test_each_signature_names_the_proof_of_its_party(office: Office, paper: Path) -> None:
    run = await office.submit(paper, (A, B))
    for party in (A, B):
        await office.agree(run, party)
    done = await office.advance(run)
    report = await judge(await office.file(run))
    for verdict in report.signatures:
        proof = read_proof(done.facts[f"intent:{verdict.fields[0]}"])
        assert verdict.intent == proof.digest.hex()
        assert (proof.party, proof.factor) == (verdict.fields[0], "face")
        assert proof.document == hashlib.sha256(paper.read_bytes()).hexdigest(), "not the co-signer's revision"


async def test_in_a_fixed_order_who_comes_early_waits_for_his_turn(office: Office, paper: Path) -> None:
    run = await office.submit(paper, (A, B, C), ordered=True)
    assert not await office.agree(run, C)
    assert not await office.agree(run, B)
    assert await office.agree(run, A)
    done = await office.advance(run)
    while done.state == "ready":
        done = await office.advance(run)
    assert done.state == "done"
    assert await signed_fields(await office.file(run)) == [A, B, C]


async def test_nobody_is_asked_when_all_sign_unattended_and_the_proofs_say_so(office: Office, paper: Path) -> None:
    run = await office.submit(paper, (A, B, C), consent="unattended")
    done = await office.get(run)
    assert done.state == "done"
    assert await signed_fields(await office.file(run)) == [A, B, C]
    assert {done.facts[f"intent:{party}"]["factor"] for party in (A, B, C)} == {"unattended"}


async def test_who_declines_ends_the_run_with_his_reason_also_when_it_is_not_his_turn(
    office: Office, paper: Path
) -> None:
    run = await office.submit(paper, (A, B, C), ordered=True)
    await office.agree(run, A)
    await office.advance(run)
    assert await office.say(run, "declined:party-c", reason="the date is wrong")
    ended = await office.advance(run)
    assert ended.state == "rejected"
    assert ended.error is not None
    assert (ended.error["code"], ended.error["facts"]["reason"]) == ("sign.declined", "the date is wrong")
    assert await signed_fields(await office.file(run)) == [A], "what was signed is kept"
    with pytest.raises(Conflict, match="over"):
        await office.agree(run, B)


async def test_an_event_twice_signs_once(office: Office, paper: Path) -> None:
    run = await office.submit(paper, (A, B))
    token = (await office.issue(run, A)).token
    assert await office.say(run, "signed:party-a", token=token)
    assert not await office.say(run, "signed:party-a", token=token)
    await office.advance(run)
    assert not await office.say(run, "signed:party-a", token=token)
    again = await office.advance(run)
    assert again.state in ("waiting", "ready")
    await office.agree(run, B)
    assert (await office.advance(run)).state == "done"
    assert [key.uses for key in office.ring.keys.values()] == [1, 1]


@pytest.mark.parametrize("fault", ["nothing", "unknown", "expired", "used", "other party", "other document"])
async def test_a_token_that_is_no_good_signs_nothing_and_a_good_one_still_can(
    office: Office, paper: Path, tmp_path: Path, fault: str
) -> None:
    run = await office.submit(paper, (A, B))
    other = await office.submit(draw_paper(tmp_path / "other.pdf", (A, B), pages=2), (A, B))
    token = {
        "nothing": lambda: asyncio.sleep(0, None),
        "unknown": lambda: asyncio.sleep(0, "f" * 32),
        "expired": lambda: token_of(office.issue(run, A, timedelta(0))),
        "used": lambda: token_of(use(office, run)),
        "other party": lambda: token_of(office.issue(run, B)),
        "other document": lambda: token_of(office.issue(other, A)),
    }[fault]()
    assert await office.say(run, "signed:party-a", token=await token)
    refused = await office.advance(run)
    assert (refused.state, office.ring.keys) == ("waiting", {})
    code = {"nothing": "unknown", "other party": "wrong_party", "other document": "wrong_document"}.get(fault, fault)
    assert refused.error is not None
    assert refused.error["code"] == f"intent.{code}"
    for party in (A, B):
        await office.agree(run, party)
        last = await office.advance(run)
    assert (last.state, last.error) == ("done", None)


async def token_of(pending: Awaitable[Any]) -> str:
    token: str = (await pending).token
    return token


async def use(office: Office, run: UUID) -> Any:
    from engine.trust.intent import Agreement, BaseRevision

    proof = await office.issue(run, A)
    base = BaseRevision(proof.document, proof.size)
    return await office.intents.redeem(proof.token, "another act", Agreement(base, A))


async def test_a_bad_token_does_not_keep_the_others_from_signing(office: Office, paper: Path) -> None:
    run = await office.submit(paper, (A, B))
    await office.say(run, "signed:party-a", token="0" * 32)
    await office.agree(run, B)
    waiting = await office.advance(run)
    while waiting.state == "ready":
        waiting = await office.advance(run)
    assert waiting.state == "waiting"
    assert waiting.waiting_for == "signed:party-a"
    assert await signed_fields(await office.file(run)) == [B]


async def test_a_cancelled_run_signs_no_more(office: Office, paper: Path) -> None:
    run = await office.submit(paper, (A, B))
    await office.agree(run, A)
    async with office.database.transaction() as connection:
        await attention.cancel(connection, run)
    assert (await office.advance(run)).state == "cancelled"
    assert office.ring.keys == {}
    with pytest.raises(Conflict):
        await office.agree(run, B)


@pytest.mark.parametrize(
    ("parties", "more"),
    [((A,), ""), ((A, A), ""), (tuple(f"p{n}" for n in range(51)), ""), ((A, B), "certify = true")],
)
async def test_signers_that_make_no_sense_do_not_load(
    office: Office, paper: Path, parties: tuple[str, ...], more: str
) -> None:
    tables = "".join(f'[[stage.signers]]\nas = "{party}"\nfield = "{party}"\n{more}\n' for party in parties)
    with pytest.raises(Misuse) as refusal:
        await office.start(paper, f'[[stage]]\nuse = "cosign"\n{tables}')
    assert refusal.value.code == "pipeline.bad_option"


async def test_the_seals_of_all_signers_are_pinned_and_a_wrong_key_of_one_is_named(
    office: Office, tmp_path: Path
) -> None:
    seal = draw_seal_picture(tmp_path / "seal.png")
    paper = draw_paper(tmp_path / "sealed.pdf", (A, B))
    table = '[[stage.signers]]\nas = "{0}"\nfield = "{0}"\nseal = "seal.png"\n'
    stage = '[[stage]]\nuse = "cosign"\nlevel = "B-B"\nconsent = "unattended"\n' + table.format(A) + table.format(B)
    run = await office.start(paper, stage)
    seal.unlink()
    assert (await office.get(run)).state == "done"
    for wrong, code in (('seals = "x"', "unknown_option"), ("", "missing_option"), ("seal = 3", "bad_option")):
        with pytest.raises(Misuse) as refusal:
            await office.start(
                paper, f'{stage}[[stage.signers]]\nas = "x"\n{wrong}\n'.replace('seal = "seal.png"\n', "")
            )
        assert (refusal.value.code, "signers 3" in str(refusal.value)) == (f"pipeline.{code}", True)


async def test_a_single_signer_is_asked_as_well(office: Office, paper: Path) -> None:
    stage = f'[[stage]]\nuse = "sign"\nas = "{A}"\nfield = "{A}"\nlevel = "B-B"\nconsent = "required"'
    run = await office.start(paper, stage)
    assert (await office.get(run)).waiting_for == "signed:party-a"
    await office.agree(run, A)
    assert (await office.advance(run)).state == "done"
    assert await signed_fields(await office.file(run)) == [A]


INSTANTS = [
    *(f"{when} {what}" for what in (f"{A}:sign:0", f"{B}:sign:0", "revise", "pause") for when in ("before", "after")),
    "before advance",
    "after finish",
]


@pytest.mark.parametrize("instant", INSTANTS)
async def test_who_dies_at_any_step_leaves_each_key_one_published_result(
    office: Office, paper: Path, instant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await office.submit(paper, (A, B, C))
    ledger = Deadly(office.database, instant)
    with monkeypatch.context() as patch:
        for name in ("revise", "pause", "advance", "finish"):
            if name in instant:
                patch.setattr(progress, name, dying(getattr(progress, name), instant.split()[0]))
        for party in (A, B, C):
            await office.agree(run, party)
        died = 0
        for _ in range(12):
            if (await office.get(run)).state == "done":
                break
            try:
                await office.runner(ledger=ledger).advance(run)
            except Crash:
                died += 1
                patch.undo()
            async with office.database.transaction() as connection:  # the lease of the dead one runs out
                await connection.execute("update run set lease_until = now() where id = %s", (run,))
    assert died == 1
    file = await office.file(run)
    assert sorted(await signed_fields(file)) == [A, B, C]
    assert file.read_bytes().startswith(paper.read_bytes())
    async with office.database.transaction() as connection:
        rows = await (await connection.execute("select count(*) as n from effect where result is not null")).fetchone()
        assert rows is not None
        assert rows["n"] == 3
    assert sorted(key.uses for key in office.ring.keys.values())[:2] == [1, 1]


class Deadly(PostgresLedger):
    """A ledger whose process dies once, before the act of a key or after it and before it is recorded."""

    def __init__(self, database: Database, instant: str) -> None:
        super().__init__(database)
        self.when, _, self.key = instant.partition(" ")

    async def once(self, key: str, kind: str, intent: bytes, act: Any, **options: Any) -> tuple[bytes, bytes]:
        async def dying_act(recorded: bytes) -> bytes:
            if self.when == "before":
                self.key = "-"
                raise Crash
            await act(recorded)
            self.key = "-"
            raise Crash

        chosen = dying_act if key.endswith(self.key) else act
        return await super().once(key, kind, intent, chosen, **options)


def dying(change: Callable[..., Awaitable[Any]], when: str) -> Callable[..., Awaitable[Any]]:
    async def wrapped(connection: Any, *arguments: Any) -> Any:
        if when == "after":
            await change(connection, *arguments)
            await connection.execute("commit")  # what happens next happens to a dead process
        raise Crash

    return wrapped


async def test_two_signers_at_the_same_instant_lose_neither_signature(
    office: Office, database_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    paper = draw_paper(tmp_path / "two.pdf", (A, B))
    runs = [await office.submit(paper, (A, B)) for _ in range(ROUNDS)]
    tokens = {(run, party): (await office.issue(run, party)).token for run in runs for party in (A, B)}
    async with open_office(database_url, sandbox, tmp_path) as elsewhere:
        workers = office.runner(), elsewhere.runner()
        for run in runs:

            async def sign(desk: Office, party: str, worker: Any, run: UUID = run) -> None:
                await desk.say(run, f"signed:{party}", token=tokens[run, party])
                while (await desk.get(run)).state in ("ready", "running"):
                    await worker.advance(run)
                    await asyncio.sleep(0.002)

            await asyncio.gather(sign(office, A, workers[0]), sign(elsewhere, B, workers[1]))
    orders = []
    for run in runs:
        assert (await office.get(run)).state == "done"
        orders.append(tuple(await signed_fields(await office.file(run))))
    assert {tuple(sorted(order)) for order in orders} == {(A, B)}
    async with office.database.transaction() as connection:
        row = await (await connection.execute("select count(*) as n, max(attempts) as most from effect")).fetchone()
    assert row == {"n": 2 * ROUNDS, "most": 1}, "every key was used once for each file"
