import io
import zipfile
from pathlib import Path

import docx
import pikepdf
import pytest
from docx.oxml.ns import qn

from engine.pdf.word import docx_to_pdf
from engine.pdf.word_typefaces import Manner, judge, rename

CHINESE, ENGLISH = Manner(chinese=True), Manner()


def _package(**parts: str) -> zipfile.ZipFile:
    package = zipfile.ZipFile(io.BytesIO(), "w")
    for name, content in parts.items():
        package.writestr(f"word/{name}.xml", content)
    return package


@pytest.mark.parametrize(
    ("given", "manner", "wanted"),
    [
        ('w:ascii="黑体" w:eastAsia="黑体"', ENGLISH, 'w:ascii="Noto Sans SC" w:eastAsia="Noto Sans SC"'),
        ("w:ascii='Georgia'", ENGLISH, 'w:ascii="Noto Serif SC"'),
        ('w:ascii="Zapfino"', ENGLISH, 'w:ascii="Noto Serif SC"'),
        ('w:ascii="Wingdings"', CHINESE, 'w:ascii="Wingdings"'),
        ('w:ascii="Arial" w:eastAsia="宋体"', ENGLISH, 'w:ascii="Noto Sans SC" w:eastAsia="Noto Serif SC"'),
        ('w:eastAsia="黑体"', CHINESE, 'w:eastAsia="Noto Sans SC" w:ascii="Noto Sans SC" w:hAnsi="Noto Sans SC"'),
        (
            'w:asciiTheme="minorHAnsi" w:eastAsia="宋体"',
            CHINESE,
            'w:eastAsia="Noto Serif SC" w:ascii="Noto Serif SC" w:hAnsi="Noto Serif SC"',
        ),
        (
            'w:ascii="Arial" w:eastAsiaTheme="majorEastAsia"',
            CHINESE,
            'w:eastAsiaTheme="majorEastAsia" w:asciiTheme="majorEastAsia" w:hAnsiTheme="majorEastAsia"',
        ),
        ('w:ascii="Courier New"', CHINESE, 'w:ascii="Noto Sans Mono CJK SC"'),
    ],
)
def test_a_run_names_bundled_faces_and_one_for_both_scripts_in_chinese(given: str, manner: Manner, wanted: str) -> None:
    assert rename(f"<w:rFonts {given}/>".encode(), manner).decode() == f"<w:rFonts {wanted}/>"


def test_a_theme_with_an_open_chinese_place_takes_the_face_it_lists_for_it() -> None:
    theme = (
        '<a:majorFont><a:latin typeface="Cambria"/><a:ea typeface=""/>'
        '<a:font script="Hans" typeface="等线 Light"/></a:majorFont>'
        '<a:minorFont><a:latin typeface="Calibri"/><a:ea typeface=""/></a:minorFont>'
    )
    english, chinese = rename(theme.encode(), ENGLISH).decode(), rename(theme.encode(), CHINESE).decode()
    assert '<a:latin typeface="Noto Serif SC"/><a:ea typeface="Noto Sans SC"/>' in english
    assert '<a:latin typeface="Noto Sans SC"/><a:ea typeface="Noto Serif SC"/>' in english
    assert chinese.count('<a:latin typeface="Noto Sans SC"/><a:ea typeface="Noto Sans SC"/>') == 1
    assert chinese.count('<a:latin typeface="Noto Serif SC"/><a:ea typeface="Noto Serif SC"/>') == 1


def test_drawn_text_is_renamed_and_places_in_the_theme_are_not() -> None:
    drawn = b'<a:latin typeface="Arial"/><a:ea typeface="+mn-ea"/><a:buFont typeface="Wingdings"/>'
    assert rename(drawn, CHINESE) == drawn.replace(b"Arial", b"Noto Sans SC")


def test_faces_the_file_brings_along_keep_their_names() -> None:
    table = (
        '<w:font w:name="A&amp;B Brand"><w:panose1/><w:embedRegular r:id="rId1"/></w:font>'
        '<w:font w:name="Arial"><w:sig/></w:font>'
    )
    manner = judge(_package(fontTable=table, document="<w:t>words</w:t>"))
    assert manner == Manner(frozenset({"A&B Brand"}), chinese=False)
    assert rename(b'<w:rFonts w:ascii="A&amp;B Brand"/>', manner) == b'<w:rFonts w:ascii="A&amp;B Brand"/>'


def test_a_document_is_chinese_when_most_of_what_it_says_is() -> None:
    assert judge(_package(document="<w:t>劳动合同 Contract</w:t>")).chinese
    assert not judge(_package(document="<w:t>Employment contract (劳动合同)</w:t>")).chinese
    assert not judge(_package(other="")).chinese


def test_headings_in_a_black_face_come_out_in_the_sans_one(tmp_path: Path) -> None:
    document = docx.Document()
    for face, words in (("黑体", "第一章 总则"), ("宋体", "第一条 双方")):
        fonts = document.add_paragraph().add_run(words)._r.get_or_add_rPr().get_or_add_rFonts()
        fonts.set(qn("w:eastAsia"), face)
    document.save(str(tmp_path / "a.docx"))
    docx_to_pdf(tmp_path / "a.docx", tmp_path / "a.pdf", tmp_path)
    with pikepdf.open(tmp_path / "a.pdf") as pdf:
        names = {str(item.BaseFont) for item in pdf.objects if "/BaseFont" in item}
    assert {name.partition("+")[2] for name in names} == {"NotoSansSC-Regular", "NotoSerifSC-Regular"}
