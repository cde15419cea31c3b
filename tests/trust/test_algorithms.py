from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.trust.algorithms import Suite, sunset

END_OF_2028 = datetime(2029, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("suite", "end"),
    [
        ("rsa-pkcs1v15-4096/sha256", END_OF_2028),
        ("rsa-pss-2048/sha256", END_OF_2028),
        ("rsa-pss-3072/sha256", None),
        ("ecdsa-256/sha256", None),
        ("sm2-256/sm3", None),
        ("rsa-pkcs1v15-1024/sha256", datetime(2014, 1, 1, tzinfo=UTC)),
        ("rsa-pss-3072/sha1", datetime(2014, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_algorithm_ends_when_the_standard_says(suite: str, end: datetime | None) -> None:
    found = sunset(Suite.parse(suite))
    assert (found[0] if found else None) == end


def test_settings_move_an_end_and_name_new_ones() -> None:
    small, large = Suite("ecdsa", 256, "sha256"), Suite("ecdsa", 384, "sha384")
    overrides = {"ecdsa-256": date(2040, 1, 1), "rsa-pkcs1v15": date(2031, 1, 1)}
    assert sunset(small, overrides) == (datetime(2040, 1, 1, tzinfo=UTC), "ecdsa-256")
    assert sunset(large, overrides) is None
    assert sunset(Suite("rsa-pkcs1v15", 3072, "sha256"), overrides) == (
        datetime(2031, 1, 1, tzinfo=UTC),
        "rsa-pkcs1v15",
    )


@given(st.sampled_from(["ecdsa", "rsa-pss", "rsa-pkcs1v15", "sm2"]), st.integers(0, 9999), st.sampled_from(["sha256"]))
def test_a_suite_is_read_as_it_was_written(mechanism: str, bits: int, digest: str) -> None:
    suite = Suite(mechanism, bits, digest)
    assert Suite.parse(str(suite)) == suite
