import io
import re
import zipfile
from pathlib import Path

import docx
import pytest

from engine.errors import Misuse, Rejected
from engine.pdf import word
from engine.pdf.word import docx_to_pdf, neutral_package, office_to_pdf
from tests.pdf.pictures_of_pages import is_blank, picture, text


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fonts")


def _contract(path: Path, *words: str) -> Path:
    document = docx.Document()
    for line in words or ("劳动合同书", "甲方（用人单位）：示例有限公司"):
        document.add_paragraph(line)
    document.save(path)
    return path


def _with_parts(source: Path, target: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if name not in parts:
                new.writestr(name, old.read(name))
        for name, content in parts.items():
            new.writestr(name, content)
    return target


def test_chinese_words_come_out_searchable_as_they_were_typed(tmp_path: Path, cache: Path) -> None:
    typed = "第一条 工作内容：长门页见车马风飞鱼龙文工金"  # each drawn with a glyph that serves a radical too
    source = _contract(tmp_path / "a.docx", typed)
    assert docx_to_pdf(source, tmp_path / "a.pdf", cache) == 1
    assert text(tmp_path / "a.pdf").strip() == typed
    assert not is_blank(picture(tmp_path / "a.pdf"))


def test_the_same_word_file_gives_the_same_bytes(tmp_path: Path, cache: Path) -> None:
    source = _contract(tmp_path / "a.docx")
    for target in ("one.pdf", "two.pdf"):
        docx_to_pdf(source, tmp_path / target, cache)
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()


def test_references_to_the_outside_are_cut_and_web_links_stay(tmp_path: Path) -> None:
    source = _contract(tmp_path / "a.docx")
    with zipfile.ZipFile(source) as package:
        relations = package.read("word/_rels/document.xml.rels")
    base = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
    added = b"".join(
        b'<Relationship Id="x%d" Type="%s%s" Target="%s" TargetMode="External"/>' % (number, base, kind, target)
        for number, (kind, target) in enumerate(
            [
                (b"image", b"http://example.com/track.png"),
                (b"oleObject", b"file:///etc/passwd"),
                (b"attachedTemplate", b"\\\\host\\share\\evil.dotm"),
                (b"hyperlink", b"https://example.org/law"),
            ]
        )
    )
    hostile = _with_parts(
        source,
        tmp_path / "b.docx",
        {"word/_rels/document.xml.rels": relations.replace(b"</Relationships>", added + b"</Relationships>")},
    )
    with zipfile.ZipFile(neutral_package(hostile, tmp_path / "clean.docx")) as clean:
        kept = clean.read("word/_rels/document.xml.rels")
    assert b"example.com" not in kept and b"passwd" not in kept and b"evil" not in kept
    assert b"https://example.org/law" in kept


def test_field_instructions_that_fetch_are_disarmed_and_the_same_words_in_text_are_not(tmp_path: Path) -> None:
    source = _contract(tmp_path / "a.docx", 'The DDE "LINK" INCLUDETEXT clause')
    with zipfile.ZipFile(source) as package:
        body = package.read("word/document.xml")
    field = b'<w:p><w:r><w:instrText>INCLUDEPICTURE "http://example.com"</w:instrText></w:r></w:p>'
    hostile = _with_parts(
        source, tmp_path / "b.docx", {"word/document.xml": body.replace(b"<w:sectPr", field + b"<w:sectPr")}
    )
    with zipfile.ZipFile(neutral_package(hostile, tmp_path / "clean.docx")) as clean:
        kept = clean.read("word/document.xml")
    assert b"INCLUDEPICTURE" not in kept
    assert re.search(rb"The DDE .*LINK.* INCLUDETEXT clause", kept)


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("word/document.xml", b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'),
        ("word/styles.xml", '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x><x/>'.encode("utf-16")),
    ],
)
def test_document_type_declarations_are_refused(tmp_path: Path, part: str, content: bytes) -> None:
    hostile = _with_parts(_contract(tmp_path / "a.docx"), tmp_path / "b.docx", {part: content})
    with pytest.raises(Rejected) as refusal:
        neutral_package(hostile, tmp_path / "clean.docx")
    assert refusal.value.code == "document.damaged"


