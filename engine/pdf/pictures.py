"""Opens PNG and JPEG pictures in a child and writes them into a PDF; colour profiles are dropped, sRGB is assumed."""

from __future__ import annotations

import io
import warnings
import zlib
from dataclasses import dataclass

import pikepdf
from pikepdf import Name, Pdf
from PIL import Image, ImageOps

from engine.errors import Rejected

PIXEL_LIMIT = 40_000_000
"""Pixels of one picture: an A4 page at 600 dpi has 35 million."""


@dataclass(frozen=True, slots=True)
class Raster:
    """A decoded picture; ``mode`` is L or RGB, ``alpha`` one byte per pixel or None when all is opaque."""

    width: int
    height: int
    mode: str
    pixels: bytes
    alpha: bytes | None
    dpi: float | None = None


def read_picture(data: bytes, name: str) -> Raster:
    """Decode, turn upright by EXIF and reduce to grey or RGB with alpha.

    Raises Rejected ``picture.unreadable`` or ``picture.too_large``; ``name`` is what a person calls the picture.
    """
    try:
        with (
            warnings.catch_warnings(action="ignore"),  # Pillow warns of size; our limit below is stricter
            Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image,
        ):
            if image.width * image.height > PIXEL_LIMIT:
                raise _too_large(name, image.width, image.height)
            dpi = image.info.get("dpi", (None,))[0]
            return _reduce(ImageOps.exif_transpose(image), float(dpi) if dpi else None)
    except Image.DecompressionBombError:
        raise _too_large(name, 0, 0) from None
    except (OSError, SyntaxError, ValueError, zlib.error) as error:
        raise Rejected(
            "picture.unreadable",
            zh=f"图片“{name}”无法读取。请用原软件重新导出为 PNG 或 JPEG。",
            en=f"The picture {name!r} cannot be read. Export it again as PNG or JPEG.",
            picture=name,
        ) from error


def write_picture(pdf: Pdf, raster: Raster) -> pikepdf.Object:
    """Image XObject, with a soft mask (SMask) where the picture is transparent."""
    image = _stream(pdf, raster, raster.pixels, Name.DeviceGray if raster.mode == "L" else Name.DeviceRGB)
    if raster.alpha is not None:
        image[Name.SMask] = _stream(pdf, raster, raster.alpha, Name.DeviceGray)
    return pdf.make_indirect(image)


def _stream(pdf: Pdf, raster: Raster, data: bytes, space: Name) -> pikepdf.Stream:
    return pikepdf.Stream(
        pdf,
        zlib.compress(data, 6),
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=raster.width,
        Height=raster.height,
        ColorSpace=space,
        BitsPerComponent=8,
        Filter=Name.FlateDecode,
    )


def _reduce(image: Image.Image, dpi: float | None) -> Raster:
    image = image.convert("RGBA") if image.has_transparency_data or image.mode == "CMYK" else image
    alpha: bytes | None = None
    if image.mode == "RGBA":
        channel = image.getchannel("A")
        opaque = channel.histogram()[255] == image.width * image.height
        alpha = None if opaque else channel.tobytes()
    base = image.convert("L" if image.mode in ("1", "L", "LA", "I", "I;16", "F") else "RGB")
    return Raster(base.width, base.height, base.mode, base.tobytes(), alpha, dpi)


def _too_large(name: str, width: int, height: int) -> Rejected:
    return Rejected(
        "picture.too_large",
        zh=f"图片“{name}”的像素过多（{width}×{height}），上限为 {PIXEL_LIMIT // 1_000_000} 百万像素。请缩小后再试。",
        en=f"The picture {name!r} has too many pixels ({width} by {height}); the limit is "
        f"{PIXEL_LIMIT // 1_000_000} million. Make it smaller.",
        picture=name,
    )
