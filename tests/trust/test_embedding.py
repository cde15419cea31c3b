from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Defect
from engine.trust.embedding import Hole, HoleTooSmall, digest_around, embed, fill

surroundings = st.binary(max_size=200)


def make_tail(before: bytes, room: int, after: bytes) -> bytes:
    return before + b"<" + b"0" * (2 * room) + b">" + after


@given(st.integers(0, 500), surroundings, st.integers(1, 300), surroundings, st.data())
def test_filling_changes_nothing_outside_of_the_hole(
    size: int, before: bytes, room: int, after: bytes, data: st.DataObject
) -> None:
    der = data.draw(st.binary(max_size=room))
    tail = make_tail(before, room, after)
    hole = Hole(size + len(before), size + len(before) + 2 * room + 2)
    filled = fill(tail, hole, size, der)
    assert len(filled) == len(tail)
    assert filled.startswith(before + b"<") and filled.endswith(b">" + after)
    inside = filled[len(before) + 1 : len(before) + 1 + 2 * room]
    assert bytes.fromhex(inside.decode()) == der.ljust(room, b"\0")


@given(st.integers(1, 50), st.integers(1, 50))
def test_what_does_not_fit_is_refused_with_the_room_it_needs(room: int, excess: int) -> None:
    tail = make_tail(b"", room, b"")
    with pytest.raises(HoleTooSmall) as refusal:
        fill(tail, Hole(0, len(tail)), 0, bytes(room + excess))
    assert refusal.value.needed == room + excess


@given(st.integers(-5, 60), st.integers(-5, 60))
def test_only_the_true_hole_is_accepted(start: int, end: int) -> None:
    tail = make_tail(b"abc", 10, b"xyz")
    if (start, end) == (3, 25):
        assert fill(tail, Hole(start, end), 0, b"") == tail
    else:
        with pytest.raises(Defect):
            fill(tail, Hole(start, end), 0, b"")


def test_a_hole_in_the_source_is_refused() -> None:
    with pytest.raises(Defect):
        fill(b"<0000>", Hole(10, 16), 100, b"")


@given(st.binary(max_size=3000), surroundings, surroundings)
async def test_the_digest_covers_source_and_tail_without_the_hole(
    tmp_path_factory: pytest.TempPathFactory, source: bytes, before: bytes, after: bytes
) -> None:
    folder = tmp_path_factory.mktemp("digest")
    first, second = folder / "source", folder / "tail"
    first.write_bytes(source)
    second.write_bytes(make_tail(before, 20, after))
    hole = Hole(len(source) + len(before), len(source) + len(before) + 42)
    assert await digest_around(first, second, hole) == hashlib.sha256(source + before + after).digest()


async def test_the_output_is_the_source_and_the_filled_tail(tmp_path: Path) -> None:
    source, tail = tmp_path / "source", tmp_path / "tail"
    source.write_bytes(b"s" * 70_000)
    tail.write_bytes(make_tail(b"a", 4, b"b"))
    output = await embed(source, tail, Hole(70_001, 70_011), b"\x01\xff", tmp_path / "output")
    assert output.read_bytes() == b"s" * 70_000 + b"a<01ff0000>b"


async def test_a_tail_without_a_hole_is_appended_as_it_is(tmp_path: Path) -> None:
    source, tail = tmp_path / "source", tmp_path / "tail"
    source.write_bytes(b"source")
    tail.write_bytes(b"tail")
    assert (await embed(source, tail, None, b"", tmp_path / "output")).read_bytes() == b"sourcetail"
