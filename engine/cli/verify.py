"""``sealflow verify``: what a PDF's signatures are worth, for people, programs and as a page to keep."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from engine import assembly
from engine.cli import console
from engine.language import Text
from engine.settings import load_settings
from engine.trust.report import render_html
from engine.trust.validation import Report


@click.command(
    help=str(
        Text(
            zh="验证 PDF 的签名：完整性、信任、级别、时间戳及签名后的变化。",
            en="Verify the signatures of a PDF: integrity, trust, level, timestamps, later changes.",
        )
    )
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--anchors",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=str(Text(zh="受信任根证书所在文件夹。", en="Folder with the trusted root certificates.")),
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help=str(Text(zh="另存一份可阅读的验证报告。", en="Also write a report that a person can read.")),
)
@console.json_option
def verify(file: Path, anchors: Path | None, html: Path | None, as_json: bool) -> int:
    return asyncio.run(_verify(file, anchors, html, as_json))


async def _verify(file: Path, anchors: Path | None, html: Path | None, as_json: bool) -> int:
    async with assembly.open_tools(load_settings()) as tools:
        report = await tools.verify(file, anchors)
    if html is not None:
        html.write_text(render_html(report), "utf-8")
    if as_json:
        console.print_json(report.to_dict())
    else:
        _tell(report)
    return 0 if report.integrity in ("valid", "extended") else 65


def _tell(report: Report) -> None:
    raise NotImplementedError(report)
