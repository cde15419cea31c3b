"""Turns pictures (photos, scans) into A4 pages; animation shows its first frame, colour is brought to sRGB or grey.

A JPEG keeps its compressed bytes: only its metadata (a phone writes where it was) is left out. A picture is never
enlarged beyond what its pixels carry.
"""

from __future__ import annotations

import io
import math
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf
from PIL import Image, ImageCms, ImageOps, ImageSequence, UnidentifiedImageError

from engine.pdf import intake, page_boxes

PIXEL_LIMIT = 150_000_000
"""Pixels of one picture: A4 at 1,200 dpi has 139 million."""

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP")
_COARSEST = 100.0
"""Pixels per inch below which a stated resolution is a default of some program (72, 96), not a measure."""
_EXIF_ORIENTATION = 0x0112
_TURNS: dict[int, tuple[int, int, int, int, int, int]] = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
"""EXIF orientation (CIPA DC-008 4.6.4) to a matrix on the unit square, which is how a PDF places a picture."""


@dataclass(frozen=True, slots=True)
class _Picture:
    """One page: how to store its samples, size in pixels as stored, turn and pixels per inch (across, down)."""

    data: bytes
    filter: Name
    width: int
    height: int
    grey: bool
    bits: int
    orientation: int
    dpi: tuple[float, float]
    profile: bytes | None = None


def image_to_pdf(source: Path, target: Path, page_limit: int = intake.PAGE_LIMIT) -> int:
    """Write the pictures of ``source``, one upright A4 page each, to ``target``; returns the number of pages.

    Raises Rejected ``document.damaged``, ``document.too_large`` or ``document.too_many_pages``.
    """
    Image.init()  # loads the formats; naming one before would be a KeyError
    Image.MAX_IMAGE_PIXELS = PIXEL_LIMIT // 2  # Pillow refuses beyond twice its limit
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(source, formats=FORMATS) as image, Pdf.new() as pdf:
            for number, picture in enumerate(_pictures(source, image), start=1):
                if number > page_limit:
                    raise intake.too_many_pages(source.name, number, page_limit)
                _add_page(pdf, picture)
            pages = len(pdf.pages)
            if not pages:
                raise intake.damaged(source.name, "no picture")
            pdf.save(target, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
            return pages
    except Image.DecompressionBombError:
        raise intake.too_large(source.name) from None
    except UnidentifiedImageError:
        raise intake.damaged(source.name, "not a picture Pillow can read") from None
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, ZeroDivisionError) as error:
        # Pillow's decoders meet broken bytes with any of these.
        raise intake.damaged(source.name, str(error)[:200]) from None
    except (zlib.error, OverflowError, AttributeError, RuntimeError, NotImplementedError) as error:
        raise intake.damaged(source.name, str(error)[:200]) from None


def _pictures(source: Path, image: Image.Image) -> Iterator[_Picture]:
    if image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L"):
        yield _kept_jpeg(source, image)
    elif image.format == "TIFF":
        for frame in ImageSequence.Iterator(image):
            yield _decoded(frame)
    else:
        yield _decoded(image)


