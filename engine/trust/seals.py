"""Reads a seal picture (印章) into the streams a PDF needs; a seal without transparency covers what is below it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.writer import BasePdfFileWriter

from engine.errors import Rejected

_MOST_PIXELS = 40_000_000
_LONGEST_SIDE = 1200
"""Pixels; a 5 cm seal at 600 dpi. More only makes every signed revision larger."""
_NEARLY = 1.02
"""A seal may stand above its control by this factor: sides are given in rounded figures."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal ready for embedding: size in pixels, colour and transparency compressed by zlib, 8 bit a sample."""

    width: int
    height: int
    colour: bytes
    alpha: bytes | None


def load_seal(picture: Path) -> Seal:
    """Decode a PNG or JPEG; runs in a limited child. Raises Rejected ``seal.unreadable`` or ``seal.too_large``."""
    try:
        with Image.open(picture, formats=("PNG", "JPEG")) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise Rejected(
                    "seal.too_large",
                    zh=f"印章图片过大（{image.width}×{image.height} 像素）。请缩小到 {_LONGEST_SIDE} 像素以内。",
                    en=f"The seal picture is too large ({image.width}x{image.height} pixels). "
                    f"Reduce it to {_LONGEST_SIDE} pixels.",
                )
            if image.mode.startswith("I"):
                # Pillow would cut 16 bits a sample off at 255: everything but black turns white.
                pixels = image.convert("I").point(lambda sample: sample / 256).convert("L").convert("RGBA")
            else:
                pixels = image.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Rejected(
            "seal.unreadable",
            zh=f"无法读取印章图片 {picture.name}。请提供 PNG 或 JPEG 图片。",
            en=f"The seal picture {picture.name} cannot be read. Give a PNG or JPEG picture.",
        ) from error
    pixels.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    alpha = pixels.getchannel("A")
    opaque = alpha.getextrema() == (255, 255)
    return Seal(
        pixels.width,
        pixels.height,
        zlib.compress(pixels.convert("RGB").tobytes(), 9),
        None if opaque else zlib.compress(alpha.tobytes(), 9),
    )


class SealLooks:
    """Appearances of one seal in one file; however many there are, the seal itself is written once."""

    def __init__(self, writer: BasePdfFileWriter, seal: Seal) -> None:
        self._writer = writer
        self._seal = seal
        self._drawn = _picture(writer, seal)
        self._slices: dict[tuple[int, int, float, float], generic.IndirectObject] = {}

    def whole(self, width: float, height: float) -> generic.IndirectObject:
        """Add an appearance of ``width`` x ``height`` points with the seal fitted in its middle."""
        seal = self._seal
        scale = min(width / seal.width, height / seal.height)
        return self._form((0, 0, width, height), scale, width, height)

    def slice(self, number: int, count: int, width: float, height: float) -> generic.IndirectObject:
        """Add the slice ``number`` of ``count`` from the left; each is ``width`` points wide.

        The seal fills all slices together from side to side, so none is blank. Raises Rejected ``seal.does_not_fit``.
        """
        key = (number, count, round(width, 2), round(height, 2))
        if key not in self._slices:
            whole = width * count
            scale = whole / self._seal.width
            if self._seal.height * scale > height * _NEARLY:
                raise _does_not_fit(whole, height, self._seal)
            box = (width * number, 0, width * (number + 1), height)
            self._slices[key] = self._form(box, scale, whole, height)
        return self._slices[key]

    def _form(
        self, box: tuple[float, float, float, float], scale: float, width: float, height: float
    ) -> generic.IndirectObject:
        """What ``box`` cuts out of ``width`` x ``height`` points with the seal in their middle."""
        wide, high = self._seal.width * scale, self._seal.height * scale
        content = b"q %.4f 0 0 %.4f %.4f %.4f cm /Seal Do Q" % (wide, high, (width - wide) / 2, (height - high) / 2)
        form = generic.StreamObject(
            {
                pdf_name("/Type"): pdf_name("/XObject"),
                pdf_name("/Subtype"): pdf_name("/Form"),
                pdf_name("/BBox"): generic.ArrayObject([generic.FloatObject(round(edge, 4)) for edge in box]),
                pdf_name("/Resources"): generic.DictionaryObject(
                    {pdf_name("/XObject"): generic.DictionaryObject({pdf_name("/Seal"): self._drawn})}
                ),
            },
            stream_data=content,
        )
        return self._writer.add_object(form)


def _does_not_fit(width: float, height: float, seal: Seal) -> Rejected:
    return Rejected(
        "seal.does_not_fit",
        zh=f"印章放不进签名控件（{width:.1f}×{height:.1f} 点）：印章宽高比为 {seal.width / seal.height:.2f}。"
        "请让骑缝章控件的 width 和 height 与印章一致。",
        en=f"The seal does not fit its control of {width:.1f} x {height:.1f} points: its width is "
        f"{seal.width / seal.height:.2f} of its height. Give the control the width and height of the seal.",
    )


def _picture(writer: BasePdfFileWriter, seal: Seal) -> generic.IndirectObject:
    colour = _samples(seal, seal.colour, "/DeviceRGB")
    if seal.alpha is not None:
        colour[pdf_name("/SMask")] = writer.add_object(_samples(seal, seal.alpha, "/DeviceGray"))
    return writer.add_object(colour)


def _samples(seal: Seal, compressed: bytes, space: str) -> generic.StreamObject:
    return generic.StreamObject(
        {
            pdf_name("/Type"): pdf_name("/XObject"),
            pdf_name("/Subtype"): pdf_name("/Image"),
            pdf_name("/Width"): generic.NumberObject(seal.width),
            pdf_name("/Height"): generic.NumberObject(seal.height),
            pdf_name("/ColorSpace"): pdf_name(space),
            pdf_name("/BitsPerComponent"): generic.NumberObject(8),
            pdf_name("/Filter"): pdf_name("/FlateDecode"),
        },
        encoded_data=compressed,
    )
