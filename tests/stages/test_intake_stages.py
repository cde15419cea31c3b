from collections.abc import AsyncIterator
from pathlib import Path

import docx
import pikepdf
import pytest
import pytest_asyncio
from PIL import Image

from engine.errors import Rejected
from engine.pipeline.stage import Done, Effect
from engine.sandbox import Sandbox
from engine.stages.convert import Convert
from engine.stages.inspect import Inspect
from engine.stages.merge import Merge
from engine.stages.normalize import Normalize
from tests.pdf.pictures_of_pages import size, text
from tests.pdf.raw_documents import one_page
from tests.stages.standalone_work import standalone_work


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    opened = Sandbox(preload=["engine.pdf.conformance", "engine.pdf.conversion", "engine.pdf.normalization"])
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def _files(folder: Path) -> tuple[Path, Path, Path]:
    document = docx.Document()
    document.add_paragraph("劳动合同书")
    document.save(folder / "contract")  # no name says what it is
    Image.new("RGB", (600, 400), "red").save(folder / "photo.doc", "JPEG")
    (folder / "annex.png").write_bytes(one_page())
    return folder / "contract", folder / "photo.doc", folder / "annex.png"


async def test_a_word_file_a_photo_and_a_pdf_become_one_document(tmp_path: Path, sandbox: Sandbox) -> None:
    files = _files(tmp_path)
    converted = await Convert(sandbox=sandbox).run(standalone_work(tmp_path / "1", *files))
    assert converted.facts == {"kinds": ["docx", "image", "pdf"]}
    assert converted.outputs is not None and len(converted.outputs) == 3
    assert converted.outputs[2].read_bytes() == files[2].read_bytes()
    merged = await Merge(sandbox=sandbox).run(standalone_work(tmp_path / "2", *converted.outputs))
    assert merged.outputs is not None and merged.facts["pages"] == 3
    normal = await Normalize(sandbox=sandbox).run(standalone_work(tmp_path / "3", *merged.outputs))
    assert normal.outputs is not None
    (target,) = normal.outputs
    assert [size(target, page) for page in range(3)] == [pytest.approx((595.276, 841.89), abs=0.01)] * 3
    assert text(target).strip() == "劳动合同书"
    assert await Inspect(sandbox=sandbox, strict=True).run(standalone_work(tmp_path / "4", target)) == Done(
        facts={"pages": 3, "inspection": []}
    )


async def test_normalising_records_what_was_found_and_undone(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "a.pdf").write_bytes(one_page(catalog=b"/OpenAction<</S/JavaScript/JS(x)>>"))
    done = await Normalize(sandbox=sandbox).run(standalone_work(tmp_path / "w", tmp_path / "a.pdf"))
    assert [fact["code"] for fact in done.facts["inspection"]] == ["action.automatic", "action.script"]
    assert done.facts["signatures_dropped"] == 0


async def test_strict_inspection_is_a_gate_and_plain_inspection_a_report(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "a.pdf").write_bytes(one_page(catalog=b"/OpenAction<</S/JavaScript/JS(x)>>"))
    work = standalone_work(tmp_path / "w", tmp_path / "a.pdf")
    done = await Inspect(sandbox=sandbox).run(work)
    assert done.outputs is None
    assert done.facts["inspection"][0]["place"] == "catalog"
    with pytest.raises(Rejected) as refusal:
        await Inspect(sandbox=sandbox, strict=True).run(work)
    assert refusal.value.code == "document.not_clean"
    assert "normalize" in refusal.value.text.zh


async def test_a_refusal_crosses_the_process_border_whole(tmp_path: Path, sandbox: Sandbox) -> None:
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(tmp_path / "locked.pdf", encryption=pikepdf.Encryption(user="secret", owner="other"))
    for stage in (Normalize(sandbox=sandbox), Merge(sandbox=sandbox), Inspect(sandbox=sandbox)):
        with pytest.raises(Rejected) as refusal:
            await stage.run(standalone_work(tmp_path / stage.name, tmp_path / "locked.pdf"))
        assert (refusal.value.code, refusal.value.facts["file"]) == ("document.encrypted", "locked.pdf")


async def test_an_old_word_file_without_libreoffice_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.docx").write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "WordDocument".encode("utf-16-le")
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox = Sandbox()
    try:
        with pytest.raises(Rejected) as refusal:
            await Convert(sandbox=sandbox).run(standalone_work(tmp_path / "w", tmp_path / "old.docx"))
    finally:
        await sandbox.close()
    assert refusal.value.code == "word.old_format"
    assert ".docx" in refusal.value.text.zh


async def test_the_page_limit_is_an_option_of_every_stage(tmp_path: Path, sandbox: Sandbox) -> None:
    pages = [Image.new("1", (9, 9)) for _ in range(3)]
    pages[0].save(tmp_path / "fax.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(Rejected) as refusal:
        await Convert(sandbox=sandbox, page_limit=2).run(standalone_work(tmp_path / "w", tmp_path / "fax.tif"))
    assert refusal.value.code == "document.too_many_pages"


def test_the_stages_say_what_they_do_to_the_bytes() -> None:
    assert {stage.name: stage.effect for stage in (Convert, Normalize, Merge, Inspect)} == {
        "convert": Effect.REWRITES,
        "normalize": Effect.REWRITES,
        "merge": Effect.REWRITES,
        "inspect": Effect.APPENDS,
    }
