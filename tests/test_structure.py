"""The house rules of CONTRIBUTING.md, held over every file of the project."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest
from importlinter import cli as import_linter

ROOT = Path(__file__).parents[1]
LONGEST = 400
VAGUE = {"utils", "util", "helpers", "helper", "misc", "common", "manager", "managers", "base"}
TEXT = {".py", ".sql", ".md", ".toml", ".sh", ".json", ".jsonl", ".txt", ".in", ".css", ".html", ""}
LOCKS = {"requirements.txt", "requirements-dev.txt", "requirements-uv.txt"}


@cache
def tracked() -> tuple[Path, ...]:
    """Files of the project: what git knows, else whatever lies beside this test and is no product of a tool."""
    listed = (
        subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout if has_git() else ""
    )
    if listed:
        return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())
    made = {".git", ".venv", ".tools", ".cache", "out", "__pycache__"}
    folders = (
        ROOT / name for name in (".ci", "engine", "plugins", "tests", "docs", "pipelines", "samples", "benchmarks")
    )
    deep = (path for folder in folders for path in folder.rglob("*"))
    return tuple(path for path in (*ROOT.iterdir(), *deep) if path.is_file() and not made & set(path.parts))


def has_git() -> bool:
    try:
        return subprocess.run(["git", "rev-parse"], cwd=ROOT, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def texts() -> Iterator[tuple[str, str]]:
    """Name and content of every text file."""
    for path in tracked():
        if path.suffix in TEXT:
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def modules(*folders: str) -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders]


def test_no_file_is_too_long_to_be_read() -> None:
    long = [name for name, text in texts() if text.count("\n") > LONGEST and name not in LOCKS]
    assert not long


def test_no_room_has_a_name_that_takes_in_everything() -> None:
    words = {word for path in tracked() for word in (*path.relative_to(ROOT).parts[:-1], path.stem)}
    assert not words & VAGUE


def test_every_module_says_what_it_is_for() -> None:
    silent = []
    for path in modules("engine", "plugins", "benchmarks", "samples", ".ci"):
        text = path.read_text("utf-8")
        if text.strip() and not ast.get_docstring(ast.parse(text)):
            silent.append(path.relative_to(ROOT).as_posix())
    assert not silent


def test_import_contracts_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    status = import_linter.lint_imports(cache_dir=None)
    assert status == import_linter.EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("engine", "plugins", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as circle:
        pytest.fail(" imports ".join(reversed(circle.args[1])))


# Put together from pieces, so that this file is not its own culprit.
REGISTRIES = [f"{name}.{end}" for name, end in (
    ("pypi", "org"), ("pythonhosted", "org"), ("deb.debian", "org"), ("npmjs", "org"), ("npmjs", "com"),
    ("tsinghua", "edu.cn"), ("mirrors.aliyun", "com"), ("archive.ubuntu", "com"), ("docker", "io"),
)]  # fmt: skip
MACHINE_PATHS = ["/" + name + "/" for name in ("work", "root", "Users")]


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    forbidden = re.compile(
        "|".join(map(re.escape, REGISTRIES)) + "|" + "|".join(rf"(?<![\w.$}}>]){p}" for p in MACHINE_PATHS)
    )
    found = {name: hit[0] for name, text in texts() if (hit := forbidden.search(text))}
    assert not found


def count_lines(path: Path) -> int:
    """Lines that do something: no blank ones, no comments, no docstrings."""
    text = path.read_text("utf-8")
    lines = {
        number for number, line in enumerate(text.splitlines(), 1) if line.strip() and not line.strip().startswith("#")
    }
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def test_there_is_as_much_test_as_code() -> None:
    code, tests = (sum(map(count_lines, modules(*folders))) for folders in (("engine", "plugins"), ("tests",)))
    assert tests >= code


def test_a_suppression_carries_its_reason() -> None:
    bare = re.compile(r"#\s*(?:noqa: [A-Z0-9, ]+|type: ignore\[[^\]]+\])\s*$|#\s*(?:noqa|type: ignore)\s*$", re.M)
    found = [
        f"{path.relative_to(ROOT)}: {hit[0]}"
        for path in modules("engine", "plugins")
        if (hit := bare.search(path.read_text("utf-8")))
    ]
    assert not found
