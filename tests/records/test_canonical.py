import json

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Rejected
from engine.records.canonical import encode

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20)
FLOATS = st.floats(-1e15, 1e15)  # beyond, PostgreSQL gives back an integer of the same size
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_encoded_is_read_back_the_same(value: object):
    assert json.loads(encode(value)) == value


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_the_order_of_keys_does_not_matter(value: dict[str, object]):
    assert encode(dict(reversed(value.items()))) == encode(value)


def test_postgresql_keeps_every_value_that_is_encoded(records_url: str):
    with psycopg.connect(records_url) as connection:

        @settings(deadline=None, max_examples=150)
        @given(value=VALUES)
        def keep(value: object) -> None:
            assert connection.execute("select %s::jsonb", (encode(value),)).fetchone() == (value,)

        keep()


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        {"a": [-float("inf")]},
        "\0",
        {"key\0": 1},
        ["a\0b"],
        "\ud800",
        b"bytes",
        {"a": {1, 2}},
    ],
    ids=repr,
)
def test_what_json_or_postgresql_cannot_hold_is_rejected(value: object):
    with pytest.raises(Rejected) as caught:
        encode(value)
    assert caught.value.code == "records.not_json"


def test_the_words_backslash_u0000_are_not_the_character():
    assert json.loads(encode("\\u0000")) == "\\u0000"


def test_a_structure_that_contains_itself_is_rejected():
    knot: list[object] = []
    knot.append(knot)
    with pytest.raises(Rejected):
        encode(knot)
