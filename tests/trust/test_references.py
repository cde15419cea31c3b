from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.writer import PdfFileWriter

from engine.trust.references import read_reference

HOME = generic.Reference(1, 0, PdfFileWriter())
blank = st.text(" \t\r\n\f", min_size=1, max_size=4).map(str.encode)


def read(content: bytes) -> tuple[generic.PdfObject, bytes]:
    stream = io.BytesIO(content)
    return read_reference(stream, HOME), stream.read()


@given(number=st.integers(1, 9_999_999), generation=st.integers(0, 65535), one=blank, two=blank)
def test_a_reference_is_read_and_what_follows_is_left(number: int, generation: int, one: bytes, two: bytes) -> None:
    value, rest = read(b"%d%b%d%bR/Next" % (number, one, generation, two))
    assert isinstance(value, generic.IndirectObject)
    assert (value.idnum, value.generation, rest) == (number, generation, b"/Next")
    assert value.reference.pdf is HOME.pdf


@pytest.mark.parametrize("zero", [b"0 0 R", b"00 0 R", b" 0  7\nR"])
def test_object_zero_is_null(zero: bytes) -> None:
    value, rest = read(zero + b">>")
    assert isinstance(value, generic.NullObject) and rest == b">>"


def test_dictionaries_and_arrays_go_on_behind_it() -> None:
    content = io.BytesIO(b"<</A 0 0 R/B[0 0 R 5 0 R]/C(c)>>")
    value = generic.read_object(content, HOME)
    assert isinstance(value, generic.DictionaryObject)
    assert value.raw_get("/B").raw_get(1).idnum == 5
    assert value["/C"] == "c"


@pytest.mark.parametrize("broken", [b"5 0 ", b"5", b"5 x R ", b"-5 0 R ", b"", b"5 0 Q "])
def test_what_is_no_reference_is_refused_as_before(broken: bytes) -> None:
    with pytest.raises(PdfError):
        read(broken)
