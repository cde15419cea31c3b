import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from engine.errors import Rejected
from engine.pdf.detection import Kind, detect
from tests.pdf.raw_documents import one_page

_WORD = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_SHEET = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600


def _package(types: bytes | None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        if types is not None:
            package.writestr("[Content_Types].xml", b'<Types><Override ContentType="%s"/></Types>' % types)
        package.writestr("other.txt", "x")
    return buffer.getvalue()


def _image(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (one_page(), Kind.PDF),
        (b"\xef\xbb\xbf\r\nsome mail header\r\n" + one_page(), Kind.PDF),
        (_package(_WORD), Kind.DOCX),
        (_package(b"application/vnd.ms-word.document.macroEnabled.main+xml"), Kind.DOCX),
        (_OLE + "WordDocument".encode("utf-16-le"), Kind.DOC),
        *((_image(kind), Kind.IMAGE) for kind in ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP")),
    ],
)
def test_a_file_is_what_its_content_says_whatever_its_name(tmp_path: Path, content: bytes, kind: Kind) -> None:
    for name in ("file.pdf", "file.jpg", "文件"):
        (tmp_path / name).write_bytes(content)
        assert detect(tmp_path / name) is kind


@pytest.mark.parametrize(
    ("content", "code", "advice"),
    [
        (b"", "document.empty", "upload it again"),
        (b"\0" * 5000, "document.empty", "upload it again"),
        (b" \r\n", "document.empty", "upload it again"),
        (b"just words", "document.unknown_type", "Convert it"),
        (b"<!DOCTYPE html><html>", "document.unknown_type", "browser"),
        (b"{\\rtf1 text}", "document.unknown_type", "Word"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 50, "document.unknown_type", "JPEG"),
        (b"Rar!\x1a\x07", "document.unknown_type", "Unpack"),
        (b"\x1f\x8b\x08" + b"\0" * 50, "document.unknown_type", "Unpack"),
        (_package(None), "document.unknown_type", "Unpack"),
        (_package(_SHEET), "document.unknown_type", "Save it as Word"),
        (_package(_WORD)[:100], "document.damaged", "again"),
        (
            _OLE.ljust(1024, b"\0") + b"\xec\xa5".ljust(11, b"\0") + b"\1" + "WordDocument".encode("utf-16-le"),
            "document.encrypted",
            "without a password",
        ),
        (_OLE + "EncryptedPackage".encode("utf-16-le"), "document.encrypted", "without a password"),
        (_OLE + "Workbook".encode("utf-16-le"), "document.unknown_type", "Save it as Word"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_do(tmp_path: Path, content: bytes, code: str, advice: str) -> None:
    (tmp_path / "file.pdf").write_bytes(content)
    with pytest.raises(Rejected) as refusal:
        detect(tmp_path / "file.pdf")
    assert refusal.value.code == code
    assert advice in refusal.value.text.en
    assert "file.pdf" in refusal.value.text.zh
