"""LibreOffice itself, as a worker uses it: .doc under ``auto`` and .docx on demand, within limits and our typefaces."""

import asyncio
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import docx
import pikepdf
import pytest
import pytest_asyncio
from docx.oxml.ns import qn

from engine.errors import Rejected
from engine.pdf import conversion
from engine.sandbox import Limits, Sandbox
from engine.stages.convert import Convert
from tests.pdf.pictures_of_pages import is_blank, picture, text
from tests.stages.standalone_work import standalone_work


@pytest_asyncio.fixture
async def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    opened = Sandbox(preload=["engine.pdf.conversion"])
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one contract as ``a.docx`` and, by LibreOffice, as ``a.doc``."""
    folder = tmp_path_factory.mktemp("contract")
    document = docx.Document()
    for face, words in (("黑体", "劳动合同书"), ("仿宋", "甲方：示例科技（演示）有限公司"), ("Arial", "Party B")):
        fonts = document.add_paragraph().add_run(words)._r.get_or_add_rPr().get_or_add_rFonts()
        for slot in ("w:ascii", "w:hAnsi", "w:eastAsia"):
            fonts.set(qn(slot), face)
    document.add_page_break()
    document.add_paragraph("第二页")
    document.save(str(folder / "a.docx"))
    program = shutil.which("soffice")
    assert program, "the tests need LibreOffice: apt-get install libreoffice-writer-nogui"
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [program, "--headless", profile, "--convert-to", "doc", "--outdir", str(folder), str(folder / "a.docx")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder


@pytest.mark.parametrize(("name", "word"), [("a.doc", "auto"), ("a.docx", "libreoffice")])
async def test_word_files_of_both_kinds_become_searchable_pages_in_bundled_typefaces(
    tmp_path: Path, sandbox: Sandbox, contract: Path, name: str, word: conversion.WordConverter
) -> None:
    done = await Convert(sandbox=sandbox, word=word).run(standalone_work(tmp_path / "w", contract / name))
    assert done.facts == {"kinds": [name.removeprefix("a.")]}
    assert done.outputs is not None
    (target,) = done.outputs
    assert [line for line in text(target).split("\r\n") if line] == [
        "劳动合同书",
        "甲方：示例科技（演示）有限公司",
        "Party B",
    ]
    assert "第二页" in text(target, 1)
    assert not is_blank(picture(target))
    with pikepdf.open(target) as pdf:
        assert len(pdf.pages) == 2
        assert "/Info" not in pdf.trailer
        names = {
            str(item.FontName).partition("+")[2].partition("-")[0]
            for item in pdf.objects
            if "/FontFile" in str(item.keys())
        }
    assert names == {"NotoSerifSC", "NotoSansSC"}


async def test_what_dxpdf_cannot_read_goes_to_libreoffice_under_auto_only(
    tmp_path: Path, sandbox: Sandbox, contract: Path
) -> None:
    source = tmp_path / "b.docx"
    with zipfile.ZipFile(contract / "a.docx") as old, zipfile.ZipFile(source, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            new.writestr(name, part.replace(b"<w:p>", b"<w:p><w:r><w:t>&#xA0;</w:t><w:unheardOf/></w:r>", 1))
    done = await Convert(sandbox=sandbox).run(standalone_work(tmp_path / "w", source))
    assert done.outputs is not None and "劳动合同书" in text(done.outputs[0])
    with pytest.raises(Rejected) as refusal:
        await Convert(sandbox=sandbox, word="dxpdf").run(standalone_work(tmp_path / "v", source))
    assert refusal.value.code == "word.not_convertible"


async def test_two_at_once_do_not_meet_in_one_profile(tmp_path: Path, sandbox: Sandbox, contract: Path) -> None:
    works = [standalone_work(tmp_path / str(number), contract / "a.doc") for number in range(2)]
    both = await asyncio.gather(*(Convert(sandbox=sandbox).run(work) for work in works))
    first, second = (picture(done.outputs[0]) for done in both if done.outputs is not None)
    assert first == second and not is_blank(first)


async def test_an_old_word_file_of_noise_is_refused_as_not_convertible(tmp_path: Path, sandbox: Sandbox) -> None:
    source = tmp_path / "noise.doc"
    source.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "WordDocument".encode("utf-16-le") * 90)
    with pytest.raises(Rejected) as refusal:
        await Convert(sandbox=sandbox).run(standalone_work(tmp_path / "w", source))
    assert refusal.value.code == "word.not_convertible"


async def test_a_program_that_takes_too_long_is_ended_with_all_it_started(
    tmp_path: Path, contract: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "soffice"
    program.write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {tmp_path}/pid\nwait\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    sandbox = Sandbox(limits=Limits(memory_mb=6144, wall_seconds=3.0))
    try:
        with pytest.raises(Rejected) as refusal:
            await sandbox.call(conversion.to_pdf, contract / "a.doc", tmp_path / "a.pdf", "auto", tmp_path, 9)
    finally:
        await sandbox.close()
    assert refusal.value.code == "document.too_slow"
    started = Path("/proc", (tmp_path / "pid").read_text().strip(), "status")
    for _ in range(100):
        if not started.exists() or "State:\tZ" in started.read_text():
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("what the program started still runs")
