"""A vendor's package, built and installed apart from ours, brings a store and a stage; our code is not touched."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROJECT, PLUGIN, SETTINGS = re.findall(
    r"^```(?:toml|python)\n(.*?)^```", (ROOT / "docs" / "plugins.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
)[:3]
"""The example of the guide for plugin authors, as printed there."""


class Machine:
    """A clean environment with our wheel and theirs; dependencies are borrowed from the running one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / "sealflow.toml"
        self.settings.write_text(f'home = "{folder / "home"}"\n{SETTINGS}', "utf-8")

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
    (folder / "acme_sealflow.py").write_text(PLUGIN, "utf-8")
    for source in (ROOT, folder):
        must([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "wheels")], cwd=source)
    must([sys.executable, "-m", "venv", str(folder / "venv")], cwd=folder)
    wheels = [str(wheel) for wheel in (folder / "wheels").glob("*.whl")]
    pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    must([*pip, "--no-index", "--no-deps", *wheels], cwd=folder)
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
