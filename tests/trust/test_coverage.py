from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.trust.coverage import measure_coverage, only_blank_after

CONTENTS = bytes(range(16))
GAP = b"<" + CONTENTS.hex().encode() + b">"
HEAD, TAIL = b"%PDF head /Contents", b" tail %%EOF"
FILE = HEAD + GAP + TAIL
HONEST = [0, len(HEAD), len(HEAD + GAP), len(TAIL)]


def test_one_gap_that_is_contents_covers_the_file() -> None:
    coverage = measure_coverage(io.BytesIO(FILE), HONEST, CONTENTS)
    assert (coverage.end, coverage.whole, coverage.oddity) == (len(FILE), True, None)


def test_what_was_appended_is_outside_and_no_oddity() -> None:
    coverage = measure_coverage(io.BytesIO(FILE + b"more"), HONEST, CONTENTS)
    assert (coverage.end, coverage.whole, coverage.oddity) == (len(FILE), False, None)


@given(st.lists(st.integers(-3, len(FILE) + 3), max_size=6))
def test_no_other_range_is_taken_for_honest(numbers: list[int]) -> None:
    coverage = measure_coverage(io.BytesIO(FILE), numbers, CONTENTS)
    if coverage.oddity is None:
        assert numbers[:3] == HONEST[:3] and coverage.end == numbers[2] + numbers[3] <= len(FILE)
        assert coverage.whole == (numbers == HONEST)


@given(st.one_of(st.none(), st.text(max_size=4), st.floats(), st.lists(st.one_of(st.none(), st.text(max_size=2)))))
def test_whatever_is_no_range_is_odd(numbers: object) -> None:
    assert measure_coverage(io.BytesIO(FILE), numbers, CONTENTS).oddity


@given(st.integers(len(HEAD), len(HEAD + GAP) - 1), st.binary(min_size=1, max_size=1))
def test_a_gap_of_other_bytes_is_odd(place: int, byte: bytes) -> None:
    content = FILE[:place] + byte + FILE[place + 1 :]
    coverage = measure_coverage(io.BytesIO(content), HONEST, CONTENTS)
    assert (coverage.oddity is None) == (FILE[place : place + 1].lower() == byte.lower())
    assert coverage.uneven == (coverage.oddity is None and content != FILE)


@pytest.mark.parametrize(
    ("digits", "uneven"), [(b"00aa", False), (b"00AA", False), (b"0099", False), (b"00Aa", True), (b"00 AA", True)]
)
def test_digits_that_no_program_writes_so_are_uneven_though_their_value_is_the_same(
    digits: bytes, uneven: bool
) -> None:
    contents = bytes.fromhex(digits.replace(b" ", b"").decode())
    content = b"%PDF <" + digits + b"> tail"
    coverage = measure_coverage(io.BytesIO(content), [0, 5, len(content) - 5, 5], contents)
    assert (coverage.oddity, coverage.uneven) == (None, uneven)


@pytest.mark.parametrize(
    ("rest", "blank"), [(b"", True), (b"\r\n \t", True), (b" x", False), (b"\n" * 99_999 + b"x", False)]
)
def test_only_white_space_is_nothing(rest: bytes, blank: bool) -> None:
    assert only_blank_after(io.BytesIO(FILE + rest), len(FILE)) is blank
