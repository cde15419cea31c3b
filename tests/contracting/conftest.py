"""One finished labour contract and its evidence bundle, made once by the whole engine and read by all tests here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from engine.assembly import open_engine
from engine.contracting.offline.container import read_container
from engine.settings import Settings, Work
from tests.contracting.stand import Made, make_contract


@pytest.fixture(scope="session")
def evidence_records(database_server: str, database_template: str) -> Iterator[str]:
    """Records that last for all tests of this folder."""
    name = f"evidence_{uuid4().hex}"
    with psycopg.connect(database_server, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{database_template}"')
    yield make_conninfo(database_server, dbname=name)
    with psycopg.connect(database_server, autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)')


@pytest.fixture(scope="session")
def evidence_settings(evidence_records: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), database_url=evidence_records, work=Work(backoff=0.1))


@pytest.fixture(scope="session")
def made(evidence_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The contract, its run and its bundle, exported twice."""
    folder = tmp_path_factory.mktemp("made")

    async def make() -> Made:
        async with open_engine(evidence_settings) as engine:
            return await make_contract(engine, folder)

    return asyncio.run(make())


@pytest.fixture(scope="session")
def members(made: Made) -> dict[str, bytes]:
    """Members of the bundle by name."""
    found, fault = read_container(memoryview(made.bundle.read_bytes()))
    assert fault is None
    return {name: bytes(content) for name, content in found.items()}


@pytest.fixture(scope="session")
def verifier(members: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the two programs as they came out of the bundle."""
    folder = tmp_path_factory.mktemp("verifier")
    for name in ("verify.py", "verify.sh"):
        (folder / name).write_bytes(members[name])
    return folder
