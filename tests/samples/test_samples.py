"""The samples: made by their scripts, complete, in step with their pipelines, and plainly invented."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from engine.assembly import SERVICES
from engine.pdf.control import Control, read_controls
from engine.pdf.values import check_values
from engine.pipeline.definition import load_definition
from engine.pipeline.resolution import Catalogue, resolve, with_resources
from engine.settings import Settings
from engine.vendors import hooks
from engine.vendors.registry import load_registry

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
PAIRS = [
    ("labour-contract", "labour-contract.values.json"),
    ("labour-contract", "labour-contract.rare-name.values.json"),
    ("labour-contract", "labour-contract.rows.jsonl"),
    ("employment-agreement", "employment-agreement-letter.values.json"),
]


def declared() -> list[EntryPoint]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["sealflow.plugins"]
    return [EntryPoint(name, module, "sealflow.plugins") for name, module in table.items()]


def controls_of(pipeline: str) -> tuple[Control, ...]:
    stages = tomllib.loads((ROOT / "pipelines" / f"{pipeline}.toml").read_text("utf-8"))["stage"]
    (records,) = (stage["controls"] for stage in stages if stage["use"] == "controls")
    return read_controls(records)


def values_in(name: str) -> list[dict[str, Any]]:
    text = (SAMPLES / name).read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()] if name.endswith("l") else [json.loads(text)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    subprocess.run([sys.executable, str(SAMPLES / "make_samples.py"), str(folder)], check=True)
    return folder


def test_the_word_sample_is_what_its_script_makes(made: Path) -> None:
    name = "labour-contract.docx"
    with zipfile.ZipFile(made / name) as fresh, zipfile.ZipFile(SAMPLES / name) as kept:
        assert {part: fresh.read(part) for part in fresh.namelist()} == {
            part: kept.read(part) for part in kept.namelist()
        }


def test_the_pdf_sample_is_what_its_script_makes(made: Path) -> None:
    name = "employment-agreement-letter.pdf"
    assert (made / name).read_bytes() == (SAMPLES / name).read_bytes()


@pytest.mark.parametrize(("pipeline", "values"), PAIRS)
def test_the_values_fill_the_controls_of_their_pipeline_without_fault(pipeline: str, values: str) -> None:
    controls = controls_of(pipeline)
    assert [check_values(controls, row) for row in values_in(values)] == [()] * len(values_in(values))


def test_a_batch_changes_only_what_is_a_column_of_the_sheet() -> None:
    fixed = [control.name for control in controls_of("labour-contract") if not control.batch]
    rows = values_in("labour-contract.rows.jsonl")
    assert len({row["合同编号"] for row in rows}) == len(rows) == 6
    assert all(row.get(name) == rows[0].get(name) for row in rows for name in fixed)


@pytest.mark.parametrize(
    "words",
    [
        "单位名称", "单位住所", "法定代表人",  # item 1 of art. 17
        "劳动者姓名", "现居住地址", "有效证件号码",  # item 2
        "本合同期限", "工作内容", "工作地点", "工作时间", "休息休假", "劳动报酬", "社会保险",  # items 3 to 7
        "劳动保护", "劳动条件", "职业危害防护", "法律法规规定",  # items 8 and 9
    ],
)  # fmt: skip
def test_the_contract_has_what_article_17_demands(words: str) -> None:
    with zipfile.ZipFile(SAMPLES / "labour-contract.docx") as document:
        text = re.sub("<[^>]+>", "", document.read("word/document.xml").decode())
    assert words in text


@pytest.mark.parametrize("values", [values for _, values in PAIRS])
def test_numbers_of_people_and_organisations_belong_to_nobody(values: str) -> None:
    for row in values_in(values):
        text = json.dumps(row)
        assert all(number.startswith("990000") for number in re.findall(r"\b\d{17}[\dX]\b", text))
        assert not re.search(r"\b1[3-9]\d{9}\b", text.replace(" ", ""))  # ranges that operators use


def test_every_sample_has_its_provenance() -> None:
    readme = (SAMPLES / "README.md").read_text("utf-8")
    kinds = {".docx", ".pdf", ".json", ".jsonl", ".xlsx", ".jpg", ".png"}
    files = [path.name for path in SAMPLES.iterdir() if path.suffix in kinds]
    assert len(files) >= 6
    assert [name for name in files if f"`{name}`" not in readme] == []


def test_scans_are_made_from_any_pdf(tmp_path: Path) -> None:
    source = SAMPLES / "employment-agreement-letter.pdf"
    subprocess.run([sys.executable, str(SAMPLES / "scan_pages.py"), str(source), str(tmp_path)], check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["paper-contract-photo.jpg", "paper-contract-scan.jpg"]
    assert all(path.read_bytes().startswith(b"\xff\xd8\xff") for path in tmp_path.iterdir())


@pytest.mark.parametrize("file", sorted((ROOT / "pipelines").glob("*.toml")), ids=lambda file: file.stem)
def test_every_built_in_pipeline_can_be_built(file: Path) -> None:
    registry = load_registry(Settings(plugins=("builtin-stages",)), declared())
    services = dict.fromkeys(SERVICES, object())
    catalogue = Catalogue(registry.stages(), services, frozenset(hooks.PROTOCOLS.values()), registry.provider)
    definition = with_resources(load_definition(file), catalogue)
    found = {name: file.parent / name for name in definition.resources}
    assert len(resolve(definition, catalogue, found)) >= 3
    assert file.stem == definition.name
