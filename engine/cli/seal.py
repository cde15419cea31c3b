"""``sealflow seal``: draw a seal from its words, or take one out of a photograph."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, get_args

import click
import msgspec

from engine.cli import console
from engine.errors import Misuse
from engine.language import Text
from engine.pdf.seals import drawing, export, photos
from engine.pdf.seals.design import SealDesign, SealKind
from engine.pipeline.delivery import unwritable
from engine.sandbox import Sandbox


@click.group(help=str(Text(zh="印章：绘制，或从照片中提取。", en="Seals: draw one, or take it out of a photograph.")))
def seal() -> None:
    """Group of the commands below."""


_out = click.option("-o", "--out", required=True, type=click.Path(path_type=Path, dir_okay=False))


@seal.command(
    help=str(
        Text(
            zh="绘制印章（矢量，真实尺寸），写成 SVG、PDF 或 600 dpi 的 PNG。",
            en="Draw a seal, as outlines in true size: SVG, PDF, or PNG at 600 dpi.",
        )
    )
)
@click.option("--kind", required=True, type=click.Choice(get_args(SealKind)))
@click.option("--name", required=True, help=str(Text(zh="单位名称或姓名。", en="Name of the company or person.")))
@click.option("--text", help=str(Text(zh="星下文字。", en="Words below the star.")))
@click.option("--number", default="", help=str(Text(zh="印章编码或税号。", en="Number of the seal, or tax number.")))
@click.option("--size", type=float, help=str(Text(zh="宽度（毫米）。", en="Width in mm.")))
@click.option("--style", type=click.Choice(["red", "white"]), default="red", help="朱文 / 白文")
@_out
def draw(kind: str, name: str, text: str | None, number: str, size: float | None, style: str, out: Path) -> int:
    options: dict[str, Any] = {"kind": kind, "name": name, "text": text, "number": number, "size": size, "style": style}
    try:
        design = msgspec.convert(options, SealDesign)
    except msgspec.ValidationError as error:
        raise Misuse(
            "seal.option",
            zh=f"印章的设置有误：{error}。请改正。",
            en=f"The seal is not set up right: {error}. Correct it.",
        ) from error
    drawn = drawing.draw(design)
    try:
        export.write(drawn, out)
    except OSError as error:
        raise unwritable(out, error) from error
    console.output.print(f"{out}: {drawn.width:g} × {drawn.height:g} mm", markup=False, soft_wrap=True)
    return 0


@seal.command(
    help=str(
        Text(
            zh="从照片或扫描件中提取红色印章：去除底色，裁剪，定为真实尺寸。",
            en="Take a red seal out of a photograph or scan: paper removed, cropped, in true size.",
        )
    )
)
@click.argument("photo", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--size",
    type=click.FloatRange(10, 60),
    default=40.0,
    show_default=True,
    help=str(Text(zh="长边（毫米）。", en="Longer side in mm.")),
)
@_out
@console.json_option
def clean(photo: Path, size: float, out: Path, as_json: bool) -> int:
    cleaned = asyncio.run(_clean(photo, size, out))
    if as_json:
        console.print_json({"file": str(out), **msgspec.to_builtins(cleaned), "coarse": cleaned.coarse})
        return 0
    console.output.print(
        f"{out}: {cleaned.width:g} × {cleaned.height:g} mm, {cleaned.dpi} dpi", markup=False, soft_wrap=True
    )
    if cleaned.coarse:
        told = Text(
            zh=f"注意：按真实尺寸只有 {cleaned.dpi} dpi，打印会有锯齿；请用至少 {photos.ENOUGH} dpi 重新扫描。",
            en=f"Note: {cleaned.dpi} dpi in true size show as steps in print; scan it again with {photos.ENOUGH} dpi.",
        )
        console.errors.print(str(told), markup=False)
    return 0


async def _clean(photo: Path, size: float, out: Path) -> photos.Cleaned:
    sandbox = Sandbox(("engine.pdf.seals.photos",))
    try:
        return await sandbox.call(photos.clean_photo, photo, out.absolute(), size)
    finally:
        await sandbox.close()
