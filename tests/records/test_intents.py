"""Intent tokens: one act each, only for what they were given for, only in time; in PostgreSQL and in memory alike."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from engine.errors import Conflict, Defect, Misuse, Rejected
from engine.records import journal, runs
from engine.records.database import Database
from engine.records.intents import MemoryIntents, PostgresIntents, issue_for_run
from engine.trust.intent import Agreement, BaseRevision, Check, Intents, read_proof

BASE = BaseRevision("a" * 64, 1000)
WORD = Agreement(BASE, "employee")
FACE = Check("face", "sample-vendor", "check-7")
SOON, NOW = timedelta(minutes=10), timedelta(0)


@pytest.fixture(params=["postgres", "memory"])
def make(request: pytest.FixtureRequest, database: Database) -> Callable[..., Intents]:
    if request.param == "memory":
        return MemoryIntents
    return lambda unattended=None: PostgresIntents(database, unattended)


async def refused(pending: Awaitable[Any]) -> str:
    with pytest.raises((Rejected, Misuse, Conflict)) as refusal:
        await pending
    return refusal.value.code


async def test_a_token_is_redeemed_by_one_act_and_by_that_again_and_again(make) -> None:
    intents = make()
    proof = await intents.issue(WORD, FACE, SOON)
    assert await intents.redeem(proof.token, "run/3:sign", WORD) == proof
    assert await intents.redeem(proof.token, "run/3:sign", WORD) == proof
    assert await refused(intents.redeem(proof.token, "run/4:sign", WORD)) == "intent.used"
    assert len(bytes.fromhex(proof.token)) == 16
    assert (proof.document, proof.size, proof.factor, proof.reference) == (BASE.digest, BASE.size, "face", "check-7")


async def test_an_expired_token_is_good_for_nothing_but_the_act_that_used_it_in_time(make) -> None:
    intents = make()
    late = await intents.issue(WORD, FACE, NOW)
    assert await refused(intents.redeem(late.token, "run/3:sign", WORD)) == "intent.expired"
    brief = await intents.issue(WORD, FACE, timedelta(seconds=1))
    await intents.redeem(brief.token, "run/3:sign", WORD)
    await asyncio.sleep(1.1)
    assert await intents.redeem(brief.token, "run/3:sign", WORD) == brief


async def test_an_act_that_has_its_token_takes_no_other(make) -> None:
    intents = make()
    first, second = [await intents.issue(WORD, FACE, SOON) for _ in range(2)]
    await intents.redeem(first.token, "run/3:sign", WORD)
    with pytest.raises(Defect, match="replaced"):
        await intents.redeem(second.token, "run/3:sign", WORD)
    assert await intents.redeem(second.token, "run/4:sign", WORD) == second


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (Agreement(BaseRevision("b" * 64, 1000), "employee"), "intent.wrong_document"),
        (Agreement(BASE, "employer"), "intent.wrong_party"),
        (Agreement(BASE, "employee", "void"), "intent.wrong_purpose"),
    ],
)
async def test_a_token_is_good_only_for_its_document_party_and_purpose(make, other: Agreement, code: str) -> None:
    intents = make()
    proof = await intents.issue(WORD, FACE, SOON)
    assert await refused(intents.redeem(proof.token, "run/3:sign", other)) == code
    assert await intents.redeem(proof.token, "run/3:sign", WORD) == proof, "a wrong try does not use it up"


async def test_a_token_nobody_issued_is_unknown(make) -> None:
    assert await refused(make().redeem("0" * 32, "run/3:sign", WORD)) == "intent.unknown"


async def test_of_many_acts_at_the_same_moment_one_gets_the_token(make) -> None:
    intents = make()
    proof = await intents.issue(WORD, FACE, SOON)
    tries = [intents.redeem(proof.token, f"run/{number}:sign", WORD) for number in range(12)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert [result for result in results if not isinstance(result, Rejected)] == [proof]
    assert {result.code for result in results if isinstance(result, Rejected)} == {"intent.used"}


async def test_an_act_nobody_was_asked_about_has_one_proof_that_says_so(make) -> None:
    intents = make()
    first, *others = await asyncio.gather(*(intents.attest("run/3:sign", WORD, "run/3") for _ in range(6)))
    assert all(other == first for other in others)
    assert (first.factor, first.vendor, first.reference) == ("unattended", "sealflow", "run/3")
    assert await refused(intents.redeem(first.token, "run/9:sign", WORD)) == "intent.used"


async def test_in_production_only_the_listed_parties_sign_unattended(make) -> None:
    intents = make(frozenset({"employer"}))
    await intents.attest("run/3:sign", Agreement(BASE, "employer"), "run/3")
    assert await refused(intents.attest("run/4:sign", WORD, "run/4")) == "intent.unattended"


@pytest.mark.parametrize("check", [Check("", "v", "r"), Check("face", " ", "r"), Check("face", "v", "a\0b")])
async def test_a_check_without_factor_vendor_or_reference_gives_no_token(make, check: Check) -> None:
    assert await refused(make().issue(WORD, check, SOON)) == "intent.incomplete"


async def test_a_check_that_has_not_happened_yet_gives_no_token(make) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert await refused(make().issue(WORD, Check("sms", "v", "r", tomorrow), SOON)) == "intent.incomplete"


async def test_what_is_issued_and_used_stands_in_the_journal(database: Database) -> None:
    intents, run = PostgresIntents(database, None), uuid4()
    proof = await intents.issue(WORD, FACE, SOON, run)
    await intents.redeem(proof.token, f"{run}/3:sign", WORD)
    await intents.redeem(proof.token, f"{run}/3:sign", WORD)
    async with database.transaction() as connection:
        rows = await (await connection.execute("select event, detail, run_id from journal order by id")).fetchall()
        assert (await journal.verify(connection)).unbroken
    assert [row["event"] for row in rows] == ["intent issued", "intent used"]
    assert {row["run_id"] for row in rows} == {run}
    assert rows[0]["detail"]["proof"] == proof.digest.hex()
    assert proof.token not in str(rows[0]["detail"]), "whoever reads the journal cannot use what is not used yet"


async def test_a_token_for_a_run_needs_its_frozen_document(database: Database, submit) -> None:
    early = await submit()
    ready = await submit(base={"digest": BASE.digest, "size": BASE.size})
    async with database.transaction() as connection:
        assert await refused(issue_for_run(connection, early, "employee", FACE, SOON)) == "intent.no_base"
        proof = await issue_for_run(connection, ready, "employee", FACE, SOON)
    assert await PostgresIntents(database, None).redeem(proof.token, f"{ready}/1:sign", WORD) == proof
    async with database.transaction() as connection:
        await connection.execute("update run set state = 'cancelled' where id = %s", (ready,))
        assert await refused(issue_for_run(connection, ready, "employee", FACE, SOON)) == "run.over"
        assert (await runs.get(connection, ready)).state == "cancelled"


async def test_a_proof_survives_the_way_through_json_and_nothing_else_passes_for_one() -> None:
    proof = await MemoryIntents().issue(WORD, FACE, SOON)
    assert read_proof(proof.to_dict()) == proof
    assert read_proof(proof.to_dict()).digest == proof.digest
    for wrong in (None, [], {}, {**proof.to_dict(), "more": 1}, {**proof.to_dict(), "size": "1"}):
        with pytest.raises(Rejected):
            read_proof(wrong)
    local = proof.issued_at.astimezone(UTC).isoformat().replace("+00:00", "+0000")
    with pytest.raises(Rejected):
        read_proof({**proof.to_dict(), "issued_at": local})
