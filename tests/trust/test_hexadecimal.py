from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfReadError

from engine.trust import hexadecimal

digits = st.text("0123456789abcdefABCDEF \n\r\t\0", max_size=300).map(lambda text: text.encode())


@given(digits, st.binary(max_size=20))
@example(b"0" * 70_001, b"rest")
def test_hex_strings_are_read_as_the_original_reads_them(inside: bytes, rest: bytes) -> None:
    text = b"<" + inside + b">" + rest
    quick, slow = io.BytesIO(text), io.BytesIO(text)
    assert hexadecimal.read_hex_string(quick) == hexadecimal._original(slow)
    assert quick.tell() == slow.tell()


@given(digits, st.sampled_from([b"g", b"(", b"<", b"\x80"]), digits)
def test_what_is_no_hex_string_is_refused_as_before(before: bytes, stranger: bytes, after: bytes) -> None:
    with pytest.raises(PdfReadError):
        hexadecimal.read_hex_string(io.BytesIO(b"<" + before + stranger + after + b">"))


def test_the_library_uses_the_quick_way() -> None:
    assert generic.read_hex_string_from_stream is hexadecimal.read_hex_string
