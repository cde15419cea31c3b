"""Draws the invented seal and signature of the demo as PNG with transparency, 600 dpi in true size (演示用印章与签名).

A real company seal is registered with the police and is not drawn by software; this one names an invented company.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pikepdf
import pypdfium2
from fontTools.pens.recordingPen import RecordingPen
from PIL import Image, ImageDraw

from engine.pdf.faces import FACES, Glyph

DPI = 600
_MM = 72 / 25.4
_SEAL_RED = (200, 16, 22)
_INK = (22, 28, 62)
_SMOOTHING = 4  # samples per pixel and direction

Stroke = Sequence[tuple[float, float, float]]
"""Points of one pen stroke: x to the right, y down in hundredths of the character, pressure 0 to 1."""

_ZHANG: tuple[Stroke, ...] = (
    ((8, 22, 0.7), (30, 17, 0.8), (37, 17, 0.9), (36, 30, 0.7), (32, 37, 0.6)),
    ((12, 41, 0.6), (24, 37, 0.7), (33, 36, 0.6), (20, 42, 0.3), (13, 57, 0.8), (16, 60, 0.7), (34, 54, 0.9),
     (38, 60, 0.9), (33, 80, 0.8), (26, 92, 0.7), (20, 87, 0.2)),
    ((82, 12, 0.8), (72, 27, 0.7), (58, 38, 0.3)),
    ((46, 51, 0.6), (70, 45, 0.8), (96, 41, 0.5)),
    ((62, 16, 0.7), (60, 45, 0.9), (57, 86, 0.9), (60, 88, 0.6), (76, 74, 0.15)),
    ((66, 50, 0.6), (78, 68, 0.8), (98, 86, 1.0), (108, 86, 0.3)),
)  # fmt: skip
_SHI: tuple[Stroke, ...] = (
    ((30, 20, 0.7), (50, 17, 0.8), (70, 14, 0.7), (60, 20, 0.2), (30, 36, 0.25)),
    ((10, 44, 0.7), (40, 39, 0.9), (92, 35, 0.7), (80, 40, 0.15), (54, 42, 0.2)),
    ((52, 42, 0.8), (53, 64, 0.9), (51, 88, 0.9), (46, 93, 0.7), (36, 85, 0.2)),
    ((33, 56, 0.7), (26, 68, 0.8), (14, 80, 0.3)),
    ((68, 54, 0.6), (78, 64, 0.9), (88, 78, 0.7), (84, 80, 0.3)),
)
_LI: tuple[Stroke, ...] = (
    ((26, 14, 0.8), (18, 34, 0.8), (4, 52, 0.3)),
    ((18, 36, 0.7), (19, 60, 0.9), (17, 90, 0.7)),
    ((32, 26, 0.6), (48, 22, 0.8), (64, 20, 0.5), (52, 23, 0.2), (46, 36, 0.7), (30, 58, 0.3)),
    ((44, 38, 0.6), (58, 35, 0.8), (62, 37, 0.8), (54, 60, 0.8), (44, 76, 0.6), (28, 90, 0.2)),
    ((40, 50, 0.5), (46, 57, 0.8), (50, 60, 0.5)),
    ((74, 28, 0.7), (75, 44, 0.8), (74, 62, 0.6)),
    ((94, 12, 0.8), (95, 50, 0.9), (94, 84, 0.9), (90, 94, 0.8), (78, 86, 0.15)),
)


def write_seals(folder: Path) -> None:
    """Write ``company.png``, ``company-en.png``, ``archive.png`` (42 mm across) and ``employee.png`` (42 x 18 mm)."""
    folder.mkdir(exist_ok=True)
    seal = draw_round_seal("示例科技（演示）有限公司", "9999990000000", 42)
    _save(seal, _SEAL_RED, folder / "company.png")
    english = draw_round_seal("SAMPLE TECHNOLOGY (DEMO) LTD.", "9999990000001", 42)
    _save(english, _SEAL_RED, folder / "company-en.png")
    archive = draw_round_seal("示例平台电子归档专用章", "9999990000002", 42)
    _save(archive, _SEAL_RED, folder / "archive.png")
    _save(draw_signature((_ZHANG, _SHI, _LI), 42, 18), _INK, folder / "employee.png")


def draw_round_seal(name: str, number: str, diameter: float) -> Image.Image:
    """Coverage (grey, white is ink) of a round seal ``diameter`` mm across: ring, star, name above, number below.

    Name and number have two characters at least.
    """
    radius = diameter / 2
    ring = 1.15
    latin = name.isascii()
    parts = [f"{ring} w 0 0 0 RG 0 0 0 rg 1 j", _circle(radius - ring / 2 - 0.1), _star(6.6)]
    height = 3.9 if latin else min(6.4, 72 / len(name))
    edge = radius - ring - 1.25
    parts += _arc(
        name, edge - height, height, 0.8 if latin else 0.68, math.radians(250 if latin else 256), upright=True
    )
    parts += _arc(number, edge, 1.75, 1.0, math.radians(64), upright=False)
    return _render(parts, diameter)


def _arc(text: str, baseline: float, height: float, narrow: float, sweep: float, *, upright: bool) -> Iterable[str]:
    """Glyphs along a circle: above the centre with feet inwards, or below it with heads inwards."""
    face = FACES["NotoSerifSC"]
    cap = 0.733 if text.isascii() else 0.92
    scale = height / 1000 / cap
    sink = 0 if text.isascii() else 80  # Chinese glyphs reach below the baseline
    glyphs = [glyph for glyph in map(face.glyph, text) if glyph]
    widths = [glyph.advance * (0.58 if glyph.text in "（）" else 1.0) for glyph in glyphs]
    total = sum(widths) - (widths[0] + widths[-1]) / 2
    pen = 0.0
    for index, glyph in enumerate(glyphs):
        pen += (widths[index - 1] + widths[index]) / 2 if index else 0
        turn = sweep * (pen / total - 0.5)
        angle = -turn if upright else turn
        radius = baseline if upright else -baseline
        x, y = -radius * math.sin(angle) if upright else -radius * math.sin(turn), radius * math.cos(turn)
        cos, sin = math.cos(angle), math.sin(angle)
        yield f"q {cos:.5f} {sin:.5f} {-sin:.5f} {cos:.5f} {x:.4f} {y:.4f} cm"
        yield f"{scale * narrow:.6f} 0 0 {scale:.6f} 0 {sink * scale:.4f} cm 1 0 0 1 {-glyph.advance / 2} 0 cm"
        # A stroke around the outline gives the weight that carved characters have.
        yield f"{34 if len(text) < 20 else 22} w {_outline(glyph)} B Q"


def _outline(glyph: Glyph) -> str:
    pen = RecordingPen()
    FACES[glyph.face].font.draw_glyph_with_pen(glyph.number, pen)
    operators = {"moveTo": "m", "lineTo": "l", "curveTo": "c", "closePath": "h"}
    return "\n".join(" ".join(f"{x:g} {y:g}" for x, y in points) + f" {operators[name]}" for name, points in pen.value)


def _circle(radius: float) -> str:
    pull = radius * 0.5522847
    r = radius
    return (
        f"{r} 0 m {r} {pull} {pull} {r} 0 {r} c {-pull} {r} {-r} {pull} {-r} 0 c "
        f"{-r} {-pull} {-pull} {-r} 0 {-r} c {pull} {-r} {r} {-pull} {r} 0 c s"
    )


def _star(radius: float) -> str:
    corners = [(radius * math.sin(k * 0.8 * math.pi), radius * math.cos(k * 0.8 * math.pi)) for k in range(5)]
    return " ".join(f"{x:.4f} {y:.4f} {'l' if k else 'm'}" for k, (x, y) in enumerate(corners)) + " h f"


def _render(parts: Iterable[str], diameter: float) -> Image.Image:
    """Draw millimetres around the centre of a square; give coverage."""
    side = diameter * _MM
    content = f"{_MM:.6f} 0 0 {_MM:.6f} {side / 2:.4f} {side / 2:.4f} cm\n" + "\n".join(parts)
    buffer = io.BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(side, side))
        pdf.pages[0].Contents = pdf.make_stream(content.encode("ascii"))
        pdf.save(buffer)
    document = pypdfium2.PdfDocument(buffer.getvalue())
    size = round(diameter / 25.4 * DPI)
    image: Image.Image = document[0].render(scale=DPI / 72 * _SMOOTHING, grayscale=True).to_pil()
    document.close()
    return image.resize((size, size), Image.Resampling.LANCZOS).point(lambda value: 255 - value)


def draw_signature(characters: Sequence[Sequence[Stroke]], width: float, height: float) -> Image.Image:
    """Coverage of handwriting in a box of ``width`` x ``height`` mm: strokes swell with pressure and lean a little."""
    size = (round(width / 25.4 * DPI), round(height / 25.4 * DPI))
    image = Image.new("L", (size[0] * _SMOOTHING, size[1] * _SMOOTHING), 0)
    canvas = ImageDraw.Draw(image)
    em = image.height * 0.0080
    for place, strokes in enumerate(characters):
        left = image.width * (0.06 + 0.28 * place)
        top = image.height * (0.10 - 0.035 * place)
        for stroke in strokes:
            for x, y, pressure in _smooth(stroke):
                px, py = left + (x + (50 - y) * 0.12) * em, top + y * em
                r = em * (0.3 + 2.1 * pressure**1.6)
                canvas.ellipse((px - r, py - r * 0.86, px + r, py + r * 0.86), fill=255)
    return image.resize(size, Image.Resampling.LANCZOS)


def _smooth(stroke: Stroke) -> Iterable[tuple[float, float, float]]:
    """Points along a curve through the stroke's points (Catmull-Rom)."""
    points = [stroke[0], *stroke, stroke[-1]]
    for a, b, c, d in zip(points, points[1:], points[2:], points[3:], strict=False):
        steps = 160
        for step in range(steps):
            t = step / steps
            yield tuple(  # type: ignore[misc]  # three numbers in, three out
                0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t**2 + (3 * q - p - 3 * r + s) * t**3)
                for p, q, r, s in zip(a, b, c, d, strict=True)
            )


def _save(coverage: Image.Image, colour: tuple[int, int, int], target: Path) -> None:
    """One colour, 256 degrees of transparency: a palette picture is a quarter of the size."""
    degrees = coverage.point(lambda value: round(value * 0.92))
    picture = Image.frombytes("P", degrees.size, degrees.tobytes())
    picture.putpalette(bytes(colour) * 256)
    picture.save(target, transparency=bytes(range(256)), dpi=(DPI, DPI), optimize=True)


if __name__ == "__main__":
    write_seals(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "seals")
