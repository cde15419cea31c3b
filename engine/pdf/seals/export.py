"""Writes a drawn seal as PDF operators, PDF, SVG and PNG; text in it is outlines, so nothing is extracted twice."""

from __future__ import annotations

import io
from pathlib import Path

import pikepdf
import pypdfium2
from pikepdf import Name
from PIL import Image

from engine.errors import Misuse
from engine.pdf.seals.drawing import RED, Drawing
from engine.pdf.seals.shapes import Command

POINTS = 72 / 25.4
"""Points of one millimetre."""
_SMOOTHING = 4
"""Samples of a PNG per pixel and direction."""
_SVG = {"m": "M", "l": "L", "c": "C", "h": "Z"}


def operators(drawing: Drawing, colour: tuple[int, int, int] = RED) -> bytes:
    """Content that draws the seal in a box of one by one, as an image is drawn."""
    red, green, blue = (round(part / 255, 4) for part in colour)
    parts = [f"{1 / drawing.width:.8f} 0 0 {1 / drawing.height:.8f} 0 0 cm"]
    parts.append(f"{red} {green} {blue} rg {red} {green} {blue} RG 1 j")
    for shape in drawing.shapes:
        lines = " ".join(_write(command, "{0}", last=True) for command in shape.outline)
        parts.append(f"{shape.stroke:.3f} w {lines} B" if shape.stroke else f"{lines} f")
    return "\n".join(parts).encode("ascii")


def to_svg(drawing: Drawing) -> str:
    """The seal as an SVG picture of true size."""
    colour = "#{:02x}{:02x}{:02x}".format(*RED)
    paths = []
    for shape in drawing.shapes:
        line = "".join(_write(command, _SVG[command[0]], last=False) for command in shape.outline)
        pen = f' stroke="{colour}" stroke-width="{shape.stroke:.3f}" stroke-linejoin="round"' if shape.stroke else ""
        paths.append(f'<path d="{line}"{pen}/>')
    width, height = drawing.width, drawing.height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm" '
        f'viewBox="0 0 {width:g} {height:g}"><g fill="{colour}" transform="matrix(1 0 0 -1 0 {height:g})">'
        + "".join(paths)
        + "</g></svg>\n"
    )


def to_pdf(drawing: Drawing, colour: tuple[int, int, int] = RED) -> bytes:
    """One page of the seal's size."""
    width, height = drawing.width * POINTS, drawing.height * POINTS
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(width, height))
        scaled = b"%.6f 0 0 %.6f 0 0 cm\n" % (width, height)
        pdf.pages[0].obj[Name.Contents] = pdf.make_stream(scaled + operators(drawing, colour))
        buffer = io.BytesIO()
        pdf.save(buffer, deterministic_id=True)
    return buffer.getvalue()


def to_picture(drawing: Drawing, dpi: int = 600) -> Image.Image:
    """The seal in its red, transparent where there is no ink."""
    document = pypdfium2.PdfDocument(to_pdf(drawing, (0, 0, 0)))
    try:
        drawn = document[0].render(scale=dpi / 72 * _SMOOTHING, grayscale=True).to_pil()
    finally:
        document.close()
    size = (round(drawing.width / 25.4 * dpi), round(drawing.height / 25.4 * dpi))
    ink = drawn.resize(size, Image.Resampling.BOX).point(lambda value: 255 - value)
    picture = Image.new("RGBA", size, (*RED, 0))
    picture.putalpha(ink)
    return picture


def write(drawing: Drawing, target: Path) -> None:
    """Write the seal in the format of the file's name; raises Misuse ``seal.format``."""
    ending = target.suffix.lower()
    if ending == ".svg":
        target.write_text(to_svg(drawing), "utf-8")
    elif ending == ".pdf":
        target.write_bytes(to_pdf(drawing))
    elif ending == ".png":
        to_picture(drawing).save(target, dpi=(600, 600), optimize=True)
    else:
        raise Misuse(
            "seal.format",
            zh=f"无法写入 {target.name}：文件名应以 .svg、.pdf 或 .png 结尾。",
            en=f"{target.name} cannot be written: its name must end with .svg, .pdf or .png.",
            file=target.name,
        )


def _write(command: Command, operator: str, *, last: bool) -> str:
    name, values = command
    numbers = " ".join(f"{value:.3f}" for value in values)
    return f"{numbers} {name}".strip() if last else f"{operator}{numbers}"
