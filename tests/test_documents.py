"""What the documents say is held to what the product does: links, commands, examples, options, codes."""

import dataclasses
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import click
import msgspec
import pytest

from engine.assembly import SERVICES, make_catalogue
from engine.cli.entry import sealflow
from engine.pdf.control import Anchor, Control
from engine.pdf.seals.design import USUAL, SealDesign
from engine.pipeline.definition import load_definition
from engine.pipeline.resolution import option_names, resolve, with_resources
from engine.settings import Authority, Settings, Trust, Work
from engine.stages import sealflow_stages
from engine.vendors.registry import load_registry
from plugins.storage.local import LocalStorageSettings

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "samples").glob("*.md")])
GUIDES = [ROOT / "README.md", ROOT / "README.zh.md", ROOT / "docs" / "operations.md", ROOT / "CONTRIBUTING.md"]
STAGES = sealflow_stages()


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def section(document: Path, heading: str) -> str:
    text = document.read_text("utf-8") + "\n## "
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)^## ", text, re.DOTALL | re.MULTILINE)
    assert found, f"{name_of(document)} has no section {heading}"
    return found[1]


def first_column(text: str) -> set[str]:
    """Words in backquotes in the first cell of every table row."""
    cells = re.findall(r"^\|([^|]+)\|", text, re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(#[^)]*)?\)", document.read_text("utf-8"))
    dead = [link for link, _ in links if "://" not in link and not (document.parent / link).exists()]
    assert not dead


@pytest.mark.parametrize("document", GUIDES, ids=name_of)
def test_every_file_and_folder_that_is_named_exists(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    named = re.findall(
        r"`((?:engine|plugins|tests|docs|samples|pipelines|benchmarks|\.ci)/[\w./-]*|\./run|pyproject\.toml)", text
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", GUIDES, ids=name_of)
def test_every_command_of_sealflow_that_is_shown_exists_with_its_options(document: Path) -> None:
    context = click.Context(sealflow)
    text = document.read_text("utf-8")
    shown = re.findall(r"(?:^|\./run |`|SEALFLOW_\S+ )sealflow ([a-z][^\n`#]*)", text, re.MULTILINE)
    assert shown or document.name == "CONTRIBUTING.md"
    for line in shown:
        for words in (part.split() for part in line.split(" | ")):
            command = sealflow.get_command(context, words[0])
            assert command is not None, f"{name_of(document)}: sealflow {line}"
            rest = words[1:]
            if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
                command = command.get_command(context, rest.pop(0))
                assert command is not None, f"{name_of(document)}: sealflow {line}"
            known = {option for parameter in command.params for option in parameter.opts}
            unknown = {word for word in rest if word.startswith("-")} - known - {"--help"}
            assert not unknown, f"{name_of(document)}: sealflow {line}"


@pytest.mark.parametrize("document", GUIDES, ids=name_of)
def test_every_command_of_the_start_script_that_is_shown_is_one_it_has(document: Path) -> None:
    has = set(re.findall(r"^  (\w+) {2,}", (ROOT / "run").read_text("utf-8"), re.MULTILINE))
    assert {"demo", "test", "sealflow"} <= has
    shown = set(re.findall(r"\./run ([a-z]+)", document.read_text("utf-8")))
    assert shown <= has


def test_the_pipeline_example_loads(tmp_path: Path) -> None:
    (example,) = blocks(ROOT / "docs" / "pipelines.md", "toml")
    file = tmp_path / "two-party.toml"
    file.write_text(example, "utf-8")
    (tmp_path / "seals").symlink_to(ROOT / "pipelines" / "seals")
    catalogue = make_catalogue(load_registry(Settings(home=tmp_path)), dict.fromkeys(SERVICES))
    definition = with_resources(load_definition(file), catalogue)
    stages = resolve(definition, catalogue, {name: tmp_path / name for name in definition.resources})
    assert [stage.name for stage in stages][-1] == "archive"


@pytest.mark.parametrize("stage", STAGES)
def test_every_option_of_a_stage_is_described_with_its_default(stage: str, tmp_path: Path) -> None:
    catalogue = make_catalogue(load_registry(Settings(home=tmp_path)), dict.fromkeys(SERVICES))
    text = section(ROOT / "docs" / "pipelines.md", stage)
    described = first_column(re.split(r"\| key of an? ", text)[0])
    assert described == set(option_names(STAGES[stage], catalogue))
    assert f"{STAGES[stage].effect.capitalize()}" in text
    hints = get_type_hints(STAGES[stage])
    for field in dataclasses.fields(STAGES[stage]):
        for value in get_args(hints[field.name]) if get_origin(hints[field.name]) is Literal else ():
            assert re.search(rf'^\| `{field.name}` \|.*`"{value}"`', text, re.MULTILINE), f"{field.name} = {value}"
        if field.name in described and isinstance(field.default, str | int) and field.default != "":
            value = str(field.default).lower() if isinstance(field.default, bool) else field.default
            shown = f'"{value}"' if isinstance(field.default, str) else str(value)
            assert re.search(rf"^\| `{field.name}` \|.*\| `{re.escape(shown)}` \|", text, re.MULTILINE), field.name


def test_every_stage_has_its_section_and_no_other_has() -> None:
    headings = re.findall(r"^## (\S+)$", (ROOT / "docs" / "pipelines.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(STAGES)


def test_every_key_of_a_control_is_described() -> None:
    _, controls, anchors = re.split(
        r"\| key of an? (?:control|anchor)", section(ROOT / "docs" / "pipelines.md", "controls")
    )
    assert first_column(controls) == set(Control.__struct_fields__)
    assert first_column(anchors) == set(Anchor.__struct_fields__)


def test_every_key_of_a_drawn_seal_is_described() -> None:
    text = section(ROOT / "docs" / "pipelines.md", "sign").split("| key of a seal")[1]
    assert first_column(text) == set(SealDesign.__struct_fields__)
    assert all(f'`"{kind}"`' in text for kind in USUAL)


def test_every_setting_is_described() -> None:
    named = first_column(section(ROOT / "docs" / "operations.md", "Settings"))
    tables = {"trust": Trust, "work": Work}
    keys = {key for key in Settings.__struct_fields__ if key not in {*tables, "vendors"}}
    keys |= {f"{name}.{key}" for name, kind in tables.items() for key in kind.__struct_fields__}
    assert named == keys | {"vendors.NAME"}
    text = section(ROOT / "docs" / "operations.md", "Settings")
    fields = [field.name for field in dataclasses.fields(LocalStorageSettings)]
    for key in (*Authority.__struct_fields__, *fields):
        assert f"`{key}`" in text


@pytest.mark.parametrize("document", ["README.md", "README.zh.md"])
def test_the_settings_that_are_shown_are_settings(document: str) -> None:
    (example,) = blocks(ROOT / document, "toml")
    settings = msgspec.toml.decode(example, type=Settings, dec_hook=lambda kind, value: kind(value))
    assert settings.environment == "production"
    assert settings.work.broker


def test_both_readmes_have_the_same_shape() -> None:
    def shape(name: str) -> tuple[int, list[int], list[str]]:
        text = (ROOT / name).read_text("utf-8")
        commands = [re.sub(r"\s*#.*", "", line) for block in blocks(ROOT / name, "sh") for line in block.splitlines()]
        return text.count("\n## "), [len(block.splitlines()) for block in blocks(ROOT / name, "[a-z]+")], commands

    assert shape("README.md") == shape("README.zh.md")


def test_the_list_of_errors_is_what_the_code_says() -> None:
    told = subprocess.run([sys.executable, ROOT / ".ci" / "errors.py", "--check"], capture_output=True)
    assert told.returncode == 0, "run: python .ci/errors.py"


def test_no_code_is_missing_from_the_list_of_errors() -> None:
    listed = set(re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / "errors.md").read_text("utf-8"), re.MULTILINE))
    raised = set()
    for folder in ("engine", "plugins"):
        for file in (ROOT / folder).rglob("*.py"):
            classes = "Misuse|Rejected|Unavailable|Defect|Conflict|StaleClaim|InDoubt"
            raised |= set(re.findall(rf'\b(?:{classes})\(\s*"([a-z_.]+)"', file.read_text("utf-8")))
    assert len(raised) > 100
    assert raised <= listed


def test_the_list_of_errors_speaks_both_languages() -> None:
    place = importlib.util.spec_from_file_location("errors_page", ROOT / ".ci" / "errors.py")
    assert place and place.loader
    page = importlib.util.module_from_spec(place)
    place.loader.exec_module(page)
    for entry in page.list_entries():
        assert re.search("[\u4e00-\u9fff]|…", entry.zh), entry
        assert not re.search("[\u4e00-\u9fff]", entry.en.replace("。", "")), entry
