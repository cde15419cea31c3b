"""Makes a PDF of any file the product takes: Word, picture or PDF; each file by its content, whatever its name says."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from engine.pdf import detection, images, intake, word
from engine.pdf.detection import Kind

WordConverter = Literal["auto", "dxpdf", "libreoffice"]


def to_pdf(source: Path, target: Path, converter: WordConverter, cache: Path, page_limit: int) -> Kind:
    """Write ``source`` as a PDF to ``target`` and say what it was; a PDF is copied byte for byte.

    ``converter`` ``auto`` takes dxpdf for .docx and LibreOffice for .doc, which dxpdf cannot read. It does not
    prefer an installed LibreOffice for .docx: the same file must look the same on every worker.
    """
    kind = detection.detect(source)
    if kind is Kind.PDF:
        shutil.copyfile(source, target)
        return kind
    if kind is Kind.IMAGE:
        images.image_to_pdf(source, target, page_limit)
        return kind
    if kind is Kind.DOC and not (converter == "libreoffice" or word.libreoffice_installed()):
        raise word.old_format(source.name)
    if kind is Kind.DOC or converter == "libreoffice":
        pages = word.office_to_pdf(source, target, cache, kind is Kind.DOCX)
    else:
        pages = word.docx_to_pdf(source, target, cache)
    if pages > page_limit:
        raise intake.too_many_pages(source.name, pages, page_limit)
    return kind
