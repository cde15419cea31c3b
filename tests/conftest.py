"""A real PostgreSQL for the whole run, and a fresh migrated database for every test that asks.

``SEALFLOW_TEST_DATABASE_URL`` names a server to use instead (its user must be allowed to create databases).
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hypothesis import settings
from psycopg.conninfo import make_conninfo

from engine.records.database import migrate

_HERE = Path(__file__).parent
settings.register_profile("steady", deadline=None, derandomize=True)  # a busy machine is no fault, nor is chance
settings.load_profile("steady")


@pytest.fixture(scope="session")
def database_server() -> Iterator[str]:
    """URL of the maintenance database of a server that only this run uses."""
    given = os.environ.get("SEALFLOW_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with subprocess.Popen(
        [sys.executable, _HERE / "throwaway_postgres.py"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    ) as guardian:  # fmt: skip
        assert guardian.stdin and guardian.stdout
        directory = guardian.stdout.readline().strip()
        assert directory, "the test server did not start; its words are above"
        url = f"postgresql:///postgres?host={directory}&user=sealflow"
        _await_answer(url, seconds=60)
        yield url
        guardian.stdin.write("stop\n")  # not only closed: a process forked by a test may hold the pipe
        guardian.stdin.close()


@pytest.fixture(scope="session")
def database_template(database_server: str) -> Iterator[str]:
    """Name of a migrated database that nobody is connected to."""
    name = f"template_{uuid4().hex}"
    with psycopg.connect(database_server, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
        _migrate(make_conninfo(database_server, dbname=name))
        yield name
        connection.execute(f'drop database "{name}" with (force)')


@pytest.fixture
def database_url(database_server: str, database_template: str) -> Iterator[str]:
    """URL of a fresh, migrated, empty database; it is dropped after the test even if connections are open."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(database_server, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{database_template}"')
    yield _with_database(database_server, name)
    with psycopg.connect(database_server, autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)')


def _with_database(server: str, name: str) -> str:
    head, _, query = server.partition("?")
    return head.rsplit("/", 1)[0] + "/" + name + (f"?{query}" if query else "")


def _await_answer(url: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _migrate(url: str) -> None:
    """In a thread of its own: this one may belong to a test's event loop."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, migrate(url)).result()
