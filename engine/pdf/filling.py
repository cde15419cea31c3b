"""Draws values into the pages of a PDF as plain content; call it only in a limited child.

The result needs no form viewer: text is real text in embedded fonts, in front of what the page showed before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pikepdf import Pdf

from engine.errors import Rejected
from engine.pdf import declaration, intake, page_layer, pictures, values
from engine.pdf.control import PlacedControl
from engine.pdf.fonts import FontBook
from engine.pdf.page_layer import Layer
from engine.pdf.text import ASCENT, DESCENT, LEADING, Block
from engine.pdf.values import Fault, Picture


def fill_document(source: Path, target: Path, controls: tuple[PlacedControl, ...], given: dict[str, Any]) -> None:
    """Write ``source`` with the values ``given`` by control name to ``target``.

    Raises one Rejected that names every fault: ``value.missing``, ``value.unknown_control``, ``value.too_long``,
    ``text.no_glyph`` and so on, ``value.several`` when they differ.
    """
    drawings, rasters = _prepare(controls, given)
    with intake.reading(source.name), intake.open_pdf(source) as pdf:
        _draw(pdf, controls, drawings, rasters)
        declaration.save(pdf, target)


def _prepare(
    controls: Sequence[PlacedControl], given: Mapping[str, Any]
) -> tuple[dict[str, values.Drawing], dict[str, pictures.Raster]]:
    drawings, found = values.lay_out([placed.control for placed in controls], given)
    faults, rasters = list(found), {}
    for name, drawing in drawings.items():
        if isinstance(drawing, Picture):
            try:
                rasters[name] = pictures.read_picture(drawing.data, name)
            except Rejected as error:
                faults.append(Fault(error.code, name, error.text.zh, error.text.en))
    if faults:
        raise values.refusal(faults)
    return drawings, rasters


def _draw(
    pdf: Pdf,
    controls: Sequence[PlacedControl],
    drawings: Mapping[str, values.Drawing],
    rasters: Mapping[str, pictures.Raster],
) -> None:
    book = FontBook()
    for drawing in drawings.values():
        if isinstance(drawing, Block):
            for line in drawing.lines:
                book.add(line.glyphs)
    pages = {placed.page: pdf.pages[placed.page - 1].obj for placed in controls}
    prefix = page_layer.free_prefix(pages.values())
    fonts = book.embed(pdf, prefix)
    layers: defaultdict[int, Layer] = defaultdict(lambda: Layer(fonts=fonts))
    for number, placed in enumerate(controls):
        drawing = drawings[placed.control.name]
        if isinstance(drawing, Block):
            layers[placed.page].operators.append(_show_block(placed, drawing, book))
        elif isinstance(drawing, Picture):
            raster, name = rasters[placed.control.name], f"/{prefix}Picture{number}"
            layers[placed.page].images[name] = pictures.write_picture(pdf, raster)
            layers[placed.page].operators.append(_show_picture(placed, raster, name))
    for number, layer in sorted(layers.items()):
        page_layer.add(pdf, pages[number], layer)


def _show_block(placed: PlacedControl, block: Block, book: FontBook) -> str:
    control = placed.control
    align = "center" if control.kind == "checkbox" else control.align
    first = _first_baseline(placed, block)
    parts = []
    for number, line in enumerate(block.lines):
        if not line.glyphs:
            continue
        left, _, right, _ = (edge * block.size / 1000 for edge in line.ink)
        room = control.width - (right - left)
        x = placed.x - left + room * {"left": 0.0, "center": 0.5, "right": 1.0}[align]
        y = first - number * LEADING * block.size
        parts.append(f"1 0 0 1 {x:.3f} {y:.3f} Tm {book.show(line.glyphs, block.size)}")
    return "BT " + "\n".join(parts) + " ET"


def _first_baseline(placed: PlacedControl, block: Block) -> float:
    """Height of the first line: a mark and one line stand in the middle, lines that wrap start at the top.

    One line is centred by its em box, so that neighbours share a baseline whatever letters they hold; it gives way
    only where its ink would leave the box.
    """
    control = placed.control
    highest, lowest = placed.top - block.ascent, placed.y + block.height - block.ascent
    if control.kind == "checkbox":
        return (highest + lowest) / 2
    if control.overflow == "wrap":
        return highest
    middle = placed.y + control.height / 2 - (ASCENT + DESCENT) / 2000 * block.size
    return min(max(middle, lowest), highest)


def _show_picture(placed: PlacedControl, raster: pictures.Raster, name: str) -> str:
    control = placed.control
    scale = min(control.width / raster.width, control.height / raster.height)
    width, height = raster.width * scale, raster.height * scale
    x = placed.x + (control.width - width) / 2
    y = placed.y + (control.height - height) / 2
    return f"q {width:.3f} 0 0 {height:.3f} {x:.3f} {y:.3f} cm {name} Do Q"
