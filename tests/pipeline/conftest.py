from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.pipeline.pins import Pins
from engine.pipeline.runner import Pace, Runner, Silent
from engine.records.database import Database
from engine.records.effects import PostgresLedger
from plugins.storage.local import LocalStorage, LocalStorageSettings
from tests.pipeline.toys import CATALOGUE


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(LocalStorageSettings(), tmp_path / "home")


@pytest.fixture
def runner(database: Database, storage: LocalStorage, tmp_path: Path) -> Runner:
    pins = Pins(database, storage, CATALOGUE, tmp_path / "pins")
    pace = Pace(lease=5.0, attempts=3, backoff=0.05, backoff_limit=0.1)
    return Runner(database, storage, PostgresLedger(database), pins, pace, Silent())
