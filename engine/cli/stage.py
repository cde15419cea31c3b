"""``sealflow stage``: any stage alone on a file, without a database; nothing is remembered."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import click

from engine import assembly
from engine.cli import console
from engine.errors import Misuse
from engine.language import Text
from engine.pipeline.runner import initial_facts
from engine.settings import load_settings


@click.command(
    help=str(
        Text(
            zh="单独运行一个阶段（无需数据库）。选项写作 --set 名称=值，值按 TOML 书写。",
            en="Run one stage alone (no database). Options are --set name=value, the value as in TOML.",
        )
    )
)
@click.argument("name")
@console.files_argument
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="OPTION=VALUE")
@console.values_option
@click.option(
    "--facts",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=str(Text(zh="前一阶段留下的事实（JSON）。", en="JSON facts that an earlier stage left.")),
)
@console.json_option
def stage(
    name: str,
    files: tuple[Path, ...],
    out: Path,
    settings: tuple[str, ...],
    values: Path | None,
    facts: Path | None,
    as_json: bool,
) -> int:
    known = {**console.read_json(facts), **initial_facts(console.read_json(values))}
    return asyncio.run(_stage(name, files, out, parse_options(settings), known, as_json))


async def _stage(
    name: str, files: tuple[Path, ...], out: Path, options: dict[str, Any], facts: dict[str, Any], as_json: bool
) -> int:
    settings = load_settings()
    # In production no door may lead past a suspension; elsewhere a stage alone needs no database.
    standing = assembly.RecordedStanding(settings) if settings.environment == "production" else None
    async with assembly.open_tools(settings, standing) as tools:
        written, added = await tools.run_stage(name, options, files, facts, out)
    if as_json:
        console.print_json({"files": [str(file) for file in written], "facts": dict(added)})
    else:
        for file in written:
            console.output.print(str(file), markup=False, soft_wrap=True)
    return 0


def parse_options(settings: tuple[str, ...]) -> dict[str, Any]:
    """``name=value`` pairs; a value that is no TOML value is taken as a string. Raises Misuse ``usage.option``."""
    options: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise Misuse(
                "usage.option",
                zh=f"--set {setting} 应写作 名称=值。",
                en=f"--set {setting} must be name=value.",
                option=setting,
            )
        try:
            options[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            options[name] = value
    return options
