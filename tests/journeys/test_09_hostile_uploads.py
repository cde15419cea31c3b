"""Guide, chapter 9, by people who mean harm or use poor software: every upload is refused by name, soon, unharmed."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pikepdf
import psutil
import pytest

from engine.records import runs
from tests.journeys import office as desk
from tests.journeys.office import Office
from tests.pipeline.toys import pipeline

pytestmark = pytest.mark.asyncio(loop_scope="session")

LETTER = desk.SAMPLES / "employment-agreement-letter.pdf"
STAGES = ('use = "convert"', 'use = "normalize"', 'use = "controls"', 'use = "fill"')
PATIENCE = 60.0
"""Seconds on a busy machine; a quiet one needs a tenth."""
GROWTH = 64 * 1024 * 1024
"""Bytes by which our own process may grow: foreign bytes are opened elsewhere."""


def empty(file: Path) -> None:
    file.touch()


def prose(file: Path) -> None:
    file.write_text("劳动合同\n" * 100, "utf-8")


def half_a_word_file(file: Path) -> None:
    content = desk.CONTRACT.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def locked(file: Path) -> None:
    with pikepdf.open(LETTER) as pdf:
        pdf.save(file, encryption=pikepdf.Encryption(user="x", owner="y"))


def circle_of_pages(file: Path) -> None:
    file.write_bytes(
        b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
        b"2 0 obj\n<< /Type /Pages /Kids [ 3 0 R ] /Count 1 >>\nendobj\n"
        b"3 0 obj\n<< /Type /Pages /Kids [ 2 0 R ] /Count 1 /Parent 2 0 R >>\nendobj\n"
        b"trailer\n<< /Root 1 0 R /Size 4 >>\nstartxref\n0\n%%EOF\n"
    )


def bomb(file: Path) -> None:
    """More nothing than one stream may hold, folded twice."""
    layer = zlib.compressobj(9)
    once = b"".join(layer.compress(bytes(1 << 20)) for _ in range(320)) + layer.flush()
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(595, 842))
        stream = pdf.make_stream(b"")
        stream.write(zlib.compress(once, 9), filter=pikepdf.Array([pikepdf.Name.FlateDecode] * 2))
        pdf.pages[0].Contents = stream
        pdf.save(file, stream_decode_level=pikepdf.StreamDecodeLevel.none)  # else one fold is undone on the way


def too_many_pages(file: Path) -> None:
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(595, 842))
        for _ in range(5000):
            pdf.pages.append(pdf.pages[0])
        pdf.save(file)


def no_page(file: Path) -> None:
    with pikepdf.new() as pdf:
        pdf.save(file)


@pytest.mark.parametrize(
    ("make", "name", "code"),
    [
        (empty, "空.pdf", "document.empty"),
        (prose, "合同.pdf", "document.unknown_type"),
        (half_a_word_file, "合同.docx", "document.damaged"),
        (locked, "locked.pdf", "document.encrypted"),
        (circle_of_pages, "circle.pdf", "document.damaged"),
        (bomb, "bomb.pdf", "document.too_large"),
        (too_many_pages, "long.pdf", "document.too_many_pages"),
        (no_page, "none.pdf", "document.damaged"),
    ],
)
async def test_an_upload_that_is_no_contract_is_refused_by_name_and_kept(
    office: Office, tmp_path: Path, make: Callable[[Path], None], name: str, code: str
) -> None:
    upload = tmp_path / name
    make(upload)
    before, started = psutil.Process().memory_info().rss, time.monotonic()
    run = await office.send(pipeline(tmp_path, *STAGES, name="uploads"), upload)
    assert time.monotonic() - started < PATIENCE
    assert psutil.Process().memory_info().rss - before < GROWTH
    assert (run.state, desk.error_code(run)) == ("rejected", code)
    assert run.error is not None and name in run.error["zh"] and name in run.error["en"]
    assert await office.original(run, tmp_path) == upload.read_bytes()


async def test_the_longest_contract_goes_through_and_its_worker_stays_small(office: Office, tmp_path: Path) -> None:
    upload = tmp_path / "long.pdf"
    too_many_pages(upload)
    with pikepdf.open(upload, allow_overwriting_input=True) as pdf:
        del pdf.pages[5000:]
        pdf.save(upload)
    before = psutil.Process().memory_info().rss
    run = await office.send(pipeline(tmp_path, *STAGES, name="uploads"), upload)
    assert (run.state, run.facts.get("pages")) == ("done", 5000), run.error
    assert psutil.Process().memory_info().rss - before < GROWTH


async def test_finished_stages_of_a_refused_run_are_kept(office: Office, tmp_path: Path) -> None:
    run = await office.send("labour-contract", desk.CONTRACT, values={})
    assert (run.state, desk.error_code(run)) == ("rejected", "value.missing")
    async with office.engine.database.transaction() as connection:
        kept = await runs.stage_records(connection, run.id)
    assert [record.stage for record in kept] == ["convert", "normalize", "controls"]
    stored = await office.engine.storage.get(kept[-1].outputs[0], tmp_path)
    desk.check_structure(stored)
