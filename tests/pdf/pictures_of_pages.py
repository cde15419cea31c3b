"""Pictures of PDF pages through PDFium, which shares no code with what wrote them."""

from __future__ import annotations

from pathlib import Path

import pypdfium2
from PIL import Image


def picture(path: Path, page: int = 0, scale: float = 1.0) -> Image.Image:
    document = pypdfium2.PdfDocument(path)
    try:
        return document[page].render(scale=scale).to_pil().convert("RGB")
    finally:
        document.close()


def size(path: Path, page: int = 0) -> tuple[float, float]:
    document = pypdfium2.PdfDocument(path)
    try:
        return document[page].get_size()
    finally:
        document.close()


def text(path: Path, page: int = 0) -> str:
    document = pypdfium2.PdfDocument(path)
    try:
        return document[page].get_textpage().get_text_bounded()
    finally:
        document.close()


def colour_at(image: Image.Image, x: float, y: float) -> tuple[int, int, int]:
    """Colour at a point of the page in points (origin lower left) of a picture at scale 1."""
    red, green, blue = image.getpixel((min(round(x), image.width - 1), min(round(image.height - y), image.height - 1)))
    return red, green, blue


def is_blank(image: Image.Image) -> bool:
    return image.getextrema() == ((255, 255),) * 3
