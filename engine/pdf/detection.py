"""Says what a file is by its content, never by its name; it looks at signatures and directories, not at every byte.

What no stage can use is refused here, with words on how to make it usable.
"""

from __future__ import annotations

import re
import zipfile
from enum import StrEnum
from pathlib import Path

from engine.errors import Rejected
from engine.pdf import intake

HEAD = 1024
"""A PDF header may stand behind this many bytes of something else (ISO 32000-1 annex H, implementation note 13)."""


class Kind(StrEnum):
    """What ``convert`` can take."""

    PDF = "pdf"
    DOCX = "docx"
    DOC = "doc"
    IMAGE = "image"


_IMAGES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"BM", b"GIF8")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"}
_WORD_MAIN_PART = re.compile(
    rb"application/vnd\.(openxmlformats-officedocument\.wordprocessingml|ms-word)[^\"']*main\+xml"
)


def detect(path: Path) -> Kind:
    """The kind of the file at ``path``.

    Raises Rejected ``document.empty``, ``document.encrypted``, ``document.damaged`` or ``document.unknown_type``.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.strip(b"\0 \t\r\n"):
        raise Rejected(
            "document.empty",
            zh=f"文件 {path.name} 没有内容。请检查导出或上传过程后重新上传。",
            en=f"{path.name} is empty. Check how it was exported or uploaded and upload it again.",
            file=path.name,
        )
    # Order matters: a file that is two things at once is taken for the one whose signature stands first in it.
    if head.startswith(_OLE):
        return _ole(path)
    if head.startswith(b"PK\x03\x04"):
        return _package(path)
    if head.startswith(_IMAGES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return Kind.IMAGE
    if b"%PDF-" in head:
        return Kind.PDF
    raise _unusable(path.name, head)


def _package(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as package:
            types = package.getinfo("[Content_Types].xml")
            with package.open(types) as part:
                text = part.read(1024 * 1024)
    except KeyError:
        raise _unknown(path.name, "ZIP", "请解压后逐个上传其中的文件", "Unpack it and upload the files in it") from None
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, EOFError) as error:
        raise intake.damaged(path.name, str(error)) from None
    if not _WORD_MAIN_PART.search(text):
        raise _unknown(path.name, "Office", "请另存为 Word（.docx）或 PDF 后上传", "Save it as Word (.docx) or PDF")
    return Kind.DOCX


def _ole(path: Path) -> Kind:
    # Names in an OLE directory are UTF-16; the directory may stand anywhere in the file (MS-CFB 2.6).
    content = path.read_bytes()
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise intake.encrypted(path.name)
    if "WordDocument".encode("utf-16-le") in content:
        # The stream begins in a sector of 512 bytes with its magic number; a flag says encrypted (MS-DOC 2.5.2).
        starts = (at for at in range(512, len(content) - 12, 512) if content.startswith(b"\xec\xa5", at))
        if any(content[at + 11] & 1 for at in starts):
            raise intake.encrypted(path.name)
        return Kind.DOC
    raise _unknown(path.name, "Office 97", "请另存为 Word（.docx）或 PDF 后上传", "Save it as Word (.docx) or PDF")


def _unusable(name: str, head: bytes) -> Rejected:
    start = head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return _unknown(
            name,
            "HEIC",
            "请在手机相机设置中选择“兼容性最佳”，或转为 JPEG 后上传",
            "Choose 'Most Compatible' in the camera settings or convert it to JPEG",
        )
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        return _unknown(name, "HTML", "请在浏览器中打印为 PDF 后上传", "Print it to PDF in a browser")
    if start.startswith(b"{\\rtf"):
        return _unknown(name, "RTF", "请在 Word 中另存为 .docx 后上传", "Save it as .docx in Word")
    if start.startswith((b"rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"pk")):
        return _unknown(name, "archive", "请解压后逐个上传其中的文件", "Unpack it and upload the files in it")
    return _unknown(
        name, "?", "请转为 PDF、Word（.docx）或 JPEG/PNG/TIFF 后上传", "Convert it to PDF, Word or an image"
    )


def _unknown(name: str, kind: str, zh: str, en: str) -> Rejected:
    shown = "" if kind == "?" else f" ({kind})"
    return Rejected(
        "document.unknown_type",
        zh=f"无法处理文件 {name} 的类型{shown}。{zh}。",
        en=f"{name} is of a type that cannot be used{shown}. {en}.",
        file=name,
        kind=kind,
    )
