import asyncio
import hashlib
import json
from uuid import UUID

import psycopg
import pytest

from engine.records import journal
from engine.records.database import Database

RUN = UUID("00000000-0000-4000-8000-000000000001")


async def write(database: Database, count: int = 6, sealed: bool = True) -> None:
    for number in range(count):
        async with database.transaction() as connection:
            await journal.append(
                connection, "submitted", RUN if number % 2 else None, {"n": number, "zh": "合同", "f": 1e22}
            )
    if sealed:
        async with database.transaction() as connection:
            assert await journal.seal(connection) == count


async def verify(database: Database) -> journal.Report:
    async with database.transaction() as connection:
        return await journal.verify(connection)


async def tamper(database: Database, statement: str) -> None:
    async with database.autocommit() as connection:
        await connection.execute(statement)  # type: ignore[call-overload]  # the tests' own words


async def test_an_empty_journal_is_whole(database: Database):
    report = await verify(database)
    assert (report.entries, report.unbroken, report.problem) == (0, True, None)


async def test_entries_are_sealed_and_verify(database: Database):
    await write(database)
    report = await verify(database)
    assert (report.entries, report.unsealed, report.unbroken) == (6, 0, True)


async def test_verifying_seals_what_is_pending_first(database: Database):
    await write(database, sealed=False)
    report = await verify(database)
    assert (report.entries, report.unsealed) == (6, 0)


async def test_an_entry_commits_or_vanishes_with_its_transaction(database: Database):
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await journal.append(connection, "submitted", RUN, {})
            _ = 1 / 0
    assert (await verify(database)).entries == 0


async def test_the_chain_can_be_recomputed_from_its_description_alone(database: Database):
    await write(database, 3)
    async with database.autocommit() as connection:
        rows = await (
            await connection.execute(
                "select seq, id, (extract(epoch from at) * 1000000)::bigint as moment, run_id::text as run, event,"
                " detail::text as detail, digest from journal order by seq"
            )
        ).fetchall()
    digest = bytes(32)
    for row in rows:
        facts = json.dumps([row["seq"], row["id"], row["moment"], row["run"], row["event"]], separators=(",", ":"))
        digest = hashlib.sha256(digest + facts.encode() + row["detail"].encode()).digest()
        assert digest == row["digest"]
    assert (await verify(database)).head == digest.hex()


TAMPERINGS = {
    "update journal set at = at + interval '1 microsecond' where seq = 3": (3, "changed"),
    "update journal set run_id = null where seq = 4": (4, "changed"),
    "update journal set run_id = '00000000-0000-4000-8000-000000000002' where seq = 4": (4, "changed"),
    "update journal set event = 'finished' where seq = 3": (3, "changed"),
    """update journal set detail = '{"n":2}' where seq = 3""": (3, "changed"),
    "update journal set detail = (detail::text || ' ')::json where seq = 3": (3, "changed"),
    "update journal set previous = digest where seq = 3": (3, "changed"),
    "update journal set previous = null where seq = 1": (1, "changed"),
    "update journal set digest = previous where seq = 3": (3, "changed"),
    "update journal set digest = null where seq = 6": (6, "changed"),
    "update journal set id = default where seq = 3": (3, "changed"),
    "update journal set seq = 99 where seq = 6": (6, "removed"),
    "update journal set seq = null where seq = 3": (3, "removed"),
    "delete from journal where seq = 1": (1, "removed"),
    "delete from journal where seq = 3": (3, "removed"),
    "delete from journal where seq = 6": (6, "cut"),
    "delete from journal where seq > 4": (5, "cut"),
    "delete from journal": (1, "cut"),
    "delete from journal where seq = 3; update journal set seq = seq - 1 where seq > 3": (3, "reordered"),
    "update journal set seq = -seq; update journal set seq = case seq when -2 then 4 when -4 then 2 else -seq end": (
        2,
        "reordered",
    ),
    "update journal_head set digest = decode(repeat('00', 32), 'hex')": (6, "changed"),
    "update journal_head set seq = 4": (5, "overlong"),
    "delete from journal_head": (1, "cut"),
}


@pytest.mark.parametrize("statement", TAMPERINGS)
async def test_tampering_is_found_and_the_first_broken_entry_named(
    database: Database, records_url: str, statement: str
):
    await write(database)
    with psycopg.connect(records_url) as connection:
        for part in statement.split("; "):
            connection.execute(part)  # type: ignore[call-overload]  # the tests' own words
    report = await verify(database)
    assert (report.broken, report.reason) == TAMPERINGS[statement]
    assert not report.unbroken and report.problem and str(report.broken) in report.problem.en
    assert str(report.broken) in report.problem.zh


async def test_what_is_appended_after_tampering_does_not_hide_it(database: Database):
    await write(database)
    await tamper(database, "update journal set event = 'finished' where seq = 2")
    await write(database, 3)
    assert (await verify(database)).broken == 2


async def test_many_sealers_and_writers_at_once_make_one_whole_chain(database: Database):
    async def seal() -> int:
        async with database.transaction() as connection:
            return await journal.seal(connection, limit=7)

    async def round_of_work() -> None:
        await write(database, 5, sealed=False)
        await seal()

    await asyncio.gather(*(round_of_work() for _ in range(8)))
    report = await verify(database)
    assert (report.entries, report.unsealed, report.unbroken) == (40, 0, True)


async def test_sealing_does_not_wait_for_another_sealer(database: Database):
    await write(database, 2, sealed=False)
    async with database.transaction() as first:
        assert await journal.seal(first) == 2
        async with database.transaction() as second:
            assert await journal.seal(second) == 0


async def test_commits_do_not_wait_for_a_verification(database: Database):
    await write(database)
    async with database.transaction() as connection:
        assert (await journal.verify(connection)).unbroken
        await asyncio.wait_for(write(database, 2, sealed=False), timeout=5)
    assert (await verify(database)).entries == 8


async def test_an_entry_that_commits_late_is_sealed_after_those_that_came_first(database: Database):
    async with database.transaction() as slow:
        await journal.append(slow, "paused", RUN, {})
        await write(database, 2)
    assert (await verify(database)).entries == 3
    async with database.autocommit() as connection:
        rows = await (await connection.execute("select event from journal order by seq")).fetchall()
    assert [row["event"] for row in rows] == ["submitted", "submitted", "paused"]


async def test_an_excerpt_holds_one_runs_entries_and_the_head_of_the_whole_chain(database: Database):
    await write(database, sealed=False)
    async with database.transaction() as connection:
        excerpt = await journal.excerpt(connection, RUN)
        report = await journal.verify(connection)
    assert [json.loads(entry.detail)["n"] for entry in excerpt.entries] == [1, 3, 5]
    assert {entry.run for entry in excerpt.entries} == {str(RUN)}
    assert (excerpt.head, excerpt.digest) == (6, report.head)


async def test_an_entry_of_an_excerpt_can_be_recomputed_by_whoever_has_nothing_else(database: Database):
    await write(database)
    async with database.transaction() as connection:
        excerpt = await journal.excerpt(connection, RUN)
    for entry in excerpt.entries:
        head = json.dumps(
            [entry.seq, entry.id, entry.microseconds, entry.run, entry.event],
            ensure_ascii=False, separators=(",", ":"),
        )  # fmt: skip
        own = bytes.fromhex(entry.previous) + head.encode() + entry.detail.encode()
        assert hashlib.sha256(own).hexdigest() == entry.digest
