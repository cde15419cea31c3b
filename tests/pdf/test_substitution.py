import subprocess
from pathlib import Path

import pytest

from engine.pdf.normalization import normalize
from tests.pdf.pictures_of_pages import is_blank, picture, text
from tests.pdf.raw_documents import one_page, stream


def _document(
    encoding: bytes, ordering: bytes, shown: bytes, *, name: bytes = b"SimSun", extra: bytes = b"", unicode: bytes = b""
) -> bytes:
    font = b"<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/%s/DescendantFonts[6 0 R]%s>>"
    descendant = (
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(%s)/Supplement 2>>%s>>"
    )
    return one_page(
        b"BT /F 24 Tf 72 700 Td <%s> Tj ET" % shown.hex().encode(),
        page=b"/Resources<</Font<</F 5 0 R>>>>",
        more=(
            font % (name, encoding, b"/ToUnicode 7 0 R" if unicode else b""),
            descendant % (name, ordering, extra),
            stream(unicode),
        ),
    )


@pytest.mark.parametrize(
    ("encoding", "ordering", "python", "words"),
    [
        (b"GBK-EUC-H", b"GB1", "gbk", "劳动合同 ABC"),
        (b"GBKp-EUC-H", b"GB1", "gbk", "甲方：示例"),
        (b"GB-EUC-H", b"GB1", "gb2312", "工资三千元"),
        (b"UniGB-UCS2-H", b"GB1", "utf-16-be", "第一条"),
        (b"UniGB-UTF16-H", b"GB1", "utf-16-be", "第一条"),
        (b"90ms-RKSJ-H", b"Japan1", "cp932", "日本語テスト"),
        (b"UniJIS-UTF16-H", b"Japan1", "utf-16-be", "契約書"),
        (b"ETen-B5-H", b"CNS1", "big5", "勞動契約"),
        (b"KSCms-UHC-H", b"Korea1", "cp949", "계약서"),
    ],
)
def test_a_font_that_is_only_named_is_brought_along(
    tmp_path: Path, encoding: bytes, ordering: bytes, python: str, words: str
) -> None:
    (tmp_path / "source.pdf").write_bytes(_document(encoding, ordering, words.encode(python)))
    normalize(tmp_path / "source.pdf", tmp_path / "target.pdf")
    assert text(tmp_path / "target.pdf").strip() == words
    assert not is_blank(picture(tmp_path / "target.pdf"))
    # Poppler has no predefined character maps here: what it reads stands in the file.
    read = subprocess.run(["pdftotext", tmp_path / "target.pdf", "-"], capture_output=True, check=True, text=True)
    assert ("".join(read.stdout.split()), read.stderr) == (words.replace(" ", ""), "")
    fonts = subprocess.run(["pdffonts", tmp_path / "target.pdf"], capture_output=True, check=True, text=True)
    assert "CID TrueType" in fonts.stdout and " yes " in fonts.stdout


def test_codes_of_an_unknown_font_are_read_through_its_text_map(tmp_path: Path) -> None:
    unicode = b"1 begincodespacerange <0000> <FFFF> endcodespacerange 1 beginbfchar <0123> <7532> endbfchar"
    content = _document(b"Identity-H", b"Identity", b"\x01\x23", unicode=unicode)
    (tmp_path / "source.pdf").write_bytes(content)
    normalize(tmp_path / "source.pdf", tmp_path / "target.pdf")
    assert text(tmp_path / "target.pdf").strip() == "甲"
    assert not is_blank(picture(tmp_path / "target.pdf"))


def test_widths_of_the_document_decide_where_the_next_character_stands(tmp_path: Path) -> None:
    narrow = _document(b"UniGB-UCS2-H", b"GB1", "AAAA".encode("utf-16-be"), extra=b"/W[34[500]]")
    wide = _document(b"UniGB-UCS2-H", b"GB1", "AAAA".encode("utf-16-be"), extra=b"/W[34 34 1000]")
    ends = []
    for name, content in (("narrow", narrow), ("wide", wide)):
        (tmp_path / name).write_bytes(content)
        normalize(tmp_path / name, tmp_path / f"{name}.pdf")
        image = picture(tmp_path / f"{name}.pdf").convert("L").point(lambda value: 255 - value)
        box = image.getbbox()
        assert box is not None
        ends.append(box[2] - box[0])
    assert ends[0] == pytest.approx(24 * 2, abs=4)
    assert ends[1] == pytest.approx(24 * 3.6, abs=5)


def test_a_font_named_in_gbk_is_understood_as_serif_or_sans(tmp_path: Path) -> None:
    for name, style in ((b"#cb#ce#cc#e5", "Serif"), (b"#ba#da#cc#e5,Bold", "Sans")):  # 宋体, 黑体
        (tmp_path / "source.pdf").write_bytes(_document(b"GBK-EUC-H", b"GB1", "甲".encode("gbk"), name=name))
        normalize(tmp_path / "source.pdf", tmp_path / "target.pdf")
        fonts = subprocess.run(["pdffonts", tmp_path / "target.pdf"], capture_output=True, check=True, text=True)
        assert f"NotoSC-{style}" in fonts.stdout


def test_an_unknown_encoding_leaves_the_font_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "source.pdf").write_bytes(_document(b"Nobody-Knows-H", b"GB1", b"\x30\x31"))
    assert normalize(tmp_path / "source.pdf", tmp_path / "target.pdf").pages == 1
