"""Turns seals (印章), pictures or drawings, into appearances; a picture without transparency covers what is below."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, UnidentifiedImageError
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.writer import BasePdfFileWriter

from engine.errors import Rejected
from engine.pdf.seals.design import SealDesign
from engine.pdf.seals.drawing import draw
from engine.pdf.seals.export import POINTS, operators

_MOST_PIXELS = 40_000_000
_LONGEST_SIDE = 1200
"""Pixels; a 5 cm seal at 600 dpi. More only makes every signed revision larger."""
_PALE = 24
"""Levels of 255 below which ink is taken for paper."""
_NEARLY = 1.02
"""A seal may stand above its control by this factor: sides are given in rounded figures."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal ready for embedding.

    A picture: size in pixels, colour and transparency compressed by zlib, 8 bit a sample. A drawing: true size in
    points and the operators that draw it in a box of one by one. ``ink``: left, bottom, right and top of what is seen.
    """

    width: float
    height: float
    ink: tuple[float, float, float, float]
    colour: bytes = b""
    alpha: bytes | None = None
    drawing: bytes = b""


def draw_seal(design: SealDesign) -> Seal:
    """Draw a seal as outlines; raises what ``engine.pdf.seals.drawing.draw`` raises."""
    drawing = draw(design)
    width, height = drawing.width * POINTS, drawing.height * POINTS
    return Seal(width, height, (0, 0, width, height), drawing=operators(drawing))


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
    left, top, right, bottom = _visible(pixels) or (0, 0, pixels.width, pixels.height)
    return Seal(
        pixels.width,
        pixels.height,
        (left, pixels.height - bottom, right, pixels.height - top),
        zlib.compress(pixels.convert("RGB").tobytes(), 9),
        None if opaque else zlib.compress(alpha.tobytes(), 9),
    )


def _visible(pixels: Image.Image) -> tuple[int, int, int, int] | None:
    """What is neither transparent nor nearly white."""
    red, green, blue, alpha = pixels.split()
    strength = ImageChops.invert(ImageChops.darker(red, ImageChops.darker(green, blue)))
    return ImageChops.multiply(strength, alpha).point(lambda value: 255 * (value > _PALE)).getbbox()


class SealLooks:
    """Appearances of one seal in one file; however many there are, the seal itself is written once."""

    def __init__(self, writer: BasePdfFileWriter, seal: Seal) -> None:
        self._writer = writer
        self._seal = seal
        resources = {
            pdf_name("/XObject"): _dictionary(Seal=_drawn(writer, seal) if seal.drawing else _picture(writer, seal))
        }
        if seal.drawing:
            # As ink does: what is printed in black below stays black.
            resources[pdf_name("/ExtGState")] = _dictionary(Ink=_dictionary(BM=pdf_name("/Multiply")))
        self._resources = writer.add_object(generic.DictionaryObject(resources))
        self._slices: dict[tuple[int, int, float, float], generic.IndirectObject] = {}

    def whole(self, width: float, height: float) -> generic.IndirectObject:
        """Add an appearance of ``width`` x ``height`` points with the seal in its middle.

        A picture is fitted in; a drawing keeps its true size. Raises Rejected ``seal.does_not_fit``.
        """
        seal = self._seal
        scale = 1.0 if seal.drawing else min(width / seal.width, height / seal.height)
        if seal.width * scale > width * _NEARLY or seal.height * scale > height * _NEARLY:
            raise _does_not_fit(width, height, seal)
        left, bottom = (width - seal.width * scale) / 2, (height - seal.height * scale) / 2
        return self._form((0, 0, width, height), scale, left, bottom)

    def slice(self, number: int, total: int, width: float, height: float) -> generic.IndirectObject:
        """Add the slice ``number`` of ``total`` from the left; each is ``width`` points wide.

        The seal's ink fills all slices together from side to side, so none is blank. Raises Rejected
        ``seal.does_not_fit``.
        """
        key = (number, total, round(width, 2), round(height, 2))
        if key not in self._slices:
            left, bottom, right, top = self._seal.ink
            scale = width * total / (right - left)
            high = (top - bottom) * scale
            if high > height * _NEARLY or (self._seal.drawing and not 1 / _NEARLY < scale < _NEARLY):
                raise _does_not_fit(width * total, height, self._seal)
            box = (width * number, 0, width * (number + 1), height)
            self._slices[key] = self._form(box, scale, -left * scale, (height - high) / 2 - bottom * scale)
        return self._slices[key]

    def _form(
        self, box: tuple[float, float, float, float], scale: float, left: float, bottom: float
    ) -> generic.IndirectObject:
        """What ``box`` shows of the seal whose lower left corner is at a point."""
        wide, high = self._seal.width * scale, self._seal.height * scale
        ink = b"/Ink gs " if self._seal.drawing else b""
        content = b"q %s%.4f 0 0 %.4f %.4f %.4f cm /Seal Do Q" % (ink, wide, high, left, bottom)
        form = generic.StreamObject(_form(box, self._resources), stream_data=content)
        return self._writer.add_object(form)


def _does_not_fit(width: float, height: float, seal: Seal) -> Rejected:
    wide, high = (seal.width, seal.height) if seal.drawing else (height * seal.width / seal.height, height)
    return Rejected(
        "seal.does_not_fit",
        zh=f"印章放不进签名控件：控件为 {width:.1f}×{height:.1f} 点，印章需要 {wide:.1f}×{high:.1f} 点。"
        "请把控件的 width 和 height 改为印章的大小。",
        en=f"The seal does not fit its control of {width:.1f} x {height:.1f} points; it takes {wide:.1f} x {high:.1f}. "
        "Give the control the width and height of the seal.",
    )


def _drawn(writer: BasePdfFileWriter, seal: Seal) -> generic.IndirectObject:
    form = generic.StreamObject(_form((0, 0, 1, 1), _dictionary()), stream_data=seal.drawing)
    # A group of its own: where an outline and its pen overlap, ink is not laid on ink.
    form[pdf_name("/Group")] = _dictionary(
        S=pdf_name("/Transparency"), CS=pdf_name("/DeviceRGB"), I=generic.BooleanObject(True)
    )
    form.compress()
    return writer.add_object(form)


def _form(box: tuple[float, float, float, float], resources: generic.PdfObject) -> dict[str, generic.PdfObject]:
    return {
        pdf_name("/Type"): pdf_name("/XObject"),
        pdf_name("/Subtype"): pdf_name("/Form"),
        pdf_name("/BBox"): generic.ArrayObject([generic.FloatObject(round(edge, 4)) for edge in box]),
        pdf_name("/Resources"): resources,
    }


def _dictionary(**entries: generic.PdfObject) -> generic.DictionaryObject:
    return generic.DictionaryObject({pdf_name(f"/{key}"): value for key, value in entries.items()})


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
