"""Shows where the pages of two versions of a PDF look different; runs in a limited child, as it draws foreign bytes.

Compared is what a reader sees at 96 dots per inch, filled fields and seals included, of the first 200 pages. A change
nobody can see, such as a script, is not in the pictures; the verdict names it.
"""

from __future__ import annotations

import ctypes
import difflib
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pikepdf
import pypdfium2
from PIL import Image, ImageChops, ImageDraw
from pypdfium2 import raw

from engine.errors import Rejected

_DOTS = 96
_MOST_PAGES = 200
_LARGEST_SIDE = 2400
_CELL = 8
"""Pixels; differences closer than this are one."""
_THRESHOLD = 24
_MOST_BOXES = 40
_RED, _GREEN = (200, 16, 16), (23, 120, 60)

Box = tuple[int, int, int, int]


class PageDifference(msgspec.Struct, frozen=True):
    """A page that looks different: its numbers in both versions, and whether only later signatures appeared on it."""

    before: int
    after: int
    boxes: tuple[Box, ...]
    """Pixels in the picture of the newer page, from its upper left: left, top, right, bottom."""
    signatures_only: bool
    picture: str | None
    """Name of a PNG: the page as it was at the left, as it is at the right, boxes around what differs."""


class PagesCompared(msgspec.Struct, frozen=True):
    """What happened to the pages between two versions; page numbers count from 1."""

    before: int
    after: int
    added: tuple[int, ...]
    removed: tuple[int, ...]
    differing: tuple[PageDifference, ...]
    complete: bool
    """All pages were compared."""


def compare_pages(file: Path, end: int, folder: Path, name: str, most: int) -> PagesCompared:
    """Compare the first ``end`` bytes of a file, as a version of its own, with the whole.

    Up to ``most`` pictures go to ``folder`` as ``<name>-page-<number>.png``. Raises Rejected
    ``document.cannot_be_drawn``.
    """
    content = file.read_bytes()
    try:
        return _compare(content[:end], content, folder, name, most)
    except pypdfium2.PdfiumError as error:
        raise Rejected(
            "document.cannot_be_drawn",
            zh=f"文件 {file.name} 的页面画不出来（{error}），无法比较各页。请以验证结论为准。",
            en=f"The pages of {file.name} cannot be drawn ({error}) and are not compared. Rely on the verdict.",
        ) from error


def _compare(prefix: bytes, content: bytes, folder: Path, name: str, most: int) -> PagesCompared:
    with _Version(prefix) as old, _Version(content) as new:
        later = new.signed_fields - old.signed_fields
        pairs, added, removed = _align(old.prints, new.prints)
        differing = []
        left = most
        for before, after in pairs:
            one, other = old.draw(before), new.draw(after)
            mask = _differences(one, other)
            if mask.getbbox() is None:
                continue
            seals = new.places(after, later)
            rest = mask.copy()
            for box in seals:
                ImageDraw.Draw(rest).rectangle(box, fill=0)
            signatures_only = rest.getbbox() is None
            boxes = tuple(_boxes(mask if signatures_only else rest))
            picture = None
            if left > 0:
                left -= 1
                picture = f"{name}-page-{after + 1}.png"
                _beside(one, other, boxes, _GREEN if signatures_only else _RED).save(folder / picture, optimize=True)
            differing.append(PageDifference(before + 1, after + 1, boxes, signatures_only, picture))
        return PagesCompared(
            before=len(old),
            after=len(new),
            added=tuple(number + 1 for number in added),
            removed=tuple(number + 1 for number in removed),
            differing=tuple(differing),
            complete=max(len(old), len(new)) <= _MOST_PAGES,
        )


class _Version:
    """One version of a document, drawn page by page."""

    def __init__(self, content: bytes) -> None:
        self._document = pypdfium2.PdfDocument(content)
        self._document.init_forms()  # without it filled fields and seals are not drawn
        self.prints = [hashlib.sha256(self.draw(number).tobytes()).digest() for number in self._numbers()]
        self.signed_fields, self._widgets = _signatures(content)

    def __enter__(self) -> _Version:
        return self

    def __exit__(self, *_: object) -> None:
        self._document.close()

    def __len__(self) -> int:
        return len(self._document)

    def _numbers(self) -> range:
        return range(min(len(self._document), _MOST_PAGES))

    def draw(self, number: int) -> Image.Image:
        page = self._document[number]
        try:
            scale = min(_DOTS / 72, _LARGEST_SIDE / max(*page.get_size(), 1))
            drawn: Image.Image = page.render(scale=scale).to_pil().convert("RGB")
            return drawn
        finally:
            page.close()

    def places(self, number: int, fields: set[str]) -> list[Box]:
        """Where the widgets of fields stand in the drawn page."""
        width, height = self.draw(number).size
        page = self._document[number]
        try:
            found = [rectangle for name, rectangle in self._widgets.get(number, ()) if name in fields]
            return [_to_pixels(page, rectangle, width, height) for rectangle in found]
        finally:
            page.close()


