"""Says which part of a page is seen and how it lies on upright A4 paper; knows boxes and numbers, no content.

Malformed boxes are read as common viewers read them, so that what a person previewed is what is placed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pikepdf
from pikepdf import Array

A4_WIDTH = 595.276
A4_HEIGHT = 841.89
"""ISO 216 A4 (210 x 297 mm) in points."""

_NEARLY = 1.5
"""A page whose sides differ from A4 by less (points) is A4 rounded by its producer: moved, never scaled."""
_FAR = 1e6
"""Coordinates beyond this many points are noise; 10,000 times A4 is no paper."""


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle in points; ``left <= right`` and ``bottom <= top``."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.top - self.bottom

    @property
    def empty(self) -> bool:
        """No area worth a page: a hundredth of a point is finer than any device."""
        return self.width < 0.01 or self.height < 0.01

    def within(self, other: Box) -> Box:
        """Common part with ``other``; empty (never negative) when they do not meet."""
        left, bottom = max(self.left, other.left), max(self.bottom, other.bottom)
        return Box(left, bottom, max(left, min(self.right, other.right)), max(bottom, min(self.top, other.top)))


LETTER = Box(0, 0, 612, 792)
"""What viewers assume for a page without a usable MediaBox."""

A4 = Box(0, 0, A4_WIDTH, A4_HEIGHT)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a page's visible box lands: matrix ``a b c d e f`` from page to A4 space (ISO 32000-2 8.3.3)."""

    visible: Box
    matrix: tuple[float, float, float, float, float, float]

    def point(self, x: float, y: float) -> tuple[float, float]:
        a, b, c, d, e, f = self.matrix
        return a * x + c * y + e, b * x + d * y + f


def visible_box(page: pikepdf.Object) -> Box:
    """The part a viewer shows: CropBox within MediaBox, the MediaBox if that is empty, Letter if that is too."""
    media = _box(inherited(page, "/MediaBox"))
    if media is None or media.empty:
        media = LETTER
    crop = _box(inherited(page, "/CropBox"))
    if crop is None or crop.empty:
        return media
    common = crop.within(media)
    return media if common.empty else common


def rotation(page: pikepdf.Object) -> int:
    """Clockwise rotation for display: 0, 90, 180 or 270; other values are cut to a quarter turn as viewers do."""
    turn = number(inherited(page, "/Rotate"))
    return 0 if turn is None else int(turn / 90) % 4 * 90


def placement(visible: Box, clockwise: int) -> Placement:
    """Fit ``visible``, turned ``clockwise`` degrees, centred on an upright A4 page.

    The page is scaled by one factor so that all of it is seen. A landscape page keeps its reading direction and
    becomes smaller: a contract is read from top to bottom on one screen, and every seal and signature position counts
    from the same upright paper. A page that is A4 but for rounding keeps its exact size.
    """
    width, height = (visible.width, visible.height) if clockwise % 180 == 0 else (visible.height, visible.width)
    scale = min(A4_WIDTH / width, A4_HEIGHT / height)
    if abs(width - A4_WIDTH) < _NEARLY and abs(height - A4_HEIGHT) < _NEARLY:
        scale = 1.0
    cosine, sine = {0: (1, 0), 90: (0, -1), 180: (-1, 0), 270: (0, 1)}[clockwise]
    a, b, c, d = scale * cosine, scale * sine, -scale * sine, scale * cosine
    middle_x, middle_y = (visible.left + visible.right) / 2, (visible.bottom + visible.top) / 2
    e = A4_WIDTH / 2 - (a * middle_x + c * middle_y)
    f = A4_HEIGHT / 2 - (b * middle_x + d * middle_y)
    return Placement(visible, (a, b, c, d, e, f))


def inherited(page: pikepdf.Object, key: str, depth: int = 64) -> pikepdf.Object | None:
    """A page attribute, from the nearest ancestor that has it (ISO 32000-2 7.7.3.4); loops end after ``depth``."""
    node: pikepdf.Object | None = page
    while isinstance(node, pikepdf.Dictionary) and depth:
        value = node.get(key)
        if value is not None:
            return value
        node, depth = node.get("/Parent"), depth - 1
    return None


def numbers(value: object, count: int) -> list[float] | None:
    """The finite numbers of an array of exactly ``count``, or None."""
    if not isinstance(value, Array) or len(value) != count:
        return None
    found = [number(item) for item in value]
    return None if any(item is None for item in found) else [item for item in found if item is not None]


def _box(value: object) -> Box | None:
    found = numbers(value, 4)
    if found is None:
        return None
    x1, y1, x2, y2 = (max(-_FAR, min(_FAR, edge)) for edge in found)
    return Box(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))


def number(value: object) -> float | None:
    """A finite number of the file, or None for anything else."""
    try:
        found = float(value)  # type: ignore[arg-type]  # whatever the file holds; the next lines say what if not
    except (TypeError, ValueError, OverflowError, NotImplementedError):
        return None
    return found if math.isfinite(found) else None


def rectangle(box: Box) -> Array:
    """A box as a PDF array."""
    return Array([box.left, box.bottom, box.right, box.top])