def _kept_jpeg(source: Path, image: Image.Image) -> _Picture:
    size, grey, profile = image.size, image.mode == "L", _usable_profile(image)
    orientation, dpi = _orientation(image), _dpi(image)
    image.draft(image.mode, (max(1, image.width // 8), max(1, image.height // 8)))
    image.load()  # all bytes are read at an eighth of the size: a torn file must not become a grey page
    data = _without_metadata(source.read_bytes())
    return _Picture(data, Name.DCTDecode, *size, grey, 8, orientation, dpi, profile)


def _decoded(image: Image.Image) -> _Picture:
    dpi = _dpi(image)
    image.load()
    if image.getexif().get(_EXIF_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    plain = _plain(image)
    bits = 1 if plain.mode == "1" else 8
    return _Picture(_png_data(plain), Name.FlateDecode, *plain.size, plain.mode != "RGB", bits, 1, dpi)


def _plain(image: Image.Image) -> Image.Image:
    """The picture as RGB, grey or black and white, on white paper where it is transparent."""
    if image.mode in ("1", "L", "RGB") and "transparency" not in image.info:
        return _to_srgb(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bits(image)
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return _certain(ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB"))
    if image.mode in ("CMYK", "YCbCr", "HSV"):
        return _to_srgb(image)
    if image.has_transparency_data:
        return _on_paper(image.convert("RGBA"))
    return image.convert("RGB")


def _on_paper(layer: Image.Image) -> Image.Image:
    """On white; on black where only that shows anything; as if solid where nothing is but colours are."""
    if layer.getchannel("A").getextrema() == (0, 0):  # a program that knows no transparency left the bytes at zero
        solid = layer.convert("RGB")
        return solid if solid.getcolors(1) is None else Image.new("RGB", layer.size, "white")
    white, black = (
        Image.alpha_composite(Image.new("RGBA", layer.size, paper), layer).convert("RGB")
        for paper in ("white", "black")
    )
    return black if white.getcolors(1) and not black.getcolors(1) else white


def _eight_bits(image: Image.Image) -> Image.Image:
    wide = image.convert("F")
    # Sixteen-bit samples fill 0..65535; floats usually 0..1, and what exceeds that sets its own white.
    top = 65535.0 if image.mode.startswith("I") else max(1.0, float(str(wide.getextrema()[1])))
    return wide.point(lambda sample: sample * (255.0 / top) + 0.0).convert("L")


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK"):
        try:
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return _certain(ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode="RGB"))
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile is no reason to refuse a picture; its samples are taken as they are
    return image if image.mode in ("1", "L", "RGB") else image.convert("RGB")


def _certain(image: Image.Image | None) -> Image.Image:
    if image is None:  # only returned for in-place conversion
        raise ValueError("no picture")
    return image


def _png_data(image: Image.Image) -> bytes:
    """The compressed rows of ``image`` as PNG holds them: predictor 15 of a PDF (ISO 32000-2 7.4.4.4)."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    file, data, position = buffer.getvalue(), bytearray(), 8
    while position < len(file):
        length = int.from_bytes(file[position : position + 4], "big")
        if file[position + 4 : position + 8] == b"IDAT":
            data += file[position + 8 : position + 8 + length]
        position += length + 12
    return bytes(data)


def _usable_profile(image: Image.Image) -> bytes | None:
    profile = image.info.get("icc_profile")
    if not profile:
        return None
    try:
        space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    return profile if space == ("GRAY" if image.mode == "L" else "RGB") else None


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(_EXIF_ORIENTATION, 1)
    return value if value in _TURNS else 1


def _dpi(image: Image.Image) -> tuple[float, float]:
    try:
        across, down = (float(value) for value in image.info.get("dpi", (0, 0)))
    except (TypeError, ValueError, ZeroDivisionError):
        across = down = 0.0
    if not (math.isfinite(across) and math.isfinite(down)) or min(across, down) <= 0 or max(across, down) < _COARSEST:
        return _COARSEST, _COARSEST
    return min(across, 4800.0), min(down, 4800.0)  # a fax has 204 by 98


def _without_metadata(data: bytes) -> bytes:
    """A JPEG (ITU-T T.81 annex B) up to its end, without application data but JFIF (APP0) and Adobe (APP14)."""
    out, position = bytearray(b"\xff\xd8"), 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            position += 1
            continue
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == 0xD9:
            break
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD7:
            position += 2
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xDA:
            end = _end_of_scan(data, end)
        if marker != 0xFE and not (0xE0 < marker <= 0xEF and marker != 0xEE):
            out += data[position:end]
        position = end
    return bytes(out + b"\xff\xd9")


def _end_of_scan(data: bytes, position: int) -> int:
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            return len(data)
        if data[position + 1] not in (0x00, 0xFF) and not 0xD0 <= data[position + 1] <= 0xD7:
            return position
        position += 2 if data[position + 1] != 0xFF else 1


def _add_page(pdf: Pdf, picture: _Picture) -> None:
    image = pdf.make_stream(picture.data)
    image.Type, image.Subtype = Name.XObject, Name.Image
    image.Width, image.Height, image.BitsPerComponent = picture.width, picture.height, picture.bits
    image.Filter = picture.filter
    space: pikepdf.Object = Name.DeviceGray if picture.grey else Name.DeviceRGB
    components = 1 if picture.grey else 3
    if picture.profile:
        profile = pdf.make_stream(picture.profile, N=components)
        space = Array([Name.ICCBased, profile])
    image.ColorSpace = space
    if picture.filter == Name.FlateDecode:
        image.DecodeParms = Dictionary(
            Predictor=15, Colors=components, BitsPerComponent=picture.bits, Columns=picture.width
        )
    w, h = 72 * picture.width / picture.dpi[0], 72 * picture.height / picture.dpi[1]
    if picture.orientation >= 5:
        w, h = h, w
    scale = min(1.0, page_boxes.A4_WIDTH / w, page_boxes.A4_HEIGHT / h)
    w, h = w * scale, h * scale
    x, y = (page_boxes.A4_WIDTH - w) / 2, (page_boxes.A4_HEIGHT - h) / 2
    turn = " ".join(str(number) for number in _TURNS[picture.orientation])
    content = f"q {w:.4f} 0 0 {h:.4f} {x:.4f} {y:.4f} cm {turn} cm /Im0 Do Q\n".encode("ascii")
    pdf.add_blank_page(page_size=(page_boxes.A4_WIDTH, page_boxes.A4_HEIGHT))
    page = pdf.pages[-1]
    page.Contents = pdf.make_stream(content)
    page.Resources = Dictionary(XObject=Dictionary(Im0=image))
