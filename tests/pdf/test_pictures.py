"""Pictures of every usual make become grey or RGB with alpha; hostile ones are refused before they are unpacked."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.errors import Rejected
from engine.pdf.pictures import PIXEL_LIMIT, Raster, read_picture, write_picture


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def refusal(data: bytes) -> Rejected:
    with pytest.raises(Rejected) as caught:
        read_picture(data, "签名")
    assert "签名" in caught.value.text.zh
    return caught.value


@pytest.mark.parametrize(
    ("mode", "colour", "result", "alpha"),
    [
        ("1", 0, "L", False),
        ("L", 90, "L", False),
        ("LA", (90, 40), "RGB", True),
        ("P", 3, "RGB", False),
        ("RGB", (1, 2, 3), "RGB", False),
        ("RGBA", (1, 2, 3, 255), "RGB", False),
        ("RGBA", (1, 2, 3, 4), "RGB", True),
        ("I;16", 40_000, "L", False),
    ],
)
def test_png_of_every_kind_is_reduced(mode: str, colour: Any, result: str, alpha: bool) -> None:
    raster = read_picture(encode(Image.new(mode, (5, 3), colour)), "图")
    assert (raster.width, raster.height, raster.mode, raster.alpha is not None) == (5, 3, result, alpha)
    assert len(raster.pixels) == 15 * (3 if result == "RGB" else 1)


def test_a_transparent_colour_of_a_palette_becomes_alpha() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    raster = read_picture(encode(image, transparency=bytes([10, 200])), "图")
    assert raster.alpha == bytes([10, 200]) and raster.pixels == bytes([255, 0, 0, 0, 0, 255])


def test_a_photograph_taken_sideways_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    raster = read_picture(encode(Image.new("RGB", (40, 20)), "JPEG", exif=exif), "图")
    assert (raster.width, raster.height) == (20, 40)


def test_the_stated_resolution_is_kept() -> None:
    raster = read_picture(encode(Image.new("L", (9, 9)), dpi=(600, 600)), "图")
    assert raster.dpi == pytest.approx(600, abs=0.1)


def test_a_picture_bomb_is_refused_by_its_header() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def bomb(side: int) -> bytes:
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")

    for side in (7000, 10_000, 60_000):
        assert side * side > PIXEL_LIMIT
        assert refusal(bomb(side)).code == "picture.too_large"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_pictures_are_read_or_refused_never_worse(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG"]))
    good = bytearray(encode(Image.linear_gradient("L").resize((24, 24)), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(8, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(good[: data.draw(st.integers(8, len(good)))])
    try:
        raster = read_picture(cut, "图")
    except Rejected as refused:
        assert refused.code in ("picture.unreadable", "picture.too_large")
    else:
        assert len(raster.pixels) == raster.width * raster.height * (3 if raster.mode == "RGB" else 1)


def test_other_formats_are_refused() -> None:
    assert refusal(encode(Image.new("RGB", (4, 4)), "GIF")).code == "picture.unreadable"
    assert refusal(b"").code == "picture.unreadable"


def test_the_written_image_is_what_other_software_decodes() -> None:
    pixels, alpha = bytes(range(12)), bytes([0, 80, 160, 255])
    with pikepdf.new() as pdf:
        image = write_picture(pdf, Raster(2, 2, "RGB", pixels, alpha))
        assert pikepdf.PdfImage(image).as_pil_image().convert("RGB").tobytes() == pixels
        assert image.SMask.read_bytes() == alpha and image.ColorSpace == "/DeviceRGB"
        grey = write_picture(pdf, Raster(2, 2, "L", alpha, None))
        assert grey.ColorSpace == "/DeviceGray" and "/SMask" not in grey