def _to_pixels(page: Any, rectangle: Sequence[float], width: int, height: int) -> Box:
    across, down = [], []
    for x, y in (rectangle[:2], rectangle[2:]):
        column, row = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page.raw, 0, 0, width, height, 0, x, y, ctypes.byref(column), ctypes.byref(row))
        across.append(column.value)
        down.append(row.value)
    margin = 2  # what smoothing paints beside an edge
    return min(across) - margin, min(down) - margin, max(across) + margin, max(down) + margin


def _signatures(content: bytes) -> tuple[set[str], dict[int, list[tuple[str, list[float]]]]]:
    """Names of signed fields, and by page where their widgets stand in points."""
    signed: set[str] = set()
    widgets: dict[int, list[tuple[str, list[float]]]] = {}
    try:
        with pikepdf.open(io.BytesIO(content)) as document:
            for number, page in enumerate(document.pages):
                if number >= _MOST_PAGES:
                    break
                for note in page.obj.get("/Annots", []):
                    name = _signed_name(note)
                    if name is not None:
                        signed.add(name)
                        widgets.setdefault(number, []).append((name, [float(value) for value in note.Rect]))
    except (pikepdf.PdfError, ValueError, TypeError, AttributeError, KeyError):
        return signed, widgets  # then no difference counts as a signature's
    return signed, widgets


def _signed_name(note: Any) -> str | None:
    parts: list[str] = []
    kind = value = None
    for _ in range(32):
        kind = kind if kind is not None else note.get("/FT")
        value = value if value is not None else note.get("/V")
        if "/T" in note:
            parts.append(str(note.T))
        if "/Parent" not in note:
            break
        note = note.Parent
    return ".".join(reversed(parts)) if kind == "/Sig" and value is not None else None


def _align(old: list[bytes], new: list[bytes]) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pairs of pages that look different and belong together, added ones, removed ones; numbers count from 0."""
    pairs: list[tuple[int, int]] = []
    added: list[int] = []
    removed: list[int] = []
    if len(old) == len(new):  # the usual case: a page stays where it is
        return [(number, number) for number in range(len(old)) if old[number] != new[number]], added, removed
    for kind, one, one_end, other, other_end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        common = min(one_end - one, other_end - other)
        pairs += [(one + step, other + step) for step in range(common)]
        removed += range(one + common, one_end)
        added += range(other + common, other_end)
    return pairs, added, removed


def _differences(one: Image.Image, other: Image.Image) -> Image.Image:
    """White where two pages differ; a page of another size differs everywhere."""
    if one.size != other.size:
        return Image.new("L", other.size, 255)
    return ImageChops.difference(one, other).convert("L").point([255 * (level > _THRESHOLD) for level in range(256)])


def _boxes(mask: Image.Image) -> Iterator[Box]:
    """Rectangles around what lies together."""
    width, height = mask.size
    columns, rows = -(-width // _CELL), -(-height // _CELL)
    whole = Image.new("L", (columns * _CELL, rows * _CELL))
    whole.paste(mask)
    cells = whole.reduce(_CELL).point([255 * (level > 0) for level in range(256)]).tobytes()
    todo = {index for index, level in enumerate(cells) if level}
    found: list[Box] = []
    while todo:
        start = todo.pop()
        front, members = [start], [start]
        while front:
            row, column = divmod(front.pop(), columns)
            near = {
                (row + down) * columns + column + right
                for down in (-2, -1, 0, 1, 2)
                for right in (-2, -1, 0, 1, 2)
                if 0 <= column + right < columns
            } & todo
            todo -= near
            front += near
            members += near
        across, down = [index % columns for index in members], [index // columns for index in members]
        found.append((min(across), min(down), max(across) + 1, max(down) + 1))
    if len(found) > _MOST_BOXES:
        lefts, tops, rights, bottoms = zip(*found, strict=True)
        found = [(min(lefts), min(tops), max(rights), max(bottoms))]
    for left, top, right, bottom in sorted(found, key=lambda box: (box[1], box[0])):
        yield left * _CELL, top * _CELL, min(right * _CELL, width), min(bottom * _CELL, height)


def _beside(one: Image.Image, other: Image.Image, boxes: Sequence[Box], colour: tuple[int, int, int]) -> Image.Image:
    gap = 16
    whole = Image.new("RGB", (one.width + gap + other.width, max(one.height, other.height)), (120, 128, 140))
    whole.paste(one)
    whole.paste(other, (one.width + gap, 0))
    pen = ImageDraw.Draw(whole)
    for left, top, right, bottom in boxes:
        for shift in (0, one.width + gap):
            pen.rectangle((left + shift - 3, top - 3, right + shift + 3, bottom + 3), outline=colour, width=3)
    return whole.quantize(64)
