"""Joins PDFs page after page into one; forms, bookmarks and signatures of the parts do not survive as such.

Fonts and pictures that are byte for byte equal in several parts are stored once.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pikepdf
from pikepdf import Name, Pdf, Stream

from engine.pdf import intake, normalization, page_boxes

_SHARED_FROM = 1024
"""Streams shorter than this are not worth comparing."""


def merge(sources: list[Path], target: Path, page_limit: int = intake.PAGE_LIMIT) -> int:
    """Write the pages of ``sources`` in the given order to ``target``; returns their number.

    Annotations travel with their pages but form fields lose their form: normalise afterwards draws what they show.
    Raises Rejected as ``engine.pdf.intake`` says, ``document.too_many_pages`` for the sum too.
    """
    joined = Pdf.new()
    for source in sources:
        with intake.reading(source.name), intake.open_pdf(source, page_limit) as pdf:
            total = len(joined.pages) + len(pdf.pages)
            if total > page_limit:
                raise intake.too_many_pages(source.name, total, page_limit)
            for page in pdf.pages:
                _own_attributes(page.obj)
                joined.pages.append(page)
    with intake.reading(target.name):
        _share_streams(joined)
        normalization.save(joined, target)
        return len(joined.pages)


def _own_attributes(page: pikepdf.Object) -> None:
    """Write inherited attributes into the page, which leaves its tree, and cut what points at other pages."""
    for key in ("/Resources", "/MediaBox", "/CropBox", "/Rotate"):
        value = page_boxes.inherited(page, key)
        if value is not None and key not in page:
            page[key] = value
    for key in (Name.B, Name.AA, Name.StructParents, Name.Metadata, Name.PieceInfo):
        if key in page:
            del page[key]


def _share_streams(pdf: Pdf) -> None:
    first: dict[bytes, pikepdf.Object] = {}
    twins: dict[tuple[int, int], pikepdf.Object] = {}
    for item in pdf.objects:
        if not isinstance(item, Stream) or len(raw := item.read_raw_bytes()) < _SHARED_FROM:
            continue
        entries = item.stream_dict.unparse(resolved=False)
        digest = hashlib.sha256(entries + b"\0" + raw).digest()
        if first.setdefault(digest, item).objgen != item.objgen:
            twins[item.objgen] = first[digest]
    if not twins:
        return
    for item in pdf.objects:
        _redirect(item, twins)


def _redirect(start: pikepdf.Object, twins: dict[tuple[int, int], pikepdf.Object]) -> None:
    """Let the direct containers of one object point at the first of equal streams."""
    stack = [start]
    while stack:
        item = stack.pop()
        if isinstance(item, pikepdf.Array):
            pairs = list(enumerate(item))
        elif isinstance(item, pikepdf.Dictionary | Stream):
            pairs = list((item.stream_dict if isinstance(item, Stream) else item).items())
        else:
            continue
        for key, value in pairs:
            if not isinstance(value, pikepdf.Object):
                continue
            if not value.is_indirect:
                stack.append(value)
            elif value.objgen in twins:
                item[key] = twins[value.objgen]
