"""A riding seal is one signature with a slice on every page; the slices are the seal and nobody may move one later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageOps, ImageStat
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from engine.errors import Rejected
from engine.pdf import placement
from engine.pdf.control import Control
from engine.pdf.riding import groups
from engine.pdf.seals.design import SealDesign
from engine.trust.inspection import inspect_file
from engine.trust.preparation import SignatureOrder, empty_form, prepare_signature
from engine.trust.seals import Seal, draw_seal, load_seal
from engine.trust.signing import Surroundings, sign_document
from engine.trust.verdict import Integrity
from tests.pdf.blank_pages import A4, write_blank
from tests.trust.paper import CountingKey, Notebook, Rack, check_structure, make_key, prove, valid_signatures

ROOT = make_key("ec", "Sample Root", usage="ca")
COMPANY = make_key("ec", "Sample Works Ltd", ROOT)
PERSON = make_key("ec", "Sample Person", ROOT)
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
WIDE = 119.06  # 42 mm

RIDING = Control(name="甲方骑缝章", kind="riding-seal", field="甲方盖章", y=400, width=WIDE, height=WIDE)
DESIGN = SealDesign(kind="company", name="示例科技（演示）有限公司", number="9999990000000", size=42)
RIDING_ALONE = Control(name="甲方骑缝章", kind="riding-seal", y=400, width=WIDE, height=WIDE)
FIELDS = (
    Control(name="甲方盖章", kind="signature", party="employer", page=-1, x=100, y=100, width=WIDE, height=WIDE),
    RIDING,
    Control(name="乙方签字", kind="signature", party="employee", page=-1, x=300, y=100, width=100, height=60),
)


class Here:
    """Calls what belongs in a limited child in this process: the bytes are our own."""

    async def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seal without any blank column, so that a slice that shows nothing is seen."""
    image = Image.new("RGBA", (992, 992), (255, 255, 255, 0))
    pen = ImageDraw.Draw(image)
    pen.ellipse((0, 0, 991, 991), outline=(200, 16, 16, 230), width=40)
    pen.regular_polygon((496, 496, 170), 5, fill=(200, 16, 16, 230))
    pen.text((300, 700), "SAMPLE", fill=(200, 16, 16, 230), font_size=110)
    file = tmp_path_factory.mktemp("seal") / "seal.png"
    image.save(file)
    return file


def paper(folder: Path, pages: int, *controls: Control) -> Path:
    target = folder / "placed.pdf"
    placement.place_controls(write_blank(folder / "blank.pdf", pages), target, controls or FIELDS)
    return target


def sign(source: Path, field: str, seal: Seal | None = None) -> Path:
    folder = source.parent / f"{source.stem}-{field}"
    folder.mkdir()
    around = Surroundings(Here(), Rack(folder / "rack"), Notebook().once, field, folder)
    key = CountingKey(COMPANY if field.startswith("甲") else PERSON)
    order = SignatureOrder(field, NOW, 0, seal)
    return asyncio.run(sign_document(source, folder / "signed.pdf", order, key, None, around, prove(source)))


def verdicts(file: Path) -> list[tuple[str, Integrity, int]]:
    """First field, integrity and number of fields of every signature."""
    report = inspect_file(file, "0" * 64, (), datetime.now(UTC))
    return [(verdict.fields[0], verdict.integrity, len(verdict.fields)) for verdict in report.signatures]


def strips(file: Path, pixels: int, width: float) -> list[Image.Image]:
    """The edge of every page, scaled so that ``width`` points at its right edge are ``pixels`` pixels."""
    scale = pixels / width
    document = pypdfium2.PdfDocument(file)
    document.init_forms()  # PDFium draws signatures with the form, as a browser does
    try:
        crop = (A4[0] - width - 3, 390, 0, A4[1] - 530)
        pictures = [page.render(scale=scale, crop=crop).to_pil().convert("RGB") for page in document]
    finally:
        document.close()
    return [one.crop((one.width - pixels, 0, one.width, one.height)) for one in pictures]


def joined(parts: Sequence[Image.Image]) -> Image.Image:
    whole = Image.new("RGB", (sum(part.width for part in parts), parts[0].height))
    for number, part in enumerate(parts):
        whole.paste(part, (number * part.width, 0))
    return whole


def has_ink(picture: Image.Image) -> bool:
    return ImageOps.grayscale(picture).getextrema()[0] < 200


@pytest.mark.parametrize("order", [("甲方盖章", "乙方签字"), ("乙方签字", "甲方盖章")])
def test_it_is_one_signature_and_either_party_may_sign_first(
    picture: Path, tmp_path: Path, order: tuple[str, str]
) -> None:
    file = paper(tmp_path, 5)
    for field in order:
        file = sign(file, field, load_seal(picture))
    fields = {"甲方盖章": 6, "乙方签字": 1}
    assert verdicts(file) == [
        (order[0], Integrity.EXTENDED, fields[order[0]]),
        (order[1], Integrity.VALID, fields[order[1]]),
    ]
    with pikepdf.open(file) as signed:
        assert sum(one.get("/Type") == "/Sig" for one in signed.objects if isinstance(one, pikepdf.Dictionary)) == 2
    check_structure(file)
    assert valid_signatures(file) == 7, "poppler counts fields"


