from datetime import UTC, datetime

import pytest
from asn1crypto import core

from engine.contracting.offline.encoding import Malformed, decode, member


@pytest.mark.parametrize(
    ("why", "encoded"),
    [
        ("cut off in the content", "0402aa"),
        ("cut off in the length", "0482ff"),
        ("no length", "04"),
        ("nothing", ""),
        ("bytes behind the end", "040100ff"),
        ("indefinite length (BER)", "3080020101" + "0000"),
        ("length not in its shortest form", "048101aa"),
        ("length with a leading zero", "04820001aa"),
        ("tag of several bytes", "1f8101" + "00"),
    ],
)
def test_what_is_no_strict_der_is_refused(why: str, encoded: str) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(encoded))


@pytest.mark.parametrize("dotted", ["1.2.840.113549.1.7.2", "2.5.4.3", "2.25.43946936832824894191288618191457497823"])
def test_identifiers_read_as_another_library_writes_them(dotted: str) -> None:
    assert decode(core.ObjectIdentifier(dotted).dump()).identifier() == dotted


@pytest.mark.parametrize("number", [0, 1, 127, 128, 255, 256, -1, -128, -129, 1 << 160])
def test_integers_read_as_another_library_writes_them(number: int) -> None:
    assert decode(core.Integer(number).dump()).number() == number


@pytest.mark.parametrize("encoded", ["0200", "02020001", "0202ffff"])
def test_integers_in_a_longer_form_than_needed_are_refused(encoded: str) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(encoded)).number()


def test_times_of_both_kinds_are_utc() -> None:
    moment = datetime(2026, 11, 25, 2, 3, 4, tzinfo=UTC)
    assert decode(core.UTCTime(moment).dump()).moment() == moment
    assert decode(core.GeneralizedTime(moment).dump()).moment() == moment
    assert decode(b"\x18\x1220261125020304.25Z").moment() == moment.replace(microsecond=250_000)
    assert decode(b"\x17\x0d991231235959Z").moment().year == 1999


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(Malformed):
        decode(b"\x17\x0d261325020304Z").moment()


def test_a_primitive_value_has_no_members() -> None:
    with pytest.raises(Malformed):
        decode(b"\x04\x01\x00").children()
    assert member(decode(b"\x30\x03\x04\x01\x00").children(), 0x05) is None


def test_a_bit_string_with_odd_bits_is_refused() -> None:
    with pytest.raises(Malformed):
        decode(b"\x03\x02\x01\x00").bits()
