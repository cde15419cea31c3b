from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from PIL import Image
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from engine.pdf.page_comparison import PagesCompared, compare_pages
from tests.trust.paper import draw_paper

Edit = Callable[[IncrementalPdfFileWriter], None]


def changed(file: Path, edit: Edit) -> int:
    """Append a revision; gives the size of the file before."""
    before = file.read_bytes()
    writer = IncrementalPdfFileWriter(io.BytesIO(before))
    edit(writer)
    with file.open("wb") as stream:
        writer.write(stream)
    return len(before)


def compare(file: Path, end: int, most: int = 5) -> PagesCompared:
    return compare_pages(file, end, file.parent, "x", most)


def paint(writer: IncrementalPdfFileWriter, number: int, drawing: bytes) -> None:
    page = writer.root["/Pages"]["/Kids"][number]
    page["/Contents"] = generic.ArrayObject(
        [page.raw_get("/Contents"), writer.add_object(generic.StreamObject(stream_data=drawing))]
    )
    writer.update_container(page)


def fill_signature(writer: IncrementalPdfFileWriter, index: int) -> None:
    """A signature field gets a value and a look, as a later signer's seal."""
    field = writer.root["/AcroForm"]["/Fields"][index]
    field["/V"] = writer.add_object(generic.DictionaryObject({pdf_name("/Type"): pdf_name("/Sig")}))
    look = generic.StreamObject(
        {
            pdf_name("/Type"): pdf_name("/XObject"),
            pdf_name("/Subtype"): pdf_name("/Form"),
            pdf_name("/BBox"): generic.ArrayObject(map(generic.NumberObject, (0, 0, 100, 100))),
        },
        stream_data=b"0.8 0 0 rg 0 0 100 100 re f",
    )
    field["/AP"] = generic.DictionaryObject({pdf_name("/N"): writer.add_object(look)})
    writer.update_container(field)


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    return draw_paper(tmp_path / "paper.pdf", pages=3)


def test_a_revision_nobody_sees_changes_no_page(paper: Path) -> None:
    end = changed(paper, lambda writer: writer.update_root())
    found = compare(paper, end)
    assert (found.before, found.after, found.differing, found.added, found.removed) == (3, 3, (), (), ())
    assert found.complete


def test_a_painted_square_is_found_where_it_is_and_shown_beside_the_page_as_it_was(paper: Path) -> None:
    end = changed(paper, lambda writer: paint(writer, 1, b"1 0 0 rg 72 72 72 36 re f"))
    (page,) = compare(paper, end).differing
    assert (page.before, page.after, page.signatures_only) == (2, 2, False)
    ((left, top, right, bottom),) = page.boxes
    assert abs(left - 96) <= 16 and abs(right - 192) <= 16  # 72 points are 96 pixels
    assert abs(bottom - (841.89 - 72) * 96 / 72) <= 16 and 30 < bottom - top < 80
    assert page.picture == "x-page-2.png"
    with Image.open(paper.parent / page.picture) as picture:
        assert picture.width > 2 * 780
        drawn = picture.convert("RGB")
    assert drawn.getpixel((144, int((841.89 - 90) * 96 / 72))) == (255, 255, 255)
    red, green, _ = drawn.getpixel((picture.width - 794 + 144, int((841.89 - 90) * 96 / 72)))  # type: ignore[misc]
    assert red > 200 > green


def test_a_later_seal_is_told_apart_from_other_changes(paper: Path) -> None:
    end = changed(paper, lambda writer: fill_signature(writer, 1))
    (page,) = compare(paper, end).differing
    assert page.signatures_only and page.after == 1

    def both(writer: IncrementalPdfFileWriter) -> None:
        fill_signature(writer, 0)
        paint(writer, 0, b"0 0 0 rg 300 600 20 20 re f")

    end = changed(paper, both)
    (page,) = compare(paper, end).differing
    assert not page.signatures_only
    assert len(page.boxes) == 1  # the seal is not what the box marks


def test_a_seal_over_a_field_signed_before_is_no_later_seal(paper: Path) -> None:
    changed(paper, lambda writer: fill_signature(writer, 0))
    end = changed(paper, lambda writer: paint(writer, 0, b"0 1 0 rg 55 95 110 110 re f"))
    (page,) = compare(paper, end).differing
    assert not page.signatures_only


@pytest.mark.parametrize("place", [0, 3])
def test_an_added_page_is_named_and_the_others_stay_the_same(paper: Path, place: int) -> None:
    end = paper.stat().st_size
    original = paper.read_bytes()
    with pikepdf.open(io.BytesIO(original)) as document:
        document.add_blank_page()
        if place == 0:
            document.pages.insert(0, document.pages[-1])
            del document.pages[-1]
        document.save(paper.parent / "more.pdf")
    # Compared is a prefix with the whole: the older file in front of the newer one is read as the older and the newer.
    joined = paper.parent / "joined.pdf"
    joined.write_bytes(original + (paper.parent / "more.pdf").read_bytes())
    found = compare(joined, end)
    if found.after == 4:
        assert found.added == (place + 1,)
        assert found.differing == ()


def test_only_so_many_pictures_are_written(paper: Path) -> None:
    def everywhere(writer: IncrementalPdfFileWriter) -> None:
        for number in range(3):
            paint(writer, number, b"0 0 1 rg 72 72 72 72 re f")

    found = compare(paper, changed(paper, everywhere), most=2)
    assert [page.picture is not None for page in found.differing] == [True, True, False]
    assert len(list(paper.parent.glob("*.png"))) == 2


def test_a_page_of_another_size_differs_as_a_whole(paper: Path) -> None:
    def shrink(writer: IncrementalPdfFileWriter) -> None:
        page = writer.root["/Pages"]["/Kids"][2]
        page["/MediaBox"] = generic.ArrayObject(map(generic.NumberObject, (0, 0, 200, 200)))
        writer.update_container(page)

    (page,) = compare(paper, changed(paper, shrink)).differing
    assert page.after == 3 and len(page.boxes) == 1
