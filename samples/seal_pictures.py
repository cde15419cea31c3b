"""Draws an invented seal and signature as PNG with transparency, 600 dpi in true size (演示用印章与签名图片)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from engine.pdf.seals.design import SealDesign
from engine.pdf.seals.drawing import RED, draw
from engine.pdf.seals.export import to_picture

COMPANY = SealDesign(kind="company", name="示例科技（演示）有限公司", number="9999990000000", size=42)
DPI = 600
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
    """Write ``company.png`` (42 mm across) and ``employee.png`` (42 x 18 mm)."""
    folder.mkdir(exist_ok=True)
    _save(to_picture(draw(COMPANY), DPI).getchannel("A"), RED, folder / "company.png")
    _save(draw_signature((_ZHANG, _SHI, _LI), 42, 18), _INK, folder / "employee.png")


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
