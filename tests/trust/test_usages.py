from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader

from engine.trust import usages
from tests.fuzz.seeds import corpus_files
from tests.trust.forgery import FILLED, OBJECTS, PAGE, PAGES, append, signed_pdf
from tests.trust.paper import make_key

logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
SIGNED = signed_pdf(make_key("ec", "Sample Person"))
SECOND = OBJECTS[PAGES].replace(b"[3 0 R]/Count 1", b"[3 0 R 20 0 R]/Count 2")
FILES = {
    "one revision": SIGNED,
    "a field filled": append(SIGNED, {FILLED: OBJECTS[FILLED].replace(b"100", b"200")}),
    "a page that links to another": append(append(SIGNED, {PAGES: SECOND, 20: OBJECTS[PAGE]}), {21: b"[3 0 R 20 0 R]"}),
    "an object freed": append(SIGNED, {21: b"null"}).replace(b"xref\n21 1", b"xref\n7 1\n0000000000 00001 f \n21 1"),
    "references in a circle": append(SIGNED, {PAGE: OBJECTS[PAGE].replace(b"/Contents", b"/X[2 0 R 3 0 R]/Contents")}),
}


def resolvers(content: bytes) -> Iterator[HistoricalResolver]:
    for revision in range(PdfFileReader(io.BytesIO(content), strict=False).xrefs.total_revisions):
        yield PdfFileReader(io.BytesIO(content), strict=False).get_historical_resolver(revision)


def written(value: generic.PdfObject) -> bytes:
    stream = io.BytesIO()
    value.write_to_stream(stream, None, None)
    return stream.getvalue()


def compare(content: bytes) -> int:
    """How many objects are reached in the same ways as the library says, over all revisions."""
    count = 0
    for ours, theirs in zip(resolvers(content), resolvers(content), strict=True):
        try:
            found = usages._collect(ours)
        except usages._Unusual:
            continue
        usages._load_usages(theirs)
        expected = theirs._indirect_object_access_cache or {}
        assert {(ref.idnum, ref.generation) for ref in expected} == set(found)
        for ref, ways in expected.items():
            assert found[ref] == ways
            assert written(ours(ref)) == written(usages._get_object(theirs, ref))
        count += len(found)
    return count


@pytest.mark.parametrize("what", FILES)
def test_every_object_is_reached_as_the_library_says(what: str) -> None:
    assert compare(FILES[what]) >= 8


@pytest.mark.skipif(not corpus_files(), reason="SEALFLOW_CORPUS names no folder with signed files")
def test_objects_of_foreign_files_are_reached_as_the_library_says() -> None:
    counts = []
    for file in corpus_files():
        if file.stat().st_size < 200_000:
            try:
                counts.append(compare(file.read_bytes()))
            except Exception:  # a file the library cannot walk either
                counts.append(0)
    assert sum(count >= 8 for count in counts) >= len(counts) / 2


def test_a_tagged_file_is_left_to_the_library(tmp_path: Path) -> None:
    tagged = append(SIGNED, {1: OBJECTS[1].replace(b"/Pages", b"/StructTreeRoot<</K[]>>/Pages")})
    resolver = PdfFileReader(io.BytesIO(tagged)).get_historical_resolver(1)
    with pytest.raises(usages._Unusual):
        usages._collect(resolver)
    usages.load_usages(resolver)
    assert resolver._indirect_object_access_cache
