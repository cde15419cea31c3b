"""``sealflow orphans``: find and remove stored contents that no record names."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import click

from engine import assembly
from engine.cli import console
from engine.language import Text
from engine.records.orphans import Collection, collect_orphans
from engine.settings import Settings, load_settings
from engine.vendors.protocols import Storage
from engine.vendors.registry import load_registry


@click.command(
    help=str(
        Text(
            zh="找出并清除没有任何记录引用的存储内容（例如进程被杀时留下的中间文件）。",
            en="Find and remove stored contents no record names, such as those a killed process left.",
        )
    )
)
@click.option(
    "--hours",
    default=24.0,
    show_default=True,
    type=click.FloatRange(min=1.0),
    help=str(Text(zh="只看早于这么多小时的内容。", en="Look only at contents older than this.")),
)
@click.option("--rehearse", is_flag=True, help=str(Text(zh="只统计，不清除。", en="Count only, remove nothing.")))
@console.json_option
def orphans(hours: float, rehearse: bool, as_json: bool) -> int:
    found = asyncio.run(_collect(load_settings(), timedelta(hours=hours), rehearse=rehearse))
    if as_json:
        console.print_json({"examined": found.examined, "orphans": found.orphans, "removed": not rehearse})
        return 0
    verb = Text(zh="可清除", en="to remove") if rehearse else Text(zh="已清除", en="removed")
    words = Text(
        zh=f"检查了 {found.examined} 项内容，{verb.zh} {found.orphans} 项。",
        en=f"{found.examined} contents examined, {found.orphans} {verb.en}.",
    )
    console.output.print(str(words))
    return 0


async def _collect(settings: Settings, age: timedelta, *, rehearse: bool) -> Collection:
    registry = load_registry(settings)
    try:
        storage = registry.provider(Storage, settings.storage)
        async with assembly.open_records(settings) as database:
            return await collect_orphans(database, storage, age, rehearse=rehearse)
    finally:
        await registry.close()
