"""Takes a red seal out of a photograph or scan of paper: paper, shadows and other inks become transparent.

Where black print crosses the seal the print goes and leaves a gap; a slanted or turned photograph stays as it is. The
ink comes out in its one mean colour: what varied was light, paper and noise. Call it in a limited child.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageFilter, ImageMath, ImageStat

from engine.errors import Rejected
from engine.pdf.pictures import Raster, read_picture

DPI = 600
"""A cleaned seal has at most this many pixels an inch at its true size."""
ENOUGH = 300
"""Fewer show as steps in print."""
_SMALL = 256
"""Longest side, in pixels, of the picture on which the seal is looked for."""
_WORKED = 1600
"""Longest side, in pixels, at which its ink is looked at."""
_FAINT = 28
"""Levels of 255 by which red must stand out: less is paper that yellowed."""
_DARK = 120
_MARGIN = 0.04
"""Of the seal's longer side, left around it for the search's coarseness."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What came out: size in mm and pixels, pixels an inch before any were dropped, and the ink's sRGB."""

    width: float
    height: float
    pixels: tuple[int, int]
    dpi: int
    colour: tuple[int, int, int]

    @property
    def coarse(self) -> bool:
        """Whether the photograph has too few pixels for the seal's size."""
        return self.dpi < ENOUGH


def clean_photo(source: Path, target: Path, size: float) -> Cleaned:
    """Write the seal of a PNG or JPEG as a transparent PNG whose longer side measures ``size`` mm.

    Raises what ``read_picture`` raises and Rejected ``seal.not_found``.
    """
    photo = _on_white(read_picture(source.read_bytes(), source.name))
    box = _find(photo, source.name)
    seal = photo.crop(box)
    seal.thumbnail((_WORKED, _WORKED), Image.Resampling.LANCZOS)
    even = _without_light(seal)
    ink = _ink(even)
    extent = ink.point(lambda value: 255 * (value > 100)).getbbox()
    if extent is None:
        raise _not_found(source.name)
    solid = ink.point(lambda value: 255 * (value > 250)).filter(ImageFilter.MinFilter(3))
    sure = solid if solid.getbbox() else ink
    red, green, blue = (round(level) for level in ImageStat.Stat(even, sure).mean)
    found = ink.crop(extent)
    original = max(found.size) * max(box[2] - box[0], box[3] - box[1]) / max(seal.size)
    most = round(size / 25.4 * DPI)
    if max(found.size) > most:
        found.thumbnail((most, most), Image.Resampling.LANCZOS)
    picture = Image.new("RGBA", found.size, (red, green, blue, 0))
    picture.putalpha(found)
    longest = max(found.size)
    dpi = longest / size * 25.4
    picture.save(target, "PNG", dpi=(dpi, dpi), optimize=True)
    return Cleaned(
        width=round(size * found.width / longest, 2),
        height=round(size * found.height / longest, 2),
        pixels=found.size,
        dpi=round(original / size * 25.4),
        colour=(red, green, blue),
    )


def _on_white(raster: Raster) -> Image.Image:
    picture = Image.frombytes(raster.mode, (raster.width, raster.height), raster.pixels).convert("RGB")
    if raster.alpha is None:
        return picture
    paper = Image.new("RGB", picture.size, "white")
    paper.paste(picture, mask=Image.frombytes("L", picture.size, raster.alpha))
    return paper


def _redness(picture: Image.Image) -> Image.Image:
    """How much red stands above the stronger of green and blue: nothing for paper, black and blue ink."""
    red, green, blue = picture.split()
    return ImageChops.subtract(red, ImageChops.lighter(green, blue))


def _find(photo: Image.Image, name: str) -> Box:
    """Where the largest red thing and what it encloses lies, with a margin."""
    small = photo.copy()
    small.thumbnail((_SMALL, _SMALL), Image.Resampling.BOX)
    redness = _redness(_without_light(small)).filter(ImageFilter.MedianFilter(3))
    if not redness.point(lambda value: 255 * (value >= 2 * _FAINT)).getbbox():
        raise _not_found(name)
    border = max(_FAINT, _threshold(redness))
    parts = _parts(redness.point(lambda value: 255 * (value > border)).filter(ImageFilter.MaxFilter(5)))
    if not parts:
        raise _not_found(name)
    left, top, right, bottom = max(parts, key=lambda part: (part[2] - part[0]) * (part[3] - part[1]))
    scale = photo.width / small.width
    margin = _MARGIN * max(right - left, bottom - top) + 1
    return (
        max(0, int((left - margin) * scale)),
        max(0, int((top - margin) * scale)),
        min(photo.width, int((right + margin) * scale) + 1),
        min(photo.height, int((bottom + margin) * scale) + 1),
    )


