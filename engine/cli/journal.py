"""``sealflow journal``: verify the hash chain of everything that happened."""

from __future__ import annotations

import asyncio
import dataclasses

import click

from engine import assembly
from engine.cli import console
from engine.language import Text
from engine.records import journal as records
from engine.settings import load_settings


@click.group(help=str(Text(zh="审计日志。", en="The journal of everything that happened.")))
def journal() -> None:
    """Group of the journal's commands."""


@journal.command(help=str(Text(zh="核对哈希链是否完整。", en="Check that the hash chain is unbroken.")))
@console.json_option
def verify(as_json: bool) -> int:
    report = asyncio.run(_verify())
    if as_json:
        console.print_json(dataclasses.asdict(report))
    elif report.unbroken:
        words = Text(zh=f"哈希链完整，共 {report.entries} 条。", en=f"The chain is unbroken: {report.entries} entries.")
        console.output.print(str(words))
    else:
        console.errors.print(str(report.problem), style="red")
    return 0 if report.unbroken else 65


async def _verify() -> records.Report:
    async with assembly.open_records(load_settings()) as database, database.transaction() as connection:
        return await records.verify(connection)
