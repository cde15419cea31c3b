import asyncio
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import wire
from engine.sandbox import existing


@dataclass(frozen=True)
class Spot:
    page: int
    box: tuple[float, float]


class Order(msgspec.Struct, frozen=True):
    place: Path
    spots: tuple[Spot, ...] = ()
    blob: bytes = b""
    note: str | None = None


_orders = st.builds(
    Order,
    place=st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1).map(Path),
    spots=st.lists(
        st.builds(Spot, st.integers(0, 2**40), st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)))
    ).map(tuple),
    blob=st.binary(),
    note=st.none() | st.text(),
)


@given(_orders)
def test_what_crosses_comes_back_equal_and_typed(order: Order) -> None:
    assert wire.decode(wire.encode(order), Order) == order


@given(st.sampled_from(list(wire.Frame)), st.binary())
def test_a_frame_is_read_as_it_was_written(kind: wire.Frame, body: bytes) -> None:
    async def read() -> tuple[wire.Frame, bytes]:
        reader = asyncio.StreamReader()
        reader.feed_data(wire.frame(kind, body))
        reader.feed_eof()
        return await wire.read_frame(reader)

    assert asyncio.run(read()) == (kind, body)


async def test_a_torn_frame_is_no_frame() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(wire.frame(wire.Frame.RESULT, b"abc")[:-1])
    reader.feed_eof()
    with pytest.raises(asyncio.IncompleteReadError):
        await wire.read_frame(reader)


async def test_a_frame_that_claims_too_much_is_not_waited_for() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(wire.HEADER.pack(wire.Frame.RESULT, wire.FRAME_LIMIT + 1))
    with pytest.raises(asyncio.IncompleteReadError):
        await wire.read_frame(reader)


def test_a_value_that_cannot_cross_is_named() -> None:
    with pytest.raises(NotImplementedError, match="complex"):
        wire.encode({"value": 1 + 2j})


def test_a_result_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        wire.decode(wire.encode("text"), int)


def test_a_function_is_found_by_its_name() -> None:
    assert wire.resolve(wire.name_of(existing)) is existing
