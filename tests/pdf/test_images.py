import io
from pathlib import Path

import pikepdf
import pytest
from PIL import Image, ImageCms

from engine.errors import Rejected
from engine.pdf import images
from engine.pdf.images import image_to_pdf
from engine.pdf.page_boxes import A4_HEIGHT, A4_WIDTH
from tests.pdf.pictures_of_pages import colour_at, picture, size

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)


@pytest.fixture(autouse=True)
def _pixel_limit_of_this_test_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)


def _quarters(width: int = 400, height: int = 600) -> Image.Image:
    """Red, green over blue, yellow."""
    image = Image.new("RGB", (width, height))
    for colour, x, y in ((RED, 0, 0), (GREEN, 1, 0), (BLUE, 0, 1), (YELLOW, 1, 1)):
        image.paste(colour, (x * width // 2, y * height // 2, (x + 1) * width // 2, (y + 1) * height // 2))
    return image


def _seen(path: Path, page: int = 0) -> list[tuple[int, int, int]]:
    """Colours of the four quarters of the middle of a page, left to right and top to bottom."""
    image = picture(path, page)
    middle = (A4_WIDTH / 2, A4_HEIGHT / 2)
    return [colour_at(image, middle[0] + x, middle[1] + y) for y in (30, -30) for x in (-30, 30)]


def _close(one: tuple[int, int, int], other: tuple[int, int, int], by: int = 12) -> bool:
    return all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_all_eight_exif_orientations_come_out_upright(tmp_path: Path, orientation: int, kind: str) -> None:
    upright = _quarters()
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo", kind, exif=exif)
    image_to_pdf(tmp_path / "photo", tmp_path / "photo.pdf")
    for seen, meant in zip(_seen(tmp_path / "photo.pdf"), (RED, GREEN, BLUE, YELLOW), strict=True):
        assert _close(seen, meant)


def test_a_jpeg_keeps_its_compressed_bytes_and_loses_where_it_was_taken(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    _quarters().save(tmp_path / "photo.jpg", exif=exif, comment=b"secret words", progressive=True)
    image_to_pdf(tmp_path / "photo.jpg", tmp_path / "photo.pdf")
    with pikepdf.open(tmp_path / "photo.pdf") as pdf:
        stored = pdf.pages[0].Resources.XObject.Im0
        kept = stored.read_raw_bytes()
        assert stored.Filter == "/DCTDecode"
    assert b"secret" not in kept
    original = (tmp_path / "photo.jpg").read_bytes()
    assert original[original.index(b"\xff\xdb") :] == kept[kept.index(b"\xff\xdb") :]
    with Image.open(io.BytesIO(kept)) as image, Image.open(tmp_path / "photo.jpg") as before:
        assert image.tobytes() == before.tobytes()


def test_what_follows_the_end_of_a_jpeg_is_left_out(tmp_path: Path) -> None:
    _quarters().save(tmp_path / "photo.jpg")
    with (tmp_path / "photo.jpg").open("ab") as file:
        file.write(b"PK\x03\x04 a zip behind it")
    image_to_pdf(tmp_path / "photo.jpg", tmp_path / "photo.pdf")
    assert b"behind it" not in (tmp_path / "photo.pdf").read_bytes()


def test_each_page_of_a_tiff_is_a_page(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (400, 400), colour) for colour in (RED, GREEN, BLUE)]
    pages[0].save(tmp_path / "fax.tif", save_all=True, append_images=pages[1:])
    assert image_to_pdf(tmp_path / "fax.tif", tmp_path / "fax.pdf") == 3
    assert [_seen(tmp_path / "fax.pdf", page)[0] for page in range(3)] == [RED, GREEN, BLUE]
    with pytest.raises(Rejected) as refusal:
        image_to_pdf(tmp_path / "fax.tif", tmp_path / "fax.pdf", page_limit=2)
    assert refusal.value.code == "document.too_many_pages"


def test_transparency_stands_on_white_paper(tmp_path: Path) -> None:
    for mode, colour in (("RGBA", (0, 0, 0, 0)), ("LA", (0, 0))):
        Image.new(mode, (400, 400), colour).save(tmp_path / "clear.png")
        image_to_pdf(tmp_path / "clear.png", tmp_path / "clear.pdf")
        assert set(_seen(tmp_path / "clear.pdf")) == {(255, 255, 255)}


def test_sixteen_bits_keep_their_greys(tmp_path: Path) -> None:
    Image.new("I;16", (400, 400), 0x8000).save(tmp_path / "deep.png")
    image_to_pdf(tmp_path / "deep.png", tmp_path / "deep.pdf")
    assert _close(_seen(tmp_path / "deep.pdf")[0], (128, 128, 128), by=1)


def test_print_colours_and_lab_come_out_as_screen_colours(tmp_path: Path) -> None:
    Image.new("CMYK", (400, 400), (0, 255, 255, 0)).save(tmp_path / "print.jpg", quality=95)
    image_to_pdf(tmp_path / "print.jpg", tmp_path / "print.pdf")
    assert _close(_seen(tmp_path / "print.pdf")[0], RED, by=40)
    lab = ImageCms.profileToProfile(
        Image.new("RGB", (400, 400), RED),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert lab is not None
    lab.save(tmp_path / "lab.tif")
    image_to_pdf(tmp_path / "lab.tif", tmp_path / "lab.pdf")
    assert _close(_seen(tmp_path / "lab.pdf")[0], RED, by=10)


@pytest.mark.parametrize(
    ("pixels", "dpi", "points"),
    [
        ((2480, 3508), (300, 300), (595.2, 841.9)),
        ((1240, 1748), (300, 300), (297.6, 419.5)),
        ((500, 400), None, (360.0, 288.0)),
        ((500, 400), (72, 72), (360.0, 288.0)),
        ((4000, 1000), None, (A4_WIDTH, A4_WIDTH / 4)),
        ((1728, 1078), (204, 98), (595.276, 595.276 * (1078 / 98) / (1728 / 204))),
    ],
)
def test_resolution_decides_the_size_and_paper_bounds_it(
    tmp_path: Path, pixels: tuple[int, int], dpi: tuple[int, int] | None, points: tuple[float, float]
) -> None:
    Image.new("1", pixels).save(tmp_path / "scan.png", **({"dpi": dpi} if dpi else {}))
    image_to_pdf(tmp_path / "scan.png", tmp_path / "scan.pdf")
    with pikepdf.open(tmp_path / "scan.pdf") as pdf:
        matrix = next(iter(pikepdf.parse_content_stream(pdf.pages[0], "cm"))).operands
    assert [float(matrix[0]), float(matrix[3])] == pytest.approx(points, rel=0.01)
    assert size(tmp_path / "scan.pdf") == pytest.approx((A4_WIDTH, A4_HEIGHT), abs=0.01)


def test_the_same_picture_gives_the_same_bytes(tmp_path: Path) -> None:
    _quarters().save(tmp_path / "a.png")
    for target in ("one.pdf", "two.pdf"):
        image_to_pdf(tmp_path / "a.png", tmp_path / target)
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()


def test_torn_pictures_are_refused_not_half_grey(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "TIFF"):
        _quarters().save(tmp_path / "whole", kind)
        content = (tmp_path / "whole").read_bytes()
        (tmp_path / "torn").write_bytes(content[: len(content) // 2])
        with pytest.raises(Rejected) as refusal:
            image_to_pdf(tmp_path / "torn", tmp_path / "torn.pdf")
        assert refusal.value.code == "document.damaged"


def test_more_pixels_than_any_scan_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "PIXEL_LIMIT", 10_000)
    _quarters().save(tmp_path / "huge.png")
    with pytest.raises(Rejected) as refusal:
        image_to_pdf(tmp_path / "huge.png", tmp_path / "huge.pdf")
    assert refusal.value.code == "document.too_large"


def test_light_ink_on_nothing_is_put_on_black_and_a_picture_all_transparent_shows_its_colours(tmp_path: Path) -> None:
    light = Image.new("RGBA", (60, 60), (255, 255, 255, 0))
    light.paste((255, 255, 255, 255), (20, 20, 40, 40))
    light.save(tmp_path / "light.png")
    Image.merge("RGBA", [*Image.linear_gradient("L").convert("RGB").split(), Image.new("L", (256, 256), 0)]).save(
        tmp_path / "zero.png"
    )
    for name in ("light.png", "zero.png"):
        image_to_pdf(tmp_path / name, tmp_path / "target.pdf")
        low, high = picture(tmp_path / "target.pdf").convert("L").getextrema()
        assert (low, high) == (0, 255), name


def test_a_jpeg_narrower_than_the_step_it_is_checked_in_is_taken(tmp_path: Path) -> None:
    Image.new("RGB", (5, 300), "red").save(tmp_path / "a.jpg")
    assert image_to_pdf(tmp_path / "a.jpg", tmp_path / "a.pdf") == 1