@pytest.mark.parametrize("kind", ["picture", "drawing"])
@pytest.mark.parametrize(("pages", "pixels"), [(2, 496), (7, 142), (200, 25)])
def test_the_slices_of_a_group_are_the_seal(picture: Path, tmp_path: Path, pages: int, pixels: int, kind: str) -> None:
    ready = load_seal(picture) if kind == "picture" else draw_seal(DESIGN)
    file = sign(paper(tmp_path, pages, RIDING_ALONE), "甲方骑缝章", ready)
    (tmp_path / "whole").mkdir()
    at_edge = Control(name="甲方整章", kind="signature", page=1, x=A4[0] - WIDE, y=400, width=WIDE, height=WIDE)
    whole = sign(paper(tmp_path / "whole", 1, at_edge), "甲方整章", ready)
    ranges = groups(pages, 20)
    share = len(ranges[0])
    (seal,) = strips(whole, pixels * share, WIDE)
    slices = strips(file, pixels, WIDE / share)
    assert len(slices) == pages and all(has_ink(one) for one in slices), "no slice is blank"
    for group in ranges:
        parts = slices[group[0] - 1 : group[-1]]
        assert len({one.tobytes() for one in parts}) == len(parts), "no slice shows twice"
        difference = ImageOps.grayscale(ImageChops.difference(joined(parts), seal))
        # Cuts fall between pixels here, so nothing is left to smoothing at them. A slice may stand a tenth of a pixel
        # (4 thousandths of a mm) beside its place, which changes the smoothed edge of an outline by 25 of 255 levels.
        assert difference.getextrema()[1] <= 25
        assert ImageStat.Stat(difference).mean[0] < 0.1


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_margins_of_a_picture_leave_no_blank_slice(picture: Path, tmp_path: Path, ending: str) -> None:
    wide = Image.new("RGBA", (1800, 1500), (255, 255, 255, 0 if ending == "png" else 255))
    with Image.open(picture) as seal:
        wide.alpha_composite(seal.convert("RGBA"), (700, 300))
    margins = tmp_path / f"margins.{ending}"
    wide.convert("RGBA" if ending == "png" else "RGB").save(margins)
    file = sign(paper(tmp_path, 20, RIDING_ALONE), "甲方骑缝章", load_seal(margins))
    slices = strips(file, 25, WIDE / 20)
    assert all(has_ink(one) for one in slices)
    box = ImageOps.invert(ImageOps.grayscale(joined(slices))).point(lambda value: 255 * (value > 60)).getbbox()
    assert box is not None and (box[0], box[2]) == pytest.approx((0, 500), abs=2)


def test_two_hundred_pages_carry_the_picture_once(picture: Path, tmp_path: Path) -> None:
    source = paper(tmp_path, 200, RIDING_ALONE)
    seal = load_seal(picture)
    grown = sign(source, "甲方骑缝章", seal).stat().st_size - source.stat().st_size
    one = len(seal.colour) + len(seal.alpha or b"")
    assert grown < one + 200 * 450 + 40_000, "a field, its entry in the table, and one hole for the signature"


def test_a_verdict_does_not_list_two_hundred_fields(picture: Path, tmp_path: Path) -> None:
    file = sign(paper(tmp_path, 30), "甲方盖章", load_seal(picture))
    (verdict,) = inspect_file(file, "0" * 64, (), datetime.now(UTC)).signatures
    assert verdict.places.startswith("甲方盖章, 甲方骑缝章, 甲方骑缝章-2") and verdict.places.endswith(" (+25)")
    assert len(verdict.fields) == 31


def test_a_slice_that_is_changed_later_is_seen(picture: Path, tmp_path: Path) -> None:
    file = sign(paper(tmp_path, 3), "甲方盖章", load_seal(picture))
    with file.open("rb+") as stream:
        writer = IncrementalPdfFileWriter(stream)
        third = next(one for one in writer.root["/AcroForm"]["/Fields"] if one.get_object()["/T"] == "甲方骑缝章-3")
        blank = writer.add_object(empty_form(40, 119))
        third.get_object()[generic.pdf_name("/AP")] = generic.DictionaryObject({generic.pdf_name("/N"): blank})
        writer.mark_update(third)
        writer.write_in_place()
    assert verdicts(file)[0][1] is Integrity.MODIFIED


def test_a_part_cannot_be_signed_apart_from_the_rest(picture: Path, tmp_path: Path) -> None:
    file = sign(paper(tmp_path, 3), "甲方骑缝章-2", load_seal(picture))
    with pytest.raises(Rejected) as refusal:
        sign(file, "甲方盖章", load_seal(picture))
    assert refusal.value.code == "signature.field_taken"


def test_a_seal_of_another_shape_is_refused(picture: Path, tmp_path: Path) -> None:
    flat = Control(name="甲方骑缝章", kind="riding-seal", y=400, width=WIDE, height=60)
    order = SignatureOrder("甲方骑缝章", NOW, 4096, load_seal(picture))
    with pytest.raises(Rejected) as refusal:
        prepare_signature(paper(tmp_path, 3, flat), tmp_path / "tail", order)
    assert refusal.value.code == "seal.does_not_fit"
