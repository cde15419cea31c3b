from pathlib import Path

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name

from engine.pdf import page_boxes
from engine.pdf.normalization import normalize
from engine.pdf.page_boxes import A4_HEIGHT, A4_WIDTH, LETTER, Box, placement, rotation, visible_box
from tests.pdf.pictures_of_pages import colour_at, picture, size

edges = st.floats(-1000, 1000)
sides = st.floats(20, 3000)
boxes = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), edges, edges, sides, sides)
turns = st.sampled_from([0, 90, 180, 270])


@given(boxes, turns)
def test_all_of_the_visible_box_lands_on_the_paper_and_touches_two_of_its_edges(box: Box, turn: int) -> None:
    placed = placement(box, turn)
    xs, ys = zip(*(placed.point(x, y) for x in (box.left, box.right) for y in (box.bottom, box.top)), strict=True)
    margins = (min(xs), A4_WIDTH - max(xs), min(ys), A4_HEIGHT - max(ys))
    assert min(margins) > -1  # a page that is A4 but for rounding may hang over by less than a point
    assert min(abs(margin) for margin in margins) < 1
    assert margins[0] == pytest.approx(margins[1], abs=1e-6)
    assert margins[2] == pytest.approx(margins[3], abs=1e-6)


@given(boxes, turns)
def test_the_upper_left_corner_as_seen_stays_the_upper_left(box: Box, turn: int) -> None:
    seen = {
        0: (box.left, box.top),
        90: (box.left, box.bottom),
        180: (box.right, box.bottom),
        270: (box.right, box.top),
    }[turn]
    x, y = placement(box, turn).point(*seen)
    assert x < A4_WIDTH / 2 and y > A4_HEIGHT / 2


def test_a_page_that_is_a4_but_for_rounding_keeps_its_size() -> None:
    assert placement(Box(0, 0, 595, 842), 0).matrix[:4] == (1, 0, 0, 1)
    assert placement(Box(0, 0, 842, 595), 90).matrix[:4] == (0, -1, 1, 0)


@pytest.mark.parametrize(
    ("media", "crop", "seen"),
    [
        ([0, 0, 100, 200], None, Box(0, 0, 100, 200)),
        ([100, 200, 0, 0], None, Box(0, 0, 100, 200)),
        ([0, 0, 100, 200], [10, 20, 30, 40], Box(10, 20, 30, 40)),
        ([0, 0, 100, 200], [-50, -50, 50, 50], Box(0, 0, 50, 50)),
        ([0, 0, 100, 200], [300, 300, 400, 400], Box(0, 0, 100, 200)),
        ([0, 0, 100, 200], [50, 50, 50, 50], Box(0, 0, 100, 200)),
        ([0, 0, 0, 0], None, LETTER),
        ([0, 0, 1], None, LETTER),
        (None, None, LETTER),
    ],
)
def test_malformed_boxes_are_read_as_viewers_read_them(
    media: list[int] | None, crop: list[int] | None, seen: Box
) -> None:
    page = Dictionary()
    for key, value in ((Name.MediaBox, media), (Name.CropBox, crop)):
        if value is not None:
            page[key] = Array(value)
    with pikepdf.explicit_conversion():
        assert visible_box(page) == seen


@pytest.mark.parametrize(("given", "turn"), [(0, 0), (90, 90), (-90, 270), (450, 90), (45, 0), (179, 90), (3600, 0)])
def test_odd_rotations_are_cut_to_quarter_turns(given: int, turn: int) -> None:
    with pikepdf.explicit_conversion():
        assert rotation(Dictionary(Rotate=given)) == turn


def test_attributes_come_from_the_nearest_ancestor_and_circles_end() -> None:
    with pikepdf.explicit_conversion():
        pdf = pikepdf.Pdf.new()
        top = pdf.make_indirect(Dictionary(Rotate=90))
        middle = Dictionary(Parent=top)
        assert page_boxes.rotation(Dictionary(Parent=middle)) == 90
        top.Parent = top
        assert page_boxes.inherited(Dictionary(Parent=middle), "/Missing") is None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    box=st.builds(
        lambda x, y, w, h: Box(x, y, x + w, y + h),
        st.integers(-300, 300),
        st.integers(-300, 300),
        st.integers(60, 1200),
        st.integers(60, 1200),
    ),
    turn=turns,
    unit=st.sampled_from([None, 0.5, 2, 10]),
    across=st.floats(0.2, 0.8),
    up=st.floats(0.2, 0.8),
    cropped=st.booleans(),
)
def test_a_mark_is_drawn_where_geometry_says(
    tmp_path: Path, box: Box, turn: int, unit: float | None, across: float, up: float, cropped: bool
) -> None:
    x, y = box.left + across * box.width, box.bottom + up * box.height
    half = min(box.width, box.height) / 8
    pdf = pikepdf.Pdf.new()
    pdf.add_blank_page()
    page = pdf.pages[0].obj
    page.MediaBox = Array([box.left - 40, box.bottom - 40, box.right + 40, box.top + 40]) if cropped else _array(box)
    if cropped:
        page.CropBox = _array(box)
    page.Rotate = turn
    if unit:
        page.UserUnit = unit
    page.Contents = pdf.make_stream(f"1 0 0 rg {x - half} {y - half} {2 * half} {2 * half} re f".encode())
    pdf.save(tmp_path / "source.pdf")
    normalize(tmp_path / "source.pdf", tmp_path / "target.pdf")
    image = picture(tmp_path / "target.pdf")
    assert size(tmp_path / "target.pdf") == pytest.approx((A4_WIDTH, A4_HEIGHT), abs=0.01)
    assert colour_at(image, *placement(box, turn).point(x, y)) == (255, 0, 0)
    scale = abs(sum(placement(box, turn).matrix[:2]))
    reds = sum(count for count, colour in image.getcolors(1_000_000) or [] if colour == (255, 0, 0))
    assert reds == pytest.approx((2 * half * scale) ** 2, rel=0.25, abs=30)


def _array(box: Box) -> Array:
    return Array([box.left, box.bottom, box.right, box.top])