def _without_light(picture: Image.Image) -> Image.Image:
    """Divide by the paper as the light falls on it: paper becomes white, ink keeps what it takes from the light."""
    small = picture.copy()
    small.thumbnail((_SMALL, _SMALL), Image.Resampling.BOX)
    redness = _redness(small)
    inked = redness.point(lambda value: 255 * (value > max(_FAINT, _threshold(redness) * 0.6)))
    inked = inked.filter(ImageFilter.MaxFilter(5))
    # Dark print is thin: the brightest neighbour is paper.
    paper = small.filter(ImageFilter.MaxFilter(5))
    bare = ImageChops.invert(inked)
    middle = tuple(ImageStat.Stat(paper, bare).median) if bare.getbbox() else (255, 255, 255)
    guess = Image.new("RGB", paper.size, middle)
    for radius in (40, 12, 5):  # from far to near: what paper would look like below the ink
        filled = paper.copy()
        filled.paste(guess, mask=inked)
        guess = filled.filter(ImageFilter.GaussianBlur(radius))
    light = guess.resize(picture.size, Image.Resampling.BICUBIC)
    return Image.merge("RGB", [_divide(one, other) for one, other in zip(picture.split(), light.split(), strict=True)])


def _divide(channel: Image.Image, light: Image.Image) -> Image.Image:
    def divide(image: dict[str, Any]) -> Any:
        return image["convert"](image["min"](image["channel"] * 255 / image["max"](image["light"], 1), 255), "L")

    divided: Image.Image = ImageMath.lambda_eval(divide, channel=channel.convert("I"), light=light.convert("I"))
    return divided


def _ink(even: Image.Image) -> Image.Image:
    """Coverage with ink, smooth at the edges: from a fifth of the full redness to three quarters of it."""
    # In the shadow of a fold red is darker but as pure; what is nearly black says nothing of its colour.
    brightness = even.getchannel(0).point(lambda value: max(value, _DARK))
    redness = _divide(_redness(even), brightness).filter(ImageFilter.MedianFilter(3))
    border = max(_FAINT, _threshold(redness))
    full = _median([0] * (border + 1) + redness.histogram()[border + 1 :])
    low, high = full * 0.2, full * 0.75
    return redness.point(lambda value: round(min(max((value - low) / (high - low), 0), 1) * 255))


def _threshold(grey: Image.Image) -> int:
    """The level that parts a histogram best in two (Otsu 1979)."""
    counts = grey.histogram()
    total, whole = sum(counts), sum(level * count for level, count in enumerate(counts))
    best, at, below, mass = -1.0, 0, 0, 0
    for level, count in enumerate(counts[:-1]):
        below += count
        mass += level * count
        if below in (0, total):
            continue
        between = (mass * total - whole * below) ** 2 / (below * (total - below))
        if between > best:
            best, at = between, level
    return at


def _median(counts: list[int]) -> int:
    half, passed = sum(counts) / 2, 0
    for level, count in enumerate(counts):
        passed += count
        if passed >= half:
            return max(level, 1)
    return 1


def _parts(mask: Image.Image) -> list[Box]:
    """Boxes of the connected parts of a small mask."""
    width, height = mask.size
    open_ = bytearray(mask.tobytes())
    parts = []
    for start in range(width * height):
        if not open_[start]:
            continue
        open_[start] = 0
        queue = deque([start])
        left = right = start % width
        top = bottom = start // width
        while queue:
            at = queue.popleft()
            x, y = at % width, at // width
            left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                near = at + dx + dy * width
                if 0 <= x + dx < width and 0 <= y + dy < height and open_[near]:
                    open_[near] = 0
                    queue.append(near)
        parts.append((left, top, right + 1, bottom + 1))
    return parts


def _not_found(name: str) -> Rejected:
    return Rejected(
        "seal.not_found",
        zh=f"在图片“{name}”中没有找到红色印章。请在白纸上盖章，在均匀光线下重新拍摄或扫描。",
        en=f"There is no red seal in the picture {name!r}. Stamp on white paper and "
        "photograph or scan it in even light.",
        picture=name,
    )
