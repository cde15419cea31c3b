"""A vendor's package, built and installed apart from ours, brings a store and a stage; our code is not touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "acme-sealflow"
version = "1.0"
dependencies = ["sealflow"]

[project.entry-points."sealflow.plugins"]
acme = "acme_sealflow"

[tool.hatch.build.targets.wheel]
packages = ["acme_sealflow.py"]
"""

PLUGIN = '''
"""Acme's drawer for contents and a stage that notes which drawer was used."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from engine.errors import Defect, Rejected
from engine.pipeline.stage import Done, Effect, Work
from engine.vendors.hooks import hookimpl
from engine.vendors.protocols import Storage


@dataclass(frozen=True)
class DrawerSettings:
    label: str = "drawer"


class Drawer:
    def __init__(self, settings: DrawerSettings, home: Path) -> None:
        self.folder = home / settings.label
        self.folder.mkdir(parents=True, exist_ok=True)

    async def put(self, source: Path) -> str:
        return await asyncio.to_thread(self._put, source)

    def _put(self, source: Path) -> str:
        try:
            digest = digest_of(source)
        except FileNotFoundError:
            raise Rejected("document.missing", zh="没有源文件。", en="There is no source file.") from None
        shutil.copyfile(source, self.folder / digest)
        return digest

    async def get(self, digest: str, workspace: Path) -> Path:
        path = self.folder / digest
        if "/" in digest or not path.is_file():
            raise Rejected("storage.missing", zh="没有该内容。", en="There is no such content.")
        if await asyncio.to_thread(digest_of, path) != digest:
            raise Defect("storage.corrupt", zh="内容已损坏。", en="The content is damaged.")
        return path

    async def digests(self, stored_before: datetime) -> AsyncIterator[str]:
        for path in list(self.folder.iterdir()):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < stored_before:
                yield path.name

    async def delete(self, digest: str) -> None:
        (self.folder / digest).unlink(missing_ok=True)


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Shelve:
    name: ClassVar[str] = "shelve"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.APPENDS
    reads: ClassVar[frozenset[str]] = frozenset()

    store: Storage
    note: str = ""

    async def run(self, work: Work) -> Done:
        (source,) = work.sources
        return Done(facts={"shelved": await self.store.put(source), "note": self.note})


@hookimpl
def sealflow_storages() -> Mapping[str, type[Drawer]]:
    return {"acme-drawer": Drawer}


@hookimpl
def sealflow_stages() -> Mapping[str, type[Shelve]]:
    return {"shelve": Shelve}
'''

SETTINGS = """
plugins = ["builtin-stages", "local-storage", "acme"]
home = "{home}"

[vendors.acme-drawer]
label = "top"
"""


class Machine:
    """A clean environment with our wheel and theirs; dependencies are borrowed from the running one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / "sealflow.toml"
        self.settings.write_text(SETTINGS.format(home=folder / "home"), "utf-8")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "SEALFLOW_CONFIG": str(self.settings), "SEALFLOW_LANG": "en"}
        program = str(self.folder / "venv" / "bin" / command[0])
        return subprocess.run(
            [program, *command[1:]], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    folder = tmp_path_factory.mktemp("vendor")
    (folder / "pyproject.toml").write_text(PROJECT, "utf-8")
    (folder / "acme_sealflow.py").write_text(textwrap.dedent(PLUGIN), "utf-8")
    for source in (ROOT, folder):
        must([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "wheels")], cwd=source)
    must([sys.executable, "-m", "uv", "venv", "--offline", "-p", sys.executable, str(folder / "venv")], cwd=folder)
    venv_python = folder / "venv" / "bin" / "python"
    wheels = [str(wheel) for wheel in (folder / "wheels").glob("*.whl")]
    install = ["pip", "install", "-q", "--offline", "--no-deps", "-p", str(venv_python), *wheels]
    must([sys.executable, "-m", "uv", *install], cwd=folder)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return Machine(folder)


def must(command: list[str], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_installed_product_is_the_wheel_and_not_this_folder(machine: Machine) -> None:
    done = machine.run("python", "-c", "import engine, plugins; print(engine.__file__, plugins.__file__)")
    assert done.stdout.count(str(machine.folder / "venv")) == 2, done.stderr


def test_what_the_vendor_offers_is_listed_beside_ours(machine: Machine) -> None:
    done = machine.run("sealflow", "plugins", "--json")
    assert done.returncode == 0, done.stderr
    rows = {(row["capability"], row["name"]): row["plugin"] for row in json.loads(done.stdout)}
    assert rows["storage", "acme-drawer"] == rows["stage", "shelve"] == "acme"
    assert rows["storage", "local"] == "local-storage"


def test_the_vendors_stage_runs_with_the_vendors_store_and_its_own_settings(machine: Machine) -> None:
    source = machine.folder / "contract.pdf"
    source.write_bytes(b"%PDF-1.7 any bytes will do")
    options = ["--set", "store=acme-drawer", "--set", "note=second shelf"]
    done = machine.run("sealflow", "stage", "shelve", str(source), "-o", "out.pdf", *options, "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)["facts"]
    assert facts["note"] == "second shelf"
    assert (machine.folder / "home" / "top" / facts["shelved"]).read_bytes() == source.read_bytes()


def test_the_conformance_kit_examines_the_vendors_store(machine: Machine) -> None:
    done = machine.run("sealflow", "plugins", "check", "acme-drawer", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = {finding["case"]: finding["verdict"] for finding in json.loads(done.stdout)}
    assert len(verdicts) >= 10
    assert set(verdicts.values()) == {"kept"}


def test_without_leave_in_the_settings_the_package_is_not_loaded(machine: Machine) -> None:
    script = (
        "import sys; from engine.settings import Settings; from engine.vendors.registry import load_registry;"
        "load_registry(Settings(plugins=('local-storage',))); print('acme_sealflow' in sys.modules)"
    )
    assert machine.run("python", "-c", script).stdout.strip() == "False"


def test_a_misspelt_option_of_the_vendor_is_refused_in_words(machine: Machine) -> None:
    script = (
        "from pathlib import Path; from engine.settings import Settings; from engine.vendors.protocols import Storage;"
        "from engine.vendors.registry import load_registry;"
        "load_registry(Settings(plugins=('acme',), vendors={'acme-drawer': {'lable': 'x'}}))"
        ".provider(Storage, 'acme-drawer')"
    )
    assert "did you mean label" in machine.run("python", "-c", script).stderr
