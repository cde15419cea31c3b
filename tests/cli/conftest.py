import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.cli.entry import main

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One demo PKI and content store for all commands; each test has records of its own."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch, shared_home: Path, database_url: str) -> None:
    monkeypatch.setenv("SEALFLOW_HOME", str(shared_home))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("SEALFLOW_LANG", "en")
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def sealflow(installation: None, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command; gives status, standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return status, said.out, said.err

    return call


@pytest.fixture
def sealflow_json(sealflow: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, Any]]:
    """Run a command with --json; gives status and the value it printed."""

    def call(*arguments: object) -> tuple[int, Any]:
        status, out, _ = sealflow(*arguments, "--json")
        return status, json.loads(out)

    return call
