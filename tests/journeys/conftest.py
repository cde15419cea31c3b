"""One installation that all journeys share: a demo PKI behind real HTTP, a content store, records with their memory.

What a journey would disturb for the others (records, keys, authorities) it takes for itself.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg.conninfo import make_conninfo

from engine import assembly
from engine.cli.entry import main
from engine.records.runs import Run
from engine.settings import Settings, Work
from engine.trust.demo import ensure_demo
from tests.journeys.office import CONTRACT, Office, Said, sample_values


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose demo authority answers as long as the tests run, whoever else comes and goes."""
    folder = tmp_path_factory.mktemp("home")
    asyncio.run(ensure_demo(folder / "demo-pki", "development"))
    command = [sys.executable, "-m", "engine.trust.authority", str(folder / "demo-pki")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith(b"http://127.0.0.1:")
        yield folder
        server.terminate()


@pytest.fixture(scope="session")
def records(database_server: str, database_template: str) -> Iterator[str]:
    """Records that remember what the same stage made of the same file before."""
    name = f"journeys_{uuid4().hex}"
    with psycopg.connect(database_server, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{database_template}"')
    yield make_conninfo(database_server, dbname=name)
    with psycopg.connect(database_server, autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)')


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def office(home: Path, records: str) -> AsyncIterator[Office]:
    """The whole engine, opened once."""
    async with open_office(Settings(home=home, database_url=records, work=Work(backoff=0.1))) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def contract_run(office: Office) -> Run:
    """The sample contract, gone all the way; its worker has a rare name."""
    return await office.send("labour-contract", CONTRACT, values=sample_values("labour-contract.rare-name"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def contract(office: Office, contract_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return await office.fetch(contract_run, tmp_path_factory.mktemp("contract"))


@asynccontextmanager
async def open_office(settings: Settings) -> AsyncIterator[Office]:
    async with assembly.open_engine(settings) as engine:
        yield Office(engine)


@pytest.fixture
def sealflow(
    monkeypatch: pytest.MonkeyPatch, home: Path, records: str, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Run a command as a person types it; English, 80 columns."""
    monkeypatch.setenv("SEALFLOW_HOME", str(home))
    monkeypatch.setenv("DATABASE_URL", records)
    monkeypatch.setenv("SEALFLOW_LANG", "en")
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: object) -> Said:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return Said(status, said.out, said.err)

    return call
