"""Seal pictures as people send them, and as nobody should."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.errors import Rejected
from engine.trust.seals import Seal, load_seal
from tests.trust.paper import draw_seal_picture

RED = (200, 16, 16)


def save(picture: Image.Image, file: Path, **options: object) -> Seal:
    picture.save(file, **options)  # type: ignore[arg-type]  # options of Pillow's writers
    return load_seal(file)


def colours(seal: Seal) -> list[tuple[int, int, int]]:
    samples = zlib.decompress(seal.colour)
    assert len(samples) == 3 * seal.width * seal.height
    return [(samples[at], samples[at + 1], samples[at + 2]) for at in range(0, len(samples), 3)]


def near(one: tuple[int, ...], other: tuple[int, ...], distance: int = 12) -> bool:
    return all(abs(a - b) <= distance for a, b in zip(one, other, strict=True))


def test_transparency_is_kept_apart(tmp_path: Path) -> None:
    seal = load_seal(draw_seal_picture(tmp_path / "seal.png"))
    assert (seal.width, seal.height) == (300, 300)
    assert seal.alpha is not None
    alpha = zlib.decompress(seal.alpha)
    assert len(alpha) == 300 * 300 and alpha[0] == 0 and max(alpha) == 230


def test_an_opaque_picture_has_no_transparency(tmp_path: Path) -> None:
    assert save(Image.new("RGBA", (9, 9), (*RED, 255)), tmp_path / "seal.png").alpha is None


@pytest.mark.parametrize(
    ("mode", "ending", "fill"),
    [
        ("RGB", "png", RED),
        ("RGB", "jpg", RED),
        ("P", "png", None),
        ("CMYK", "jpg", (55, 239, 239, 0)),
        ("RGBA", "png", (*RED, 255)),
    ],
)
def test_every_usual_kind_of_picture_keeps_its_colour(tmp_path: Path, mode: str, ending: str, fill: object) -> None:
    picture = Image.new("RGB", (20, 20), RED).quantize(2) if fill is None else Image.new(mode, (20, 20), fill)  # type: ignore[arg-type]  # Pillow's colours
    seal = save(picture, tmp_path / f"seal.{ending}")
    assert all(near(colour, RED, 40) for colour in colours(seal))


@pytest.mark.parametrize(("mode", "fill"), [("L", 128), ("1", 1), ("LA", (128, 90)), ("I;16", 0x8000)])
def test_grey_pictures_stay_grey(tmp_path: Path, mode: str, fill: object) -> None:
    seal = save(Image.new(mode, (20, 20), fill), tmp_path / "seal.png")  # type: ignore[arg-type]  # as above
    wanted = (255,) * 3 if mode == "1" else (128,) * 3
    assert all(near(colour, wanted) for colour in colours(seal)), colours(seal)[0]
    assert (seal.alpha is not None) == (mode == "LA")


def test_a_transparent_colour_of_a_palette_is_kept(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 255, 255, *RED])
    picture.putpixel((1, 0), 1)
    seal = save(picture, tmp_path / "seal.png", transparency=0)
    assert seal.alpha is not None and zlib.decompress(seal.alpha) == b"\x00\xff"


@pytest.mark.parametrize("size", [(5000, 5000), (1201, 3), (3, 4000), (20_000, 1)])
def test_large_pictures_are_made_smaller_in_proportion(tmp_path: Path, size: tuple[int, int]) -> None:
    seal = save(Image.new("RGB", size, RED), tmp_path / "seal.png")
    assert max(seal.width, seal.height) <= 1200 and min(seal.width, seal.height) >= 1
    assert near(colours(seal)[0], RED)


def head(width: int, height: int) -> bytes:
    """The beginning of a PNG that claims a size."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize("size", [(10_000, 10_000), (2**31 - 1, 2**31 - 1), (50_000_000, 1)])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, size: tuple[int, int]) -> None:
    file = tmp_path / "bomb.png"
    file.write_bytes(head(*size))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(Rejected) as refused:
            load_seal(file)
    assert refused.value.code in ("seal.too_large", "seal.unreadable")


def test_other_formats_are_refused_however_they_are_named(tmp_path: Path) -> None:
    for kind in ("GIF", "TIFF", "BMP", "PDF"):
        file = tmp_path / "seal.png"
        Image.new("RGB", (9, 9), RED).save(file, format=kind)
        with pytest.raises(Rejected) as refused:
            load_seal(file)
        assert refused.value.code == "seal.unreadable"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), junk=st.binary(min_size=1, max_size=40))
def test_a_damaged_picture_is_read_or_refused(tmp_path: Path, place: float, junk: bytes) -> None:
    file = tmp_path / "damaged.png"
    if not file.exists():
        draw_seal_picture(tmp_path / "seal.png")
    content = (tmp_path / "seal.png").read_bytes()
    at = int(place * len(content))
    file.write_bytes(content[:at] + junk + content[at + len(junk) :])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seal = load_seal(file)
    except Rejected as refused:
        assert refused.code in ("seal.unreadable", "seal.too_large")
    else:
        assert 0 < seal.width <= 1200 and 0 < seal.height <= 1200
