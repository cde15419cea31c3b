"""Signing works on every lawful way to write a form; each case rewrites one and the same paper."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import pytest_asyncio
from pikepdf import Array, Dictionary, Name

from engine.sandbox import Sandbox
from engine.trust.preparation import SignatureOrder
from engine.trust.seals import Seal, load_seal
from engine.trust.signing import Surroundings, sign_document
from engine.trust.validation import verify
from engine.trust.verdict import Integrity, Trust
from tests.trust.paper import (
    LocalStamper,
    Notebook,
    Rack,
    check_structure,
    draw_paper,
    draw_seal_picture,
    make_key,
    prove,
    valid_signatures,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT = make_key("ec", "Sample Root", usage="ca")
PERSON = make_key("ec", "Sample Person", ROOT)
AUTHORITY = make_key("rsa", "Sample Timestamps", ROOT, usage="stamp")
Rewrite = Callable[[pikepdf.Pdf], None]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    door = Sandbox(preload=("engine.trust.inspection", "engine.trust.preparation"))
    yield door
    await door.close()


@pytest.fixture(scope="module")
def seal(tmp_path_factory: pytest.TempPathFactory) -> Seal:
    return load_seal(draw_seal_picture(tmp_path_factory.mktemp("seal") / "seal.png"))


def fields(pdf: pikepdf.Pdf) -> Any:
    return pdf.Root.AcroForm.Fields


def form_within_catalogue(pdf: pikepdf.Pdf) -> None:
    pdf.Root.AcroForm = Dictionary(Fields=Array(list(fields(pdf))))


def form_and_its_fields_apart(pdf: pikepdf.Pdf) -> None:
    listed = pdf.make_indirect(Array(list(fields(pdf))))
    pdf.Root.AcroForm = pdf.make_indirect(Dictionary(Fields=listed))


def annotations_apart(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].Annots = pdf.make_indirect(Array(list(pdf.pages[0].Annots)))


def annotations_within_page(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].Annots = Array(list(pdf.pages[0].Annots))


def no_page_named(pdf: pikepdf.Pdf) -> None:
    for field in fields(pdf):
        if "/P" in field:
            del field.P


def no_area(pdf: pikepdf.Pdf) -> None:
    fields(pdf)[0].Rect = Array([0, 0, 0, 0])


def corners_swapped(pdf: pikepdf.Pdf) -> None:
    fields(pdf)[0].Rect = Array([300, 300, 100, 100])


def enormous(pdf: pikepdf.Pdf) -> None:
    fields(pdf)[0].Rect = Array([0, 0, 10**9, 10**9])


def within_a_group(pdf: pikepdf.Pdf) -> None:
    field = fields(pdf)[0]
    group = pdf.make_indirect(Dictionary(T="甲方", Kids=Array([field])))
    field.Parent = group
    fields(pdf)[0] = group


def named_in_chinese(pdf: pikepdf.Pdf) -> None:
    fields(pdf)[0].T = "乙方 签字（手写）"


def on_the_last_of_many_pages(pdf: pikepdf.Pdf) -> None:
    field = fields(pdf)[0]
    for _ in range(199):
        pdf.pages.append(pdf.pages[0])
    for page in pdf.pages:
        if "/Annots" in page:
            del page["/Annots"]
    pdf.pages[-1].Annots = Array([field])
    field.P = pdf.pages[-1].obj


def turned(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].Rotate = 90


def shifted(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].MediaBox = Array([-100, -100, 600, 900])


def with_a_look_already(pdf: pikepdf.Pdf) -> None:
    look = pdf.make_stream(b"0 0 9 9 re S", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 9, 9]))
    fields(pdf)[0].AP = pdf.make_indirect(Dictionary(N=look))


REWRITES: tuple[tuple[Rewrite, str], ...] = (
    (form_within_catalogue, "a"),
    (form_and_its_fields_apart, "a"),
    (annotations_apart, "a"),
    (annotations_within_page, "a"),
    (no_page_named, "a"),
    (no_area, "a"),
    (corners_swapped, "a"),
    (enormous, "a"),
    (within_a_group, "甲方.a"),
    (named_in_chinese, "乙方 签字（手写）"),
    (on_the_last_of_many_pages, "a"),
    (turned, "a"),
    (shifted, "a"),
    (with_a_look_already, "a"),
)


async def sign(source: Path, field: str, sandbox: Sandbox, seal: Seal | None, folder: Path, **more: Any) -> Path:
    around = Surroundings(sandbox, Rack(folder / "rack"), Notebook().once, "run", folder)
    order = SignatureOrder(field, datetime.now(UTC), 0, seal=seal, **more)
    signed = await sign_document(
        source, folder / f"{field}.pdf", order, PERSON, LocalStamper(AUTHORITY), around, prove(source)
    )
    assert signed.read_bytes().startswith(source.read_bytes())
    return signed


@pytest.mark.parametrize(("rewrite", "field"), REWRITES, ids=lambda value: getattr(value, "__name__", ""))
async def test_any_lawful_form_can_be_signed(
    sandbox: Sandbox, seal: Seal, tmp_path: Path, rewrite: Rewrite, field: str
) -> None:
    source = tmp_path / "odd.pdf"
    with pikepdf.open(draw_paper(tmp_path / "paper.pdf", ("a", "b"))) as pdf:
        rewrite(pdf)
        pdf.save(source)
    signed = await sign(source, field, sandbox, seal, tmp_path)
    report = await verify(sandbox, signed, [ROOT.certificate])
    assert (report.integrity, report.trust, report.level) == (Integrity.VALID, Trust.TRUSTED, "B-T")
    assert report.signatures[0].fields == (field,)
    check_structure(signed)
    assert valid_signatures(signed) == 1


WAYS_TO_SAVE: dict[str, dict[str, Any]] = {
    "tables": {"object_stream_mode": pikepdf.ObjectStreamMode.disable},
    "streams": {"object_stream_mode": pikepdf.ObjectStreamMode.generate},
    "linearized": {"linearize": True},
    "version 2.0": {"force_version": "2.0"},
    "version 1.4": {"force_version": "1.4", "object_stream_mode": pikepdf.ObjectStreamMode.disable},
}


@pytest.mark.parametrize("way", WAYS_TO_SAVE)
async def test_any_way_of_saving_can_be_signed_by_two(sandbox: Sandbox, tmp_path: Path, way: str) -> None:
    source = tmp_path / "saved.pdf"
    with pikepdf.open(draw_paper(tmp_path / "paper.pdf", ("a", "b"))) as pdf:
        pdf.save(source, **WAYS_TO_SAVE[way])
    signed = await sign(await sign(source, "a", sandbox, None, tmp_path), "b", sandbox, None, tmp_path)
    report = await verify(sandbox, signed, [ROOT.certificate])
    assert (report.integrity, report.level, len(report.signatures)) == (Integrity.VALID, "B-T", 2)
    check_structure(signed)
    assert valid_signatures(signed) == 2


async def test_a_file_without_an_identifier_can_be_signed(sandbox: Sandbox, tmp_path: Path) -> None:
    source = draw_paper(tmp_path / "paper.pdf", ("a",))
    content = source.read_bytes()
    assert b"/ID" in content
    source.write_bytes(content.replace(b"/ID", b"/Xx"))
    report = await verify(sandbox, await sign(source, "a", sandbox, None, tmp_path), [])
    assert report.integrity is Integrity.VALID


async def test_each_further_signer_adds_as_much_as_the_one_before(sandbox: Sandbox, tmp_path: Path) -> None:
    names = tuple(f"s{number}" for number in range(12))
    source = draw_paper(tmp_path / "paper.pdf", names)
    sizes = [source.stat().st_size]
    for name in names:
        source = await sign(source, name, sandbox, None, tmp_path, sound=True)
        sizes.append(source.stat().st_size)
    grown = [after - before for before, after in itertools.pairwise(sizes)]
    assert max(grown) < 1.2 * min(grown)
    report = await verify(sandbox, source, [ROOT.certificate])
    assert (report.integrity, len(report.signatures)) == (Integrity.VALID, 12)
    assert {entry.certificate for entry in report.signatures} == {report.signatures[0].certificate}
