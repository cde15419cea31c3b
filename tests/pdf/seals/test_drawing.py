"""Drawn seals have their true size, hold all their characters in order, and refuse what they cannot show."""

from __future__ import annotations

import io
import math
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pikepdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from engine.errors import Misuse, Rejected
from engine.pdf.seals import lettering
from engine.pdf.seals.design import USUAL, SealDesign, ValueOf, with_values
from engine.pdf.seals.drawing import RED, Drawing, draw
from engine.pdf.seals.export import operators, to_pdf, to_picture, to_svg, write
from engine.pdf.seals.lettering import Ring
from engine.pdf.seals.shapes import Shape

NAME = "示例省示范高新技术产业开发区样品精密制造股份有限公司"
COMPANY = SealDesign(kind="company", name="示例科技（演示）有限公司", number="9999990000000")
DESIGNS = (
    COMPANY,
    SealDesign(kind="contract", name="示例商贸有限公司", number="9999990000001"),
    SealDesign(kind="finance", name="示例集团"),
    SealDesign(kind="personnel", name=NAME, size=42),
    SealDesign(kind="company", name="SAMPLE TECHNOLOGY (DEMO) LTD.", size=45),
    SealDesign(kind="invoice", name="示例科技（演示）有限公司", number="91999999MA00000000"),
    SealDesign(kind="oval", name="SAMPLE TECHNOLOGY COMPANY LIMITED", text="示例科技有限公司"),
    SealDesign(kind="name", name="张示例"),
    SealDesign(kind="name", name="欧阳示例", style="white"),
)


def bounds(shape: Shape) -> tuple[float, float, float, float]:
    points = [value for _, values in shape.outline for value in values]
    return min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])


def ink(design: SealDesign, dpi: int = 200) -> Image.Image:
    return to_picture(draw(design), dpi).getchannel("A")


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: f"{design.kind}-{len(design.name)}")
def test_a_seal_fills_its_true_size_and_nothing_more(design: SealDesign) -> None:
    drawn = draw(design)
    assert drawn.width == (design.size or USUAL[design.kind].width)
    boxes = [bounds(shape) for shape in drawn.shapes]
    pen = max(shape.stroke for shape in drawn.shapes) / 2
    assert (min(box[0] for box in boxes), min(box[1] for box in boxes)) == pytest.approx((0, 0), abs=1e-6)
    assert max(box[2] for box in boxes) == pytest.approx(drawn.width)
    assert max(box[3] for box in boxes) == pytest.approx(drawn.height)
    assert all(box[0] - pen > 0.9 for box in boxes[1:]) or design.kind == "name", "words stay inside of the ring"
    picture = to_picture(drawn, 600)
    assert picture.size == (round(drawn.width / 25.4 * 600), round(drawn.height / 25.4 * 600))
    assert picture.getchannel("A").getbbox() == (0, 0, *picture.size)


@pytest.mark.parametrize("design", [one for one in DESIGNS if one.kind not in ("name",)], ids=lambda one: one.kind)
def test_words_touch_neither_ring_nor_star_nor_each_other(design: SealDesign) -> None:
    drawn = draw(design)
    alone = [to_picture(Drawing(drawn.width, drawn.height, (shape,)), 200).getchannel("A") for shape in drawn.shapes]
    for number, one in enumerate(alone):
        for other in alone[number + 1 :]:
            assert ImageChops.multiply(one, other).getextrema()[1] < 40


@pytest.mark.parametrize("length", [2, 4, 6, 10, 16, 20, 25, 30, 36])
@pytest.mark.parametrize("kind", ["company", "contract"])
def test_names_of_every_length_stand_apart_and_symmetric(kind: str, length: int) -> None:
    """Every character is 田, so that each is one island of ink and the seal nearly its own mirror image."""
    drawn = draw(SealDesign(kind=kind, name="田" * length, text=""))  # type: ignore[arg-type]  # one of the kinds
    name = to_picture(Drawing(drawn.width, drawn.height, drawn.shapes[2:3]), 400).getchannel("A")
    mirrored = name.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert ImageStat.Stat(ImageChops.difference(name, mirrored)).mean[0] < 3
    assert islands(name) == length
    left, bottom, right, top = bounds(drawn.shapes[2])
    assert left + right == pytest.approx(drawn.width, abs=0.2)
    assert top - bottom > 3 and (length < 20 or bottom < drawn.height / 2)


def islands(picture: Image.Image) -> int:
    """How many connected parts the ink has."""
    small = picture.point(lambda value: 255 * (value > 100))
    width = small.width
    pixels = bytearray(small.tobytes())
    count = 0
    for start in range(len(pixels)):
        if pixels[start]:
            count += 1
            stack = [start]
            pixels[start] = 0
            while stack:
                at = stack.pop()
                for near in (
                    at - 1,
                    at + 1,
                    at - width,
                    at + width,
                    at - width - 1,
                    at - width + 1,
                    at + width - 1,
                    at + width + 1,
                ):
                    if 0 <= near < len(pixels) and pixels[near]:
                        pixels[near] = 0
                        stack.append(near)
    return count


@given(a=st.floats(8, 22), flat=st.floats(0.6, 1), degrees=st.floats(20, 300))
@settings(max_examples=40, deadline=None)
def test_lengths_along_an_ellipse_are_true(a: float, flat: float, degrees: float) -> None:
    curve = Ring(0, 0, a, a * flat).below(0)
    half = curve.length(degrees) / 2
    points = [curve.place(half * step / 200)[:2] for step in range(201)]
    assert sum(math.dist(one, other) for one, other in pairwise(points)) == pytest.approx(half, rel=5e-3)
    x, y = points[-1]
    assert math.degrees(math.atan2(x, y)) % 360 == pytest.approx(degrees / 2, abs=1)


