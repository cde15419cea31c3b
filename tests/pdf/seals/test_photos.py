"""A red seal photographed on paper comes out as it was stamped: paper, light and other inks are gone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

from engine.errors import Rejected
from engine.pdf.seals.design import SealDesign
from engine.pdf.seals.drawing import RED, draw
from engine.pdf.seals.export import to_picture
from engine.pdf.seals.photos import Cleaned, clean_photo

DESIGN = SealDesign(kind="company", name="示例科技（演示）有限公司", number="9999990000000", size=42)
STAMPED = to_picture(draw(DESIGN), 400)  # 661 pixels for 42 mm
PLACE = (170, 120)


def sheet(colour: tuple[int, int, int] = (250, 250, 248)) -> Image.Image:
    """The seal on paper with black print and a blue signature beside it."""
    paper = Image.new("RGB", (1000, 900), colour)
    pen = ImageDraw.Draw(paper)
    for row in range(8):
        pen.text((60, 20 + row * 12), "Agreement of the parties " * 6, fill=(30, 30, 30))
    pen.line([(840, 820), (880, 700), (920, 840), (960, 690)], fill=(30, 50, 160), width=9, joint="curve")
    ink = Image.new("RGB", STAMPED.size, RED)
    paper.paste(
        ImageChops.multiply(ink, paper.crop((*PLACE, PLACE[0] + ink.width, PLACE[1] + ink.height))), PLACE, STAMPED
    )
    return paper


def light(paper: Image.Image, dark: int, folds: bool = False) -> Image.Image:
    """Light that falls off to one corner, with the shadows of folds."""
    fall = Image.linear_gradient("L").rotate(30, expand=True).crop((60, 60, 290, 290)).resize(paper.size)
    shade = fall.point(lambda value: 255 - value * (255 - dark) // 255)
    if folds:
        pen = ImageDraw.Draw(shade)
        for x in (330, 640):
            pen.rectangle((x, 0, x + 14, 900), fill=max(dark - 30, 0))
    soft = shade.filter(ImageFilter.GaussianBlur(6))
    return ImageChops.multiply(paper, Image.merge("RGB", [soft] * 3))


def noise(paper: Image.Image, strength: int) -> Image.Image:
    rough = Image.frombytes("L", paper.size, random.Random(7).randbytes(paper.width * paper.height))
    grain = rough.point(lambda value: 128 + (value - 128) * strength // 128)
    return ImageChops.add(paper, Image.merge("RGB", [grain] * 3), scale=1, offset=-128)


PHOTOS = {
    "yellowed paper": sheet((238, 225, 190)),
    "grey paper": noise(sheet((205, 205, 200)), 14),
    "light from one side": light(sheet(), 110),
    "folds and noise": noise(light(sheet(), 130, folds=True), 18),
    "a dark photograph": light(sheet(), 90).point(lambda value: value * 6 // 10),
}


def clean(folder: Path, photo: Image.Image, size: float = 42, **options: object) -> tuple[Cleaned, Image.Image]:
    photo.save(folder / "photo.jpg", quality=88, **options)  # type: ignore[arg-type]  # options of Pillow's writer
    cleaned = clean_photo(folder / "photo.jpg", folder / "seal.png", size)
    with Image.open(folder / "seal.png") as picture:
        picture.load()
        return cleaned, picture


@pytest.mark.parametrize("kind", PHOTOS)
def test_the_seal_comes_out_as_it_was_stamped(tmp_path: Path, kind: str) -> None:
    cleaned, picture = clean(tmp_path, PHOTOS[kind])
    assert cleaned.pixels == pytest.approx(STAMPED.size, abs=4)
    got = picture.getchannel("A").resize(STAMPED.size, Image.Resampling.LANCZOS)
    stamped = STAMPED.getchannel("A")
    missed = ImageStat.Stat(ImageChops.difference(got, stamped)).mean[0] / ImageStat.Stat(stamped).mean[0]
    assert missed < 0.06
    away = ImageChops.multiply(got, stamped.filter(ImageFilter.MaxFilter(7)).point(lambda value: 255 * (value == 0)))
    assert away.getextrema()[1] < 40, "nothing is left where no ink was"
    assert all(abs(one - other) < 15 for one, other in zip(cleaned.colour, RED, strict=True)), cleaned.colour


def test_what_has_too_few_pixels_is_named(tmp_path: Path) -> None:
    small = sheet().resize((300, 270), Image.Resampling.LANCZOS)
    cleaned, picture = clean(tmp_path, small, 42)
    assert cleaned.coarse and 100 < cleaned.dpi < 140
    assert picture.info["dpi"][0] == pytest.approx(max(cleaned.pixels) / 42 * 25.4, abs=0.5)
    assert not clean(tmp_path, sheet(), 38)[0].coarse


def test_more_pixels_than_print_can_show_are_dropped(tmp_path: Path) -> None:
    cleaned, picture = clean(tmp_path, sheet().resize((2400, 2160), Image.Resampling.LANCZOS), 40)
    assert cleaned.dpi > 900 and picture.width == pytest.approx(945, abs=2)
    assert picture.info["dpi"][0] == pytest.approx(600, abs=1)


def test_a_seal_of_white_characters_keeps_them_open(tmp_path: Path) -> None:
    stamped = to_picture(draw(SealDesign(kind="name", name="张示例", style="white")), 600)
    paper = light(Image.new("RGB", (800, 800), (246, 244, 236)), 150)
    paper.paste(stamped, (180, 150), stamped)
    cleaned, picture = clean(tmp_path, paper, 20)
    assert cleaned.pixels == pytest.approx(stamped.size, abs=3)
    got = picture.getchannel("A").resize(stamped.size)
    difference = ImageStat.Stat(ImageChops.difference(got, stamped.getchannel("A"))).mean[0]
    assert difference < 255 * 0.05


def test_of_two_red_things_the_larger_is_the_seal(tmp_path: Path) -> None:
    paper = sheet()
    ImageDraw.Draw(paper).text((600, 840), "RED REMARK", fill=(220, 20, 20), font_size=30)
    assert clean(tmp_path, paper)[0].pixels == pytest.approx(STAMPED.size, abs=4)


def test_a_transparent_picture_is_cleaned_as_if_on_white(tmp_path: Path) -> None:
    STAMPED.save(tmp_path / "seal-before.png")
    cleaned = clean_photo(tmp_path / "seal-before.png", tmp_path / "seal.png", 42)
    assert cleaned.pixels == pytest.approx(STAMPED.size, abs=2)


@pytest.mark.parametrize("ink", [(20, 20, 20), (30, 50, 170), (238, 225, 190)])
def test_a_picture_without_a_red_seal_is_refused(tmp_path: Path, ink: tuple[int, int, int]) -> None:
    paper = light(Image.new("RGB", (400, 400), (245, 238, 215)), 120)
    ImageDraw.Draw(paper).ellipse((60, 60, 340, 340), outline=ink, width=12)
    with pytest.raises(Rejected) as refusal:
        clean(tmp_path, paper)
    assert refusal.value.code == "seal.not_found"
