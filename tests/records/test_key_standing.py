"""Suspending and revoking keys: durable, journalled, and known to every process at the next use."""

from __future__ import annotations

import pytest

from engine.errors import Conflict, Rejected
from engine.records import key_standing
from engine.records.database import Database
from engine.records.key_standing import WHOLE_PARTY, PostgresStanding
from tests.trust.paper import make_key

OLD, NEW = make_key("ec", "Sample Works Ltd").certificate, make_key("ec", "Sample Works Ltd").certificate


async def events(database: Database) -> list[tuple[str, object]]:
    async with database.autocommit() as connection:
        rows = await (await connection.execute("select event, detail from journal order by id")).fetchall()
    return [(row["event"], row["detail"]["party"]) for row in rows]


async def test_a_suspension_stops_whatever_key_the_party_has_until_it_is_lifted(database: Database) -> None:
    standing = PostgresStanding(database)
    await standing.require("employer", OLD)
    async with database.transaction() as connection:
        await key_standing.suspend(connection, "employer", "token lost")
    for certificate in (OLD, NEW):
        with pytest.raises(Conflict) as caught:
            await standing.require("employer", certificate)
        assert caught.value.code == "keys.suspended"
        assert "token lost" in str(caught.value)
    await standing.require("employee", OLD)
    async with database.transaction() as connection:
        await key_standing.resume(connection, "employer", "found")
    await standing.require("employer", OLD)
    assert await events(database) == [("key suspended", "employer"), ("key resumed", "employer")]


async def test_a_revocation_is_final_for_the_certificate_whoever_names_it_and_spares_the_next_one(
    database: Database,
) -> None:
    standing = PostgresStanding(database)
    async with database.transaction() as connection:
        await key_standing.suspend(connection, "employer", "")
        await key_standing.revoke(connection, "employer", OLD.sha256.hex(), "stolen")
        await key_standing.resume(connection, "employer", "")
    for party in ("employer", "another name for it"):
        with pytest.raises(Rejected) as caught:
            await standing.require(party, OLD)
        assert caught.value.code == "keys.revoked"
    await standing.require("employer", NEW)


async def test_a_party_without_a_lasting_certificate_is_revoked_as_a_whole(database: Database) -> None:
    standing = PostgresStanding(database)
    async with database.transaction() as connection:
        await key_standing.suspend(connection, "visitor", "")
        await key_standing.revoke(connection, "visitor", WHOLE_PARTY, "deceased")
    with pytest.raises(Rejected):
        await standing.require("visitor", NEW)
    async with database.transaction() as connection:
        with pytest.raises(Conflict) as caught:
            await key_standing.resume(connection, "visitor", "")
    assert caught.value.code == "keys.not_suspended"
    async with database.transaction() as connection:
        assert [(entry.party, entry.state) for entry in await key_standing.entries(connection)] == [
            ("visitor", "revoked")
        ]


@pytest.mark.parametrize("change", ["suspend", "revoke"])
async def test_what_is_stopped_is_not_stopped_again(database: Database, change: str) -> None:
    async def stop() -> None:
        async with database.transaction() as connection:
            if change == "suspend":
                await key_standing.suspend(connection, "employer", "")
            else:
                await key_standing.revoke(connection, "employer", OLD.sha256.hex(), "")

    await stop()
    with pytest.raises(Conflict) as caught:
        await stop()
    assert caught.value.code == "keys.stopped_already"
    assert len(await events(database)) == 1
