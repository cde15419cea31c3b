"""``sealflow authorities``: asks every timestamp authority for a real token; it costs one token of each."""

from __future__ import annotations

import asyncio
from typing import cast

import click
import msgspec

from engine import assembly
from engine.cli import console
from engine.language import Text
from engine.settings import load_settings
from engine.trust.timestamps import Health, TimestampClient


@click.command(
    help=str(
        Text(
            zh="向每个时间戳服务索取一枚真实时间戳，检查其是否可用、时钟偏差与证书期限。",
            en="Ask every timestamp authority for a real token: is it there, is its clock right, when its key ends.",
        )
    )
)
@console.json_option
def authorities(as_json: bool) -> int:
    found = asyncio.run(_ask())
    if as_json:
        console.print_json(msgspec.to_builtins(found))
    else:
        _tell(found)
    return 0 if any(one.problem is None for one in found) else 69


async def _ask() -> tuple[Health, ...]:
    async with assembly.open_tools(load_settings()) as tools:
        return await cast("TimestampClient", tools.catalogue.services[TimestampClient]).health()


def _tell(found: tuple[Health, ...]) -> None:
    columns = (
        Text("时间戳服务", "Authority"),
        Text("结果", "Result"),
        Text("耗时", "Took"),
        Text("时钟偏差", "Clock"),
        Text("证书有效至", "Certificate ends"),
    )
    works = str(Text("正常", "works"))
    rows = [
        (
            one.authority,
            one.problem or works,
            f"{one.seconds * 1000:.0f} ms",
            "" if one.ahead is None else f"{one.ahead:+.1f} s",
            "" if one.certificate_ends is None else console.local_time(one.certificate_ends)[:10],
        )
        for one in found
    ]
    console.print_table(columns, rows)
