"""Upright A4 pages to draw on, and three independent readers of what was drawn."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pdfplumber
import pikepdf
import pypdfium2
from PIL import Image

from engine.pdf import filling
from engine.pdf.control import Control, PlacedControl

A4 = (595.276, 841.89)


def write_blank(target: Path, pages: int = 1) -> Path:
    with pikepdf.new() as pdf:
        for _ in range(pages):
            pdf.add_blank_page(page_size=A4)
        pdf.save(target, deterministic_id=True)
    return target


def place(control: Control, x: float = 100, y: float = 500, page: int = 1) -> PlacedControl:
    return PlacedControl(control=control, page=page, x=x, y=y)


def fill(folder: Path, values: dict[str, Any], *controls: PlacedControl, source: Path | None = None) -> Path:
    source = source or write_blank(folder / "blank.pdf", max(item.page for item in controls))
    filling.fill_document(source, folder / "filled.pdf", controls, values)
    return folder / "filled.pdf"


def read_with_poppler(pdf: Path) -> str:
    done = subprocess.run(["pdftotext", "-layout", "-enc", "UTF-8", pdf, "-"], capture_output=True, check=True)
    return done.stdout.decode()


def read_with_pdfplumber(pdf: Path) -> str:
    with pdfplumber.open(pdf) as opened:
        return "\n".join(page.extract_text() for page in opened.pages)


def read_with_pdfium(pdf: Path) -> str:
    opened = pypdfium2.PdfDocument(pdf)
    try:
        return "\n".join(opened[number].get_textpage().get_text_range() for number in range(len(opened)))
    finally:
        opened.close()


READERS = (read_with_poppler, read_with_pdfplumber, read_with_pdfium)


def squeeze(text: str) -> str:
    """Without white space: readers disagree on how much of it a gap means."""
    return "".join(text.split())


def ink_box(pdf: Path, page: int = 1, dpi: int = 144) -> tuple[float, float, float, float] | None:
    """Left, bottom, right, top in points of everything that is not white."""
    opened = pypdfium2.PdfDocument(pdf)
    try:
        image: Image.Image = opened[page - 1].render(scale=dpi / 72, grayscale=True).to_pil()
    finally:
        opened.close()
    box = image.point(lambda value: 255 if value < 128 else 0).getbbox()
    if box is None:
        return None
    left, top, right, bottom = (edge * 72 / dpi for edge in box)
    return left, A4[1] - bottom, right, A4[1] - top
