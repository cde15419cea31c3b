"""How a riding seal is shared out among the pages of a document."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Rejected
from engine.pdf import placement
from engine.pdf.control import Control, check_controls
from engine.pdf.riding import cut, groups
from tests.pdf.blank_pages import A4, write_blank


def ride(**options: object) -> Control:
    return Control(**{"name": "骑缝章", "kind": "riding-seal", "y": 400, "width": 120, "height": 120, **options})  # type: ignore[arg-type]


@given(pages=st.integers(1, 5000), largest=st.integers(2, 40))
def test_every_page_is_in_one_group_and_groups_are_even(pages: int, largest: int) -> None:
    shared = groups(pages, largest)
    assert [page for group in shared for page in group] == list(range(1, pages + 1))
    sizes = [len(group) for group in shared]
    assert max(sizes) - min(sizes) <= 1 and max(sizes) <= max(largest, 3)
    assert min(sizes) >= 2 or pages == 1, "a seal on one page alone rides over nothing"


@given(pages=st.integers(1, 300), largest=st.integers(2, 40), edge=st.sampled_from(["left", "right"]))
def test_slices_side_by_side_are_the_whole_width(pages: int, largest: int, edge: str) -> None:
    slices = cut(ride(pages_per_seal=largest, edge=edge, x=5.0), pages)
    for group in groups(pages, largest):
        parts = sorted((one for one in slices if one.page in group), key=lambda one: one.number)
        assert [part.number for part in parts] == list(range(len(group)))
        assert sum(part.box.width for part in parts) == pytest.approx(120)
        assert all(part.total == len(group) and part.box.width >= 120 / 40 for part in parts)


def test_a_stack_fanned_out_shows_the_seal_from_left_to_right() -> None:
    right, left = cut(ride(), 3), cut(ride(edge="left"), 3)
    assert [one.number for one in right] == [0, 1, 2] and all(one.box.right == A4[0] for one in right)
    assert [one.number for one in left] == [2, 1, 0] and all(one.box.left == 0 for one in left)


def test_every_page_gets_a_field_of_the_same_seal(tmp_path: Path) -> None:
    full = Control(name="盖章", kind="signature", page=-1, x=100, y=100, width=120, height=120)
    placement.place_controls(write_blank(tmp_path / "a.pdf", 3), tmp_path / "b.pdf", (full, ride(field="盖章")))
    with pikepdf.open(tmp_path / "b.pdf") as placed:
        fields = list(placed.Root.AcroForm.Fields)
        assert [str(field.T) for field in fields] == ["盖章", "骑缝章", "骑缝章-2", "骑缝章-3"]
        slices = [(int(one[0]), int(one[1]), str(one[2])) for one in (field.SLFL_Slice for field in fields[1:])]
        assert slices == [(0, 3, "盖章"), (1, 3, "盖章"), (2, 3, "盖章")]
        for field in fields:
            assert field.F == 132 and "/N" in field.AP and "/Kids" not in field
        edges = [[float(edge) for edge in field.Rect] for field in fields[1:]]
        assert all(one == other for one, other in pairwise(edges))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"y": None}, "control.no_place"),
        ({"page": 1}, "control.no_place"),
        ({"field": "没有"}, "control.no_signature"),
        ({"name": "a.b"}, "control.bad_name"),
    ],
)
def test_a_riding_seal_that_cannot_work_is_refused(options: dict[str, object], code: str) -> None:
    with pytest.raises(Rejected) as refusal:
        check_controls([ride(**options)])
    assert refusal.value.code == code


def test_only_a_riding_seal_shows_the_signature_of_another_field() -> None:
    controls = [Control(name=name, kind="signature", page=1, x=9, y=9, field=field) for name, field in ("a ", "ba")]
    with pytest.raises(Rejected) as refusal:
        check_controls(controls)
    assert refusal.value.code == "control.no_signature"


def test_a_slice_does_not_cover_another_signature(tmp_path: Path) -> None:
    beside = Control(name="签字", kind="signature", page=2, x=540, y=410, width=50, height=40)
    with pytest.raises(Rejected) as refusal:
        placement.place_controls(write_blank(tmp_path / "a.pdf", 2), tmp_path / "b.pdf", (ride(), beside))
    assert refusal.value.code == "control.overlap"