def test_a_package_bomb_is_refused_by_what_it_inflates_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word, "UNPACKED_LIMIT", 1024 * 1024)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("word/media/image1.bmp", b"\0" * 2_000_000)
    (tmp_path / "bomb.docx").write_bytes(buffer.getvalue())
    with pytest.raises(Rejected) as refusal:
        neutral_package(tmp_path / "bomb.docx", tmp_path / "clean.docx")
    assert refusal.value.code == "document.too_large"


def test_two_parts_of_one_name_are_refused_because_readers_differ(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(buffer, "w") as package:
        package.writestr("word/document.xml", b"<a/>")
        package.writestr("word/document.xml", b"<b/>")
    (tmp_path / "two.docx").write_bytes(buffer.getvalue())
    with pytest.raises(Rejected) as refusal:
        neutral_package(tmp_path / "two.docx", tmp_path / "clean.docx")
    assert refusal.value.code == "document.damaged"


def test_a_package_without_a_document_says_how_to_go_on(tmp_path: Path, cache: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as package:
        package.writestr("[Content_Types].xml", b"<Types/>")
    with pytest.raises(Rejected) as refusal:
        docx_to_pdf(tmp_path / "a.docx", tmp_path / "a.pdf", cache)
    assert refusal.value.code == "word.not_convertible"
    assert "PDF" in refusal.value.text.zh


def test_what_stands_in_content_controls_is_not_lost(tmp_path: Path, cache: Path) -> None:
    source = _contract(tmp_path / "a.docx", "乙方：")
    with zipfile.ZipFile(source) as package:
        body = package.read("word/document.xml")
    inner = "<w:sdtContent><w:r><w:t>示例人员</w:t></w:r></w:sdtContent>"
    control = f'<w:sdt><w:sdtPr><w:alias w:val="名"/><w:text/></w:sdtPr>{inner}</w:sdt>'
    tag = "<w:smartTag w:element='x'><w:smartTagPr/><w:r><w:t>于本日</w:t></w:r></w:smartTag>"
    filled = body.replace(b"</w:p>", (control + tag).encode() + b"</w:p>", 1)
    docx_to_pdf(_with_parts(source, tmp_path / "b.docx", {"word/document.xml": filled}), tmp_path / "b.pdf", cache)
    assert text(tmp_path / "b.pdf").strip() == "乙方：示例人员于本日"


def test_objects_phonetic_guides_and_deleted_fields_cost_no_words(tmp_path: Path, cache: Path) -> None:
    source = _contract(tmp_path / "a.docx", "甲方")
    with zipfile.ZipFile(source) as package:
        body = package.read("word/document.xml")
    inner = (
        '<w:r><w:object w:dxaOrig="10"><o:OLEObject xmlns:o="o" Type="Embed"/></w:object></w:r>'
        "<w:r><w:delInstrText>PAGE</w:delInstrText><w:t>本人</w:t></w:r>"
        "<w:r><w:ruby><w:rubyPr/><w:rt><w:r><w:t>zhang</w:t></w:r></w:rt>"
        "<w:rubyBase><w:r><w:t>张</w:t></w:r></w:rubyBase></w:ruby></w:r>"
    )
    filled = body.replace(b"</w:p>", inner.encode() + b"</w:p>", 1)
    docx_to_pdf(_with_parts(source, tmp_path / "b.docx", {"word/document.xml": filled}), tmp_path / "b.pdf", cache)
    assert text(tmp_path / "b.pdf").strip() == "甲方本人张"


def test_a_chart_that_would_be_left_out_is_refused_with_words_on_what_to_do(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(Rejected) as refusal:
        docx_to_pdf(_with_chart(tmp_path), tmp_path / "b.pdf", cache)
    assert refusal.value.code == "word.drawing_unsupported"
    assert "另存为 PDF" in refusal.value.text.zh


def _with_chart(folder: Path) -> Path:
    source = _contract(folder / "a.docx", "甲方")
    with zipfile.ZipFile(source) as package:
        body = package.read("word/document.xml")
    chart = b'<a:graphicData uri="http://schemas.openxmlformats.org/drawingml/2006/chart"/>'
    return _with_parts(source, folder / "b.docx", {"word/document.xml": body.replace(b"</w:p>", chart + b"</w:p>", 1)})


def test_a_character_that_no_font_has_is_refused_by_name_rather_than_drawn_as_a_box(
    tmp_path: Path, cache: Path
) -> None:
    source = _contract(tmp_path / "a.docx", "甲方", "\u0378 字")
    with pytest.raises(Rejected) as refusal:
        docx_to_pdf(source, tmp_path / "a.pdf", cache)
    assert refusal.value.code == "word.characters_missing"
    assert "U+0378" in refusal.value.text.zh
    assert refusal.value.facts["characters"] == "\u0378"


@pytest.mark.parametrize(("font", "code", "sign"), [("Wingdings", "F0A8", "□"), ("Wingdings 2", "F050", "✓")])
def test_boxes_and_ticks_of_symbol_fonts_become_characters(
    tmp_path: Path, cache: Path, font: str, code: str, sign: str
) -> None:
    source = _contract(tmp_path / "a.docx", "同意")
    with zipfile.ZipFile(source) as package:
        body = package.read("word/document.xml")
    symbol = f'<w:r><w:sym w:font="{font}" w:char="{code}"/></w:r>'.encode()
    marked = _with_parts(
        source, tmp_path / "b.docx", {"word/document.xml": body.replace(b"</w:p>", symbol + b"</w:p>", 1)}
    )
    docx_to_pdf(marked, tmp_path / "b.pdf", cache)
    assert text(tmp_path / "b.pdf").strip() == "同意" + sign


def test_rare_and_shared_glyphs_are_no_reason_to_refuse(tmp_path: Path, cache: Path) -> None:
    source = _contract(tmp_path / "a.docx", "𠮷㐂龘 non\u2011breaking · • … —")
    assert docx_to_pdf(source, tmp_path / "a.pdf", cache) == 1
    assert "𠮷㐂龘" in text(tmp_path / "a.pdf")


def _fake_office(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "soffice"
    program.write_text("#!/bin/sh\n" + script, "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_libreoffice_works_in_a_profile_of_its_own_with_macros_and_links_off(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made.pdf"
    docx_to_pdf(_contract(tmp_path / "a.docx"), made, cache)
    script = f"""
echo "$@" > {tmp_path}/arguments
env > {tmp_path}/environment
mkdir -p out
while [ $# -gt 0 ]; do [ "$1" = --outdir ] && mkdir -p "$2" && cp {made} "$2/document.pdf"; shift; done
"""
    _fake_office(tmp_path, script, monkeypatch)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path)
    assert office_to_pdf(tmp_path / "a.docx", tmp_path / "work" / "b.pdf", cache, True) == 1
    arguments = (tmp_path / "arguments").read_text()
    assert "--headless" in arguments and "-env:UserInstallation=file://" in arguments
    assert "FONTCONFIG_FILE=" in (tmp_path / "environment").read_text()
    settings = (tmp_path / "work/office/profile/user/registrymodifications.xcu").read_text()
    assert "DisableMacrosExecution" in settings and "BlockUntrustedRefererLinks" in settings


def test_libreoffice_that_makes_nothing_or_is_missing_says_what_to_do(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    _fake_office(tmp_path, "echo 'source file could not be loaded' >&2", monkeypatch)
    with pytest.raises(Rejected) as refusal:
        office_to_pdf(_contract(tmp_path / "a.docx"), tmp_path / "work" / "b.pdf", cache, True)
    assert "could not be loaded" in str(refusal.value.facts["reason"])
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(Misuse) as misuse:
        office_to_pdf(tmp_path / "a.docx", tmp_path / "work" / "c.pdf", cache, True)
    assert "apt-get install libreoffice-writer-nogui" in misuse.value.text.zh
    assert not word.libreoffice_installed()