def test_rare_characters_are_drawn_and_missing_ones_named() -> None:
    assert draw(SealDesign(kind="name", name="王䶮"))
    assert draw(SealDesign(kind="company", name="示例𠮷商贸有限公司"))
    for name in ("示例\U0002fa1f有限公司", "示例\ue000公司", "示例😀公司"):
        with pytest.raises(Rejected) as refusal:
            draw(SealDesign(kind="company", name=name))
        assert refusal.value.code == "seal.no_glyph" and "U+" in refusal.value.text.zh


@pytest.mark.parametrize(
    "design",
    [
        SealDesign(kind="company", name="田" * 70),
        SealDesign(kind="contract", name="示例公司", text="田" * 16),
        SealDesign(kind="company", name="示例公司", number="W" * 24),
        SealDesign(kind="name", name="一二三四五六七"),
    ],
)
def test_what_could_not_be_read_is_refused(design: SealDesign) -> None:
    with pytest.raises(Rejected) as refusal:
        draw(design)
    assert refusal.value.code == "seal.too_long"


def test_the_characters_of_a_name_seal_run_down_columns_from_the_right() -> None:
    glyphs = lettering.read("一十示", "serif").glyphs
    cells = {text: ink(SealDesign(kind="name", name=text, text="")) for text in ("十一", "一十")}
    upper = {text: cell.crop((20, 20, cell.width - 20, cell.height // 2)) for text, cell in cells.items()}
    assert len(glyphs) == 3
    assert ImageStat.Stat(upper["十一"]).mean[0] != ImageStat.Stat(upper["一十"]).mean[0]
    three = ink(SealDesign(kind="name", name="田一", text="一"))
    right = three.crop((three.width // 2, 0, three.width, three.height))
    left = three.crop((0, 0, three.width // 2, three.height))
    assert ImageStat.Stat(right).mean[0] > ImageStat.Stat(left).mean[0] * 1.2, "the first stands at the right, alone"


@pytest.mark.parametrize(("name", "cells"), [("张", 2), ("王二", 4), ("张示例", 4), ("欧阳示例", 4)])
def test_a_name_is_followed_by_what_fills_the_square(name: str, cells: int) -> None:
    suffix = {2: "印", 4: "之印" if len(name) == 2 else "印"}[cells] if len(name) < 4 else ""
    assert to_svg(draw(SealDesign(kind="name", name=name))) == to_svg(
        draw(SealDesign(kind="name", name=name, text=suffix))
    )


def test_white_characters_are_holes() -> None:
    white = ink(SealDesign(kind="name", name="田", text="", style="white"), 300)
    red = ink(SealDesign(kind="name", name="田", text=""), 300)
    assert white.getpixel((white.width // 2, white.height // 2)) == 0
    assert red.getpixel((red.width // 2, red.height // 2)) == 255
    assert ImageStat.Stat(white).mean[0] > 120 > ImageStat.Stat(red).mean[0]


def test_svg_pdf_and_png_show_the_same(tmp_path: Path) -> None:
    drawn = draw(COMPANY)
    for ending in ("svg", "pdf", "png"):
        write(drawn, tmp_path / f"seal.{ending}")
    with Image.open(tmp_path / "seal.png") as png:
        assert png.info["dpi"][0] == pytest.approx(600, abs=0.1)
        assert png.convert("RGBA").getpixel((png.width // 2, png.height // 2)) == (*RED, 255)
    root = ElementTree.parse(tmp_path / "seal.svg").getroot()
    assert (root.get("width"), root.get("viewBox")) == ("40mm", "0 0 40 40")
    svg = " ".join(path.get("d", "") for path in root.iter("{http://www.w3.org/2000/svg}path"))
    numbers = operators(drawn).count(b" c ") + operators(drawn).count(b" l ")
    assert svg.count("C") + svg.count("L") == numbers
    document = pypdfium2.PdfDocument(tmp_path / "seal.pdf")
    assert document[0].get_size() == pytest.approx((113.39, 113.39), abs=0.01)
    assert document[0].get_textpage().get_text_bounded() == "", "outlines are no text that would be extracted twice"
    document.close()
    with pytest.raises(Misuse) as refusal:
        write(drawn, tmp_path / "seal.gif")
    assert refusal.value.code == "seal.format"


def test_the_same_words_give_the_same_bytes() -> None:
    assert to_pdf(draw(COMPANY)) == to_pdf(draw(COMPANY))
    with pikepdf.open(io.BytesIO(to_pdf(draw(COMPANY)))) as pdf:
        assert "/Font" not in pdf.pages[0].obj.get("/Resources", {})


def test_sizes_are_those_a_kind_may_have() -> None:
    for kind, size in (("company", 37), ("company", 46), ("invoice", 45), ("name", 40)):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"kind": kind, "name": "示例公司", "size": size}, SealDesign)


def test_a_name_may_come_from_the_document() -> None:
    design = msgspec.convert({"kind": "company", "name": {"value": "单位名称"}}, SealDesign)
    assert isinstance(design.name, ValueOf)
    assert with_values(design, {"单位名称": " 示例公司 "}).name == "示例公司"
    for values in ({}, {"单位名称": "  "}, {"单位名称": 5}):
        with pytest.raises(Rejected) as refusal:
            with_values(design, values)
        assert refusal.value.code == "seal.no_value" and "单位名称" in refusal.value.text.en
