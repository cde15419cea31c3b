"""New content stands in front and is untouched by whatever the old content leaves open."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name

from engine.pdf import page_layer
from engine.pdf.page_layer import Layer
from tests.pdf.blank_pages import A4, ink_box

SQUARE = "100 100 50 50 re f"


def draw_over(folder: Path, content: bytes) -> Path:
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=A4)
        page = pdf.pages[0].obj
        page.Contents = pdf.make_stream(content)
        page_layer.add(pdf, page, Layer(fonts={}, operators=[SQUARE]))
        pdf.save(folder / "layered.pdf")
    return folder / "layered.pdf"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"q 1 1 1 rg Q",
        b"1 1 1 rg 3 0 0 3 50 50 cm",
        b"q q 0 0 1 1 re W n",
        b"Q Q 0 0 1 1 re W n",
        b"Q q 2 0 0 2 0 0 cm",
        b"BT 3 Tr",
        b"BT (q Q \\( q) Tj ET q 9 0 0 9 0 0 cm",
        b"[(a (b) q)] TJ q 0 0 1 1 re W n",
        b"% q q q\n0 0 1 1 re W n",
        b"q BI /W 1 /H 1 /BPC 8 /CS /G /D [1 0] ID Q EI 0 0 1 1 re W n",
        b"q <</A /q>> pop (unclosed",
    ],
)
def test_what_is_drawn_last_is_where_it_was_put(tmp_path: Path, content: bytes) -> None:
    assert ink_box(draw_over(tmp_path, content)) == pytest.approx((100, 100, 150, 150), abs=0.5)


@given(st.lists(st.sampled_from(["q", "Q", "BT", "ET", "0 g", "(q)", "/q", "<71>", "[", "]", "% Q\n"]), max_size=12))
def test_the_quick_look_never_says_closed_when_the_close_one_says_open(tokens: list[str]) -> None:
    content = " ".join(tokens).encode()
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=A4)
        page = pdf.pages[0].obj
        page.Contents = pdf.make_stream(content)
        if page_layer._is_plainly_closed(content):
            assert page_layer._is_closed(page)


def test_well_formed_content_keeps_its_streams_and_numbers(tmp_path: Path) -> None:
    """Tags of a page refer to marked content on the page itself; it must not move into a form."""
    with pikepdf.open(draw_over(tmp_path, b"/P <</MCID 0>> BDC q 0 0 5 5 re f Q EMC")) as pdf:
        joined = b"".join(stream.read_bytes() for stream in pdf.pages[0].Contents)
        assert b"/MCID 0" in joined and "/XObject" not in pdf.pages[0].Resources


def test_a_prefix_is_free_on_all_pages() -> None:
    with pikepdf.new() as pdf:
        for names in ({"Sealflow0Font0": 1}, {"Sealflow1Picture3": 1}, {"Other": 1}):
            pdf.add_blank_page(page_size=A4)
            pdf.pages[-1].obj.Resources = Dictionary(Font=Dictionary({f"/{name}": one for name, one in names.items()}))
        pages = [page.obj for page in pdf.pages]
        assert page_layer.free_prefix(pages) == "Sealflow2"
        assert page_layer.free_prefix(pages[2:]) == "Sealflow0"


def test_inherited_resources_still_serve_the_old_content(tmp_path: Path) -> None:
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=A4)
        page = pdf.pages[0].obj
        form = pdf.make_stream(
            b"300 300 20 20 re f", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 600, 900])
        )
        page.Parent.Resources = Dictionary(XObject=Dictionary(Old=form))
        del page.Resources
        page.Contents = pdf.make_stream(b"q /Old Do")
        page_layer.add(pdf, page, Layer(fonts={}, operators=[SQUARE]))
        pdf.save(tmp_path / "inherited.pdf")
    assert ink_box(tmp_path / "inherited.pdf") == pytest.approx((100, 100, 320, 320), abs=0.5)
