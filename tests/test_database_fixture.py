import psycopg
import pytest


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_gets_a_migrated_database_that_no_other_test_wrote_to(database_url: str, turn: int) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from pipeline").fetchone() == (0,)
        connection.execute("insert into pipeline values ('d', 'n', 1, '{}')")


async def test_connections_left_open_do_not_hinder_the_clean_up(database_url: str) -> None:
    connection = await psycopg.AsyncConnection.connect(database_url)
    await connection.execute("select 1")
    test_connections_left_open_do_not_hinder_the_clean_up.kept = connection  # type: ignore[attr-defined]
    await connection.close()
