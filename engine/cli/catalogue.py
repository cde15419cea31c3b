"""``sealflow pipelines`` and ``sealflow stages``: what can run, and with which options."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import click

from engine import assembly
from engine.cli import console
from engine.errors import SealflowError
from engine.language import Text
from engine.pipeline.definition import load_definition
from engine.pipeline.resolution import Catalogue, option_names, resolve, with_resources
from engine.settings import load_settings
from engine.vendors.registry import load_registry


@click.command(help=str(Text(zh="列出并检查流程文件。", en="List and check the pipeline files.")))
@console.json_option
def pipelines(as_json: bool) -> int:
    rows = _describe_pipelines()
    if as_json:
        console.print_json(rows)
    else:
        columns = (Text("流程", "Pipeline"), Text("版本", "Version"), Text("阶段", "Stages"), Text("检查", "Check"))
        ok = str(Text("正常", "ok"))
        console.print_table(
            columns, [(r["name"], str(r["version"]), " → ".join(r["stages"]), r["problem"] or ok) for r in rows]
        )
    return 64 if any(row["problem"] for row in rows) else 0


@click.command(help=str(Text(zh="列出阶段及其选项。", en="List the stages and their options.")))
@console.json_option
def stages(as_json: bool) -> int:
    rows = _describe_stages()
    if as_json:
        console.print_json(rows)
    else:
        columns = (Text("阶段", "Stage"), Text("对文件", "Effect"), Text("选项", "Options"), Text("作用", "Purpose"))
        console.print_table(columns, [(r["name"], r["effect"], ", ".join(r["options"]), r["purpose"]) for r in rows])
    return 0


def _catalogue() -> Catalogue:
    """Enough to check pipeline files: no service is opened."""
    return assembly.make_catalogue(load_registry(load_settings()), dict.fromkeys(assembly.SERVICES))


def _describe_pipelines() -> list[dict[str, Any]]:
    catalogue = _catalogue()
    folders = (*load_settings().pipelines, *assembly.BUILTIN_PIPELINES)
    return [_describe(file, catalogue) for folder in folders for file in sorted(folder.glob("*.toml"))]


def _describe(file: Path, catalogue: Catalogue) -> dict[str, Any]:
    row: dict[str, Any] = {"name": file.stem, "version": "", "stages": [], "file": str(file), "problem": ""}
    try:
        definition = load_definition(file)
        row |= {"version": definition.version, "stages": [step.use for step in definition.steps]}
        complete = with_resources(definition, catalogue)
        resolve(complete, catalogue, {name: file.parent / name for name in complete.resources})
    except SealflowError as error:
        row["problem"] = str(error)
    return row


def _describe_stages() -> list[dict[str, Any]]:
    catalogue = _catalogue()
    return [
        {
            "name": name,
            "effect": str(kind.effect),
            "options": option_names(kind, catalogue),
            "purpose": str(getattr(kind, "purpose", None) or (inspect.getdoc(kind) or "").partition("\n")[0]),
        }
        for name, kind in sorted(catalogue.stages.items())
    ]
