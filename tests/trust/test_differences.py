from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigFieldSpec, append_signature_field

from engine.trust.differences import Comparison, Unexplained
from tests.trust.paper import draw_paper

Edit = Callable[[IncrementalPdfFileWriter], None]


def text(value: str) -> generic.TextStringObject:
    return generic.TextStringObject(value)


def numbers(*values: int) -> generic.ArrayObject:
    return generic.ArrayObject(map(generic.NumberObject, values))


def dictionary(**entries: Any) -> generic.DictionaryObject:
    return generic.DictionaryObject({pdf_name(f"/{key}"): value for key, value in entries.items()})


@pytest.fixture
def form(tmp_path: Path) -> bytes:
    """A form with one text field, one free and one taken signature field."""
    writer = IncrementalPdfFileWriter(io.BytesIO(draw_paper(tmp_path / "paper.pdf").read_bytes()))
    field = dictionary(FT=pdf_name("/Tx"), T=text("amount"), Subtype=pdf_name("/Widget"), Rect=numbers(0, 0, 90, 20))
    field["/AP"] = dictionary(N=writer.add_object(generic.StreamObject(stream_data=b"(100) Tj")))
    reference = writer.add_object(field)
    writer.root["/AcroForm"]["/Fields"].append(reference)
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Annots"].append(reference)
    writer.update_container(page["/Annots"])
    taken = writer.root["/AcroForm"]["/Fields"][1]
    taken["/V"] = writer.add_object(dictionary(Type=pdf_name("/Sig"), Contents=text("signed")))
    for changed in (writer.root["/AcroForm"], page, taken):
        writer.update_container(changed)
    writer.update_root()
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def compare(form: bytes, edit: Edit, *, locked: str = "", frozen: bool = False) -> Comparison:
    before = PdfFileReader(io.BytesIO(form)).xrefs.total_revisions - 1
    writer = IncrementalPdfFileWriter(io.BytesIO(form))
    edit(writer)
    output = io.BytesIO()
    writer.write(output)
    comparison = Comparison(PdfFileReader(output), before, lambda name: name == locked, frozen=frozen)
    comparison.run()
    return comparison


def field_of(writer: IncrementalPdfFileWriter, index: int) -> Any:
    return writer.root["/AcroForm"]["/Fields"][index]


def change_field(index: int, **entries: Any) -> Edit:
    def edit(writer: IncrementalPdfFileWriter) -> None:
        field_of(writer, index).update(dictionary(**entries))
        writer.update_container(field_of(writer, index))

    return edit


def change_root(**entries: Any) -> Edit:
    def edit(writer: IncrementalPdfFileWriter) -> None:
        writer.root.update(dictionary(**entries))
        writer.update_root()

    return edit


def add_field(writer: IncrementalPdfFileWriter) -> None:
    append_signature_field(writer, SigFieldSpec("late", box=(0, 0, 50, 50)))


def add_acting_field(writer: IncrementalPdfFileWriter) -> None:
    add_field(writer)
    field_of(writer, -1)["/AA"] = dictionary(E=dictionary(S=pdf_name("/JavaScript")))


def share_appearance(writer: IncrementalPdfFileWriter) -> None:
    """Change a page's content under the cover of a field's appearance."""
    page = writer.root["/Pages"]["/Kids"][0]
    stream = generic.StreamObject(stream_data=b"(999) Tj")
    reference = page.raw_get("/Contents")
    writer.objects[(reference.generation, reference.idnum)] = stream
    field_of(writer, 2)["/AP"] = dictionary(N=reference)
    writer.update_container(field_of(writer, 2))


def test_a_filled_field_is_named(form: bytes) -> None:
    assert compare(form, change_field(2, V=text("200"))).fields == {"amount"}


def test_a_signature_in_a_free_field_is_noticed(form: bytes) -> None:
    comparison = compare(form, change_field(0, V=dictionary(Type=pdf_name("/Sig"))))
    assert comparison.signed and comparison.fields == {"party-a"}


def test_a_new_signature_field_is_accepted(form: bytes) -> None:
    assert compare(form, add_field).signed


@pytest.mark.parametrize("name", ["Extensions", "Metadata", "DSS"])
def test_evidence_and_metadata_may_come(form: bytes, name: str) -> None:
    comparison = compare(form, change_root(**{name: dictionary()}))
    assert not comparison.signed and not comparison.fields


@pytest.mark.parametrize(
    "edit",
    [
        change_field(1, V=text("another signature")),
        change_field(1, AP=dictionary(N=text("another look"))),
        change_field(0, Rect=numbers(0, 0, 500, 500)),
        change_field(2, T=text("price")),
        change_field(2, Rect=numbers(0, 0, 500, 500)),
        change_field(2, AA=dictionary(K=text("script"))),
        change_root(OpenAction=dictionary(S=pdf_name("/JavaScript"))),
        change_root(Names=dictionary()),
        change_root(DSS=dictionary(Pages=text("smuggled"))),
        add_acting_field,
        share_appearance,
    ],
)
def test_everything_else_is_unexplained(form: bytes, edit: Edit) -> None:
    with pytest.raises(Unexplained):
        compare(form, edit)


def test_a_locked_field_stays(form: bytes) -> None:
    with pytest.raises(Unexplained):
        compare(form, change_field(2, V=text("200")), locked="amount")


@pytest.mark.parametrize("edit", [change_field(2, V=text("200")), add_field])
def test_a_file_certified_against_changes_takes_no_fill_and_no_signature(form: bytes, edit: Edit) -> None:
    with pytest.raises(Unexplained):
        compare(form, edit, frozen=True)
