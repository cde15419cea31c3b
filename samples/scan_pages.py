"""Makes pictures of a PDF's pages as a scanner and a phone do: ``python samples/scan_pages.py PDF [FOLDER]``."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pypdfium2
from PIL import Image, ImageChops, ImageFilter

_DPI = 110


def scan_pages(source: Path, folder: Path) -> None:
    """Write the first page as from a scanner, the last as from a phone."""
    document = pypdfium2.PdfDocument(source)
    document.init_forms()  # without it seals, which are form fields, are not drawn
    try:
        first, last = (document[number].render(scale=_DPI / 72).to_pil() for number in (0, len(document) - 1))
    finally:
        document.close()
    scanned(first).save(folder / "paper-contract-scan.jpg", quality=70, dpi=(_DPI, _DPI))
    photographed(last).save(folder / "paper-contract-photo.jpg", quality=70)


def scanned(page: Image.Image) -> Image.Image:
    """Grey, laid on the glass a little askew, with the grain of the sensor."""
    turned = page.convert("L").rotate(0.8, Image.Resampling.BICUBIC, fillcolor=255)
    return ImageChops.multiply(turned.filter(ImageFilter.GaussianBlur(0.5)), _grain(page.size, 12))


def photographed(page: Image.Image) -> Image.Image:
    """On a table, seen at an angle, with a shadow from one side."""
    width, height = page.size
    table = Image.new("RGB", (width + 160, height + 160), (96, 78, 62))
    table.paste(page.convert("RGB"), (80, 80))
    corners = (40, 55, 0, height + 130, width + 160, height + 150, width + 90, 30)
    seen = table.transform(table.size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
    shadow = Image.linear_gradient("L").rotate(90).resize(table.size).point(lambda value: 175 + value * 70 // 255)
    light = ImageChops.multiply(shadow, _grain(table.size, 10))
    return ImageChops.multiply(seen, Image.merge("RGB", (light, light, light)))


def _grain(size: tuple[int, int], strength: int) -> Image.Image:
    source = random.Random(20261123)
    small = (size[0] // 2, size[1] // 2)
    noise = Image.frombytes("L", small, source.randbytes(small[0] * small[1]))
    return noise.point(lambda value: 255 - value * strength // 255).resize(size)


if __name__ == "__main__":
    scan_pages(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent)
