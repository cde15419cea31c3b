"""Joins PDFs page after page into one, normalised; forms, bookmarks and signatures of the parts do not survive as such.

Fonts and pictures that are byte for byte equal in several parts are stored once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pikepdf
from pikepdf import Pdf, Stream

from engine.pdf import intake, normalization
from engine.pdf.inspection import Inspection

_SHARED_FROM = 1024
"""Streams shorter than this are not worth comparing."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Pages in all, and what was found in each part."""

    pages: int
    inspections: tuple[Inspection, ...]


def merge(sources: list[Path], target: Path, page_limit: int = intake.PAGE_LIMIT) -> Merged:
    """Write the pages of ``sources`` in the given order to ``target``.

    Each part is normalised on its way, because layers, forms and appearances mean something only within their own
    document. Raises Rejected as ``normalization.normalize``; the page limit counts all parts together.
    """
    joined = Pdf.new()
    inspections = []
    for source in sources:
        found, _ = normalization.take_over(source, joined, page_limit)
        inspections.append(found)
        if len(joined.pages) > page_limit:
            raise intake.too_many_pages(source.name, len(joined.pages), page_limit)
    with intake.reading(sources[-1].name):
        _share_streams(joined)
    normalization.finish(joined, target, sources[-1].name)
    return Merged(len(joined.pages), tuple(inspections))


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
    pairs: list[tuple[int | str, pikepdf.Object]]
    while stack:
        item = stack.pop()
        if isinstance(item, pikepdf.Array):
            pairs = [*enumerate(item)]
        elif isinstance(item, pikepdf.Dictionary | Stream):
            pairs = [*(item.stream_dict if isinstance(item, Stream) else item).items()]
        else:
            continue
        for key, value in pairs:
            if not isinstance(value, pikepdf.Object):
                continue
            if not value.is_indirect:
                stack.append(value)
            elif value.objgen in twins:
                item[key] = twins[value.objgen]
