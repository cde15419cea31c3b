import re
from pathlib import Path

import pytest

from engine.pdf.normalization import normalize
from engine.pdf.syntax import read_syntax
from tests.pdf.raw_documents import document, one_page, stream

_COMMENT = b"%\xe2\xe3\xcf\xd3\n"


def _clean(*more: bytes) -> bytes:
    """A file that says everything as an archive wants it."""
    plain = one_page(more=more)
    return plain.replace(b"%PDF-1.7\n", b"%PDF-1.7\n" + _COMMENT, 1)


def _clauses(data: bytes, start: int = 0) -> set[str]:
    return {violation.clause for violation in read_syntax(data, start).violations}


def test_a_well_written_file_has_nothing_against_it() -> None:
    assert (
        _clauses(_clean(b"(text \\( with (brackets) inside)", b"<AB CD>", stream(b"endstream inside, endobj too")))
        == set()
    )


def test_what_normalising_writes_has_nothing_against_it(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(
        one_page(
            b"BT /F 9 Tf (a) Tj ET", page=b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Times-Roman>>>>>>"
        )
    )
    normalize(tmp_path / "a.pdf", tmp_path / "b.pdf")
    assert read_syntax((tmp_path / "b.pdf").read_bytes()).violations == []


@pytest.mark.parametrize(
    ("clause", "before", "after"),
    [
        ("6.1.2", b"%PDF-1.7", b" %PDF-1.7"),
        ("6.1.2", b"%PDF-1.7", b"%PDF-2.0"),
        ("6.1.2", _COMMENT, b""),
        ("6.1.2", _COMMENT, b"%text\n"),
        ("6.1.3", b"%%EOF\n", b"%%EOF\n\n"),
        ("6.1.3", b"%%EOF\n", b"%%EOF\nmore"),
        ("6.1.3", b"%%EOF\n", b""),
        ("6.1.4", b"xref\n0 ", b"xref \n0 "),
        ("6.1.4", b"xref\n0 ", b"xref\n\n0 "),
        ("6.1.7.1", b"stream\n1 0 0", b"stream\r1 0 0"),
        ("6.1.7.1", b"re f\nendstream", b"re fendstream"),
        ("6.1.7.1", b"re f\nendstream", b"re f \nendstream"),
        ("6.1.7.1", b"re f\nendstream", b"re\nendstream"),
        ("6.1.9", b"\n1 0 obj\n", b"\n1  0 obj\n"),
        ("6.1.9", b"\n1 0 obj\n", b"\n1 0  obj\n"),
        ("6.1.9", b"\n1 0 obj\n", b"\n1 0 obj "),
        ("6.1.9", b"\n1 0 obj\n", b" 1 0 obj\n"),
        ("6.1.9", b">>\nendobj\n2", b">>endobj\n2"),
        ("6.1.9", b">>\nendobj\n2", b">> endobj 2"),
    ],
)
def test_one_slip_breaks_one_clause(clause: str, before: bytes, after: bytes) -> None:
    data = _clean()
    assert data.count(before) == 1
    assert clause in _clauses(data.replace(before, after))


@pytest.mark.parametrize("odd", [b"<ABC>", b"<AG>", b"<AB-CD>"])
def test_a_hexadecimal_string_is_even_and_holds_digits_alone(odd: bytes) -> None:
    assert _clauses(_clean(odd)) == {"6.1.6"}


@pytest.mark.parametrize(
    "string", [b"(" + b"a" * 32768 + b")", b"<" + b"ab" * 32768 + b">", b"((" + b"a" * 32767 + b"))"]
)
def test_a_string_has_an_end(string: bytes) -> None:
    assert _clauses(_clean(string)) == {"6.1.13"}
    assert _clauses(_clean(string.replace(b"aa", b"a", 3).replace(b"abab", b"ab", 3))) == set()


def test_a_length_that_stands_elsewhere_is_looked_up() -> None:
    content = stream(b"four").replace(b"/Length 4", b"/Length 6 0 R")
    assert _clauses(_clean(content, b"4")) == set()
    assert _clauses(_clean(content, b"5")) == {"6.1.7.1"}
    assert _clauses(_clean(content)) == {"6.1.7.1"}


def test_a_stream_that_looks_like_objects_is_passed_over() -> None:
    assert _clauses(_clean(stream(b"9  0  obj <ABC> endobj xref  0 1"))) == set()


def test_only_the_appended_part_is_read_and_its_objects_are_counted() -> None:
    bad = _clean(b"<ABC>")
    more = b"7 0 obj\n<AB>\nendobj\n3 0 obj\n<<>>\nendobj\n%%EOF\n"
    found = read_syntax(bad + more, len(bad))
    assert (found.violations, found.objects) == ([], {3, 7})
    assert _clauses(bad + more.replace(b"<AB>", b"<A>"), len(bad)) == {"6.1.6"}


@pytest.mark.parametrize(
    "data", [b"", b"%PDF-1.7", b"1 0 obj", b"1 0 obj (", b"1 0 obj<</Length 5>>stream", b"((((" * 50_000]
)
def test_no_bytes_are_too_torn(data: bytes) -> None:
    assert _clauses(data)


def test_a_line_ending_of_windows_is_one() -> None:
    data = re.sub(rb"(?<!stream)\n(?!endstream)", b"\r\n", document(b"<</Type/Catalog>>"))
    assert _clauses(data.replace(b"%PDF-1.7\r\n", b"%PDF-1.7\r\n" + _COMMENT, 1)) == set()
