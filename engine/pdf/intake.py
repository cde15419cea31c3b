"""Opens PDF files we did not make; call it only in a limited child, and catch nothing of pikepdf outside ``reading``.

Every way in which foreign bytes fail to be a readable PDF leaves here as a Rejected that says what to do.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pikepdf
from pikepdf import settings

from engine.errors import Rejected

_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")

PAGE_LIMIT = 5000
"""Pages of one document. A contract with its annexes has hundreds; beyond this, splitting serves its readers."""

STREAM_LIMIT = 256 * 1024 * 1024
"""Decoded size of one stream in bytes: an A3 page scanned at 600 dpi in full colour, uncompressed, fits."""


@contextlib.contextmanager
def reading(file: str) -> Iterator[None]:
    """Give what pikepdf says of bad bytes as Rejected ``document.damaged``, ``.encrypted`` or ``.too_large``.

    ``file`` is what a person calls the file. Values are read in explicit mode: a number where a dictionary belongs
    stays a PDF object and fails a type check instead of our code.
    """
    try:
        with pikepdf.explicit_conversion():
            yield
    except pikepdf.PasswordError:
        raise encrypted(file) from None
    except (pikepdf.PikepdfError, RecursionError, UnicodeDecodeError) as error:
        reason = re.sub(r"^\S*/", "", str(error))[:200]  # the library names the file with its folder
        if tells_of_limit(reason):
            raise too_large(file) from None
        if "unsupported encryption filter" in reason:  # for holders of a certificate, not of a password
            raise encrypted(file) from None
        raise damaged(file, reason) from None


def open_pdf(path: Path, page_limit: int = PAGE_LIMIT) -> pikepdf.Pdf:
    """Open ``path`` within ``reading``; raises Rejected ``document.too_many_pages`` or ``document.no_pages`` too."""
    limit_decoder()
    pdf = pikepdf.open(path, conversion_mode="explicit")
    if pdf.is_encrypted and not pdf.user_password_matched:
        # An empty owner password opens it here, while every viewer asks its reader for the other one.
        raise encrypted(path.name)
    pages = len(pdf.pages)
    if pages > page_limit:
        raise too_many_pages(path.name, pages, page_limit)
    if pages == 0:
        raise Rejected(
            "document.no_pages",
            zh=f"文件 {path.name} 中没有任何页面。请重新导出后再上传。",
            en=f"{path.name} holds no page. Export it anew and upload it again.",
            file=path.name,
        )
    return pdf


def tells_of_limit(reason: str) -> bool:
    """Whether the library's words for a failure mean one of the bounds set by ``limit_decoder``, or memory's end."""
    return "memory" in reason or "limit" in reason


def limit_decoder() -> None:
    """Bound what one compressed stream may become in memory, for the rest of this process."""
    settings.set_qpdf_limits(
        flate_max_memory=STREAM_LIMIT,
        png_max_memory=STREAM_LIMIT,
        run_length_max_memory=STREAM_LIMIT,
        tiff_max_memory=STREAM_LIMIT,
        dct_max_memory=STREAM_LIMIT,
        doc_max_warnings=10_000,
    )


def name_of(value: object) -> str:
    """A PDF name with its slash, as keys of dictionaries read; "" for anything else.

    Chinese producers write names in GBK, which the library's own conversion to text refuses.
    """
    if not isinstance(value, pikepdf.Name):
        return ""
    given = _ESCAPED.sub(lambda match: bytes([int(match.group(1), 16)]), value.unparse())
    return given.decode("utf-8", "surrogateescape")


def encrypted(file: str) -> Rejected:
    """Rejected ``document.encrypted``."""
    return Rejected(
        "document.encrypted",
        zh=f"文件 {file} 设有打开密码，无法处理。请去除密码后重新上传。",
        en=f"{file} needs a password to open. Save it without a password and upload it again.",
        file=file,
    )


def damaged(file: str, reason: str) -> Rejected:
    """Rejected ``document.damaged``; ``reason`` is the reader's own word for it."""
    return Rejected(
        "document.damaged",
        zh=f"文件 {file} 已损坏，无法完整读取。请用原软件重新导出或重新扫描后再上传。",
        en=f"{file} is damaged and cannot be read completely. Export or scan it again and upload the new file.",
        file=file,
        reason=reason,
    )


def too_large(file: str) -> Rejected:
    """Rejected ``document.too_large``."""
    return Rejected(
        "document.too_large",
        zh=f"文件 {file} 展开后超过大小上限。请压缩其中的图片或拆分后再上传。",
        en=f"{file} grows beyond the size limit when unpacked. Shrink its images or split it and upload it again.",
        file=file,
    )


def too_many_pages(file: str, pages: int, limit: int) -> Rejected:
    """Rejected ``document.too_many_pages``."""
    return Rejected(
        "document.too_many_pages",
        zh=f"文件 {file} 有 {pages} 页，超过上限 {limit} 页。请拆分后再上传。",
        en=f"{file} has {pages} pages, more than the limit of {limit}. Split it and upload the parts.",
        file=file,
        pages=pages,
        limit=limit,
    )
