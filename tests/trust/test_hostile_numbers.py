"""Files that have far too much of something; the verdict comes within seconds and is never a good one for nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.trust.report import render_html
from engine.trust.verdict import Integrity
from tests.trust.forgery import (
    CATALOGUE,
    FIELD,
    HOLE,
    OBJECTS,
    PAGE,
    PAGES,
    RANGE,
    SIGNATURE,
    append,
    signed_pdf,
    write_pdf,
)
from tests.trust.paper import make_key
from tests.trust.test_later_changes import judge

logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
KEY = make_key("ec", "Sample Person")
GREEN = (Integrity.VALID, Integrity.EXTENDED)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    begin = time.process_time()
    yield
    assert time.process_time() - begin < seconds


def with_fields(bodies: dict[int, bytes], listed: int = 2) -> dict[int, bytes]:
    numbers = b" ".join(b"%d 0 R" % number for number in list(bodies)[::listed])
    return {CATALOGUE: OBJECTS[CATALOGUE].replace(b"8 0 R]", b"8 0 R " + numbers + b"]"), **bodies}


def test_thousands_of_empty_signatures(tmp_path: Path) -> None:
    bodies: dict[int, bytes] = {}
    hollow = SIGNATURE.replace(HOLE, b"<3003020101>")
    for index in range(3000):
        bodies[100 + 2 * index] = (
            OBJECTS[FIELD].replace(b"first", b"f%d" % index).replace(b"6 0", b"%d 0" % (101 + 2 * index))
        )
        bodies[101 + 2 * index] = hollow.replace(RANGE, b"[0 1 %d 3]" % index)
    with within(10):
        report = judge(signed_pdf(KEY, with_fields(bodies)), tmp_path)
        assert report.integrity is Integrity.BROKEN and len(report.signatures) == 3001
        assert len(render_html(report)) > 3000


def test_a_very_long_name_is_told_and_harms_nobody(tmp_path: Path) -> None:
    field = OBJECTS[FIELD].replace(b"(first)", b"(" + b"<script>" * 10_000 + b")")
    with within(5):
        report = judge(signed_pdf(KEY, {FIELD: field}), tmp_path)
        assert report.integrity is Integrity.VALID
        assert "<script>" not in render_html(report)


def test_fields_nested_a_thousand_deep(tmp_path: Path) -> None:
    bodies = {number: b"<</T(n)/Parent %d 0 R/Kids[%d 0 R]>>" % (number - 1, number + 1) for number in range(100, 1100)}
    bodies[1100] = OBJECTS[FIELD].replace(b"6 0 R", b"6 0 R/Parent 1099 0 R")
    with within(5):
        report = judge(signed_pdf(KEY, with_fields(bodies, listed=len(bodies))), tmp_path)
        assert report.findings or report.signatures


@pytest.mark.parametrize("depth", [500, 50_000])
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b"<</A", b">>")], ids=["arrays", "dictionaries"])
def test_objects_nested_deeply_where_a_signature_should_be(
    tmp_path: Path, depth: int, pair: tuple[bytes, bytes]
) -> None:
    nested = pair[0] * depth + b" null" + pair[1] * depth
    field = OBJECTS[FIELD].replace(b"/V 6 0 R", b"/V 20 0 R")
    with within(5):
        report = judge(append(signed_pdf(KEY), {FIELD: field, 20: nested}), tmp_path)
        assert report.integrity not in GREEN


def test_a_page_tree_that_bites_its_tail(tmp_path: Path) -> None:
    pages = b"<</Type/Pages/Kids[2 0 R 3 0 R]/Count 999999999>>"
    with within(5):
        assert judge(append(signed_pdf(KEY), {PAGES: pages}), tmp_path).integrity is Integrity.MODIFIED


def test_values_that_name_each_other(tmp_path: Path) -> None:
    field = OBJECTS[FIELD].replace(b"/V 6 0 R", b"/V 20 0 R")
    with within(5):
        report = judge(append(signed_pdf(KEY), {FIELD: field, 20: b"21 0 R", 21: b"20 0 R"}), tmp_path)
        assert report.integrity not in GREEN


def test_hundreds_of_revisions_that_do_nothing(tmp_path: Path) -> None:
    content = signed_pdf(KEY)
    for number in range(150):
        content = append(content, {20: b"(%d)" % number})
    with within(10):
        report = judge(content, tmp_path)
        assert report.integrity in (Integrity.EXTENDED, Integrity.MODIFIED)


def test_thousands_of_notes_on_a_page(tmp_path: Path) -> None:
    notes = dict.fromkeys(range(100, 5100), b"<</Type/Annot/Subtype/Text/Rect[0 0 9 9]>>")
    listed = b" ".join(b"%d 0 R" % number for number in notes)
    page = OBJECTS[PAGE].replace(b"8 0 R]", b"8 0 R " + listed + b"]")
    with within(5):
        report = judge(append(signed_pdf(KEY), notes | {PAGE: page}, size=5100), tmp_path)
        assert report.integrity is Integrity.MODIFIED
        assert "批注" in report.signatures[0].findings[0].zh


def test_an_unsigned_file_of_the_same_make_is_unsigned(tmp_path: Path) -> None:
    empty = {number: body for number, body in OBJECTS.items() if number != 6}
    empty[FIELD] = OBJECTS[FIELD].replace(b"/V 6 0 R", b"")
    assert judge(write_pdf(empty), tmp_path).integrity is Integrity.UNSIGNED
