"""Gives marks over a page (highlights, strokes, shapes) the picture PDFium makes of them where they have none.

Lines, polygons, stamps and icons of notes stay without. Only the marks go through PDFium, on a page of their own, so
that what else a document holds costs nothing here.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import pikepdf
import pypdfium2
from pikepdf import Array, Dictionary, Name, Pdf, Stream

_MARKS = ("/Highlight", "/Underline", "/Squiggly", "/StrikeOut", "/Square", "/Circle", "/Ink")
"""Types of annotations (ISO 32000-2 table 171) that PDFium draws by itself."""
_KEYS = ("/Subtype", "/Rect", "/C", "/IC", "/CA", "/BS", "/Border", "/QuadPoints", "/InkList", "/F")
_LIMIT = 10_000
"""Marks of one document that get a picture; a book full of a reader's highlights has thousands."""


def complete(pdf: Pdf) -> None:
    """Set the normal appearance of every mark that has none."""
    bare = list(_bare(pdf))
    if not bare:
        return
    with Pdf.new() as sheet:
        page = sheet.add_blank_page(page_size=(100, 100)).obj
        looks = (pdf.make_indirect(Dictionary({key: mark[key] for key in _KEYS if key in mark})) for mark in bare)
        page[Name.Annots] = Array([sheet.copy_foreign(look) for look in looks])
        before = io.BytesIO()
        sheet.save(before)
    with pikepdf.open(_drawn(before)) as drawn:
        for mark, twin in zip(bare, drawn.pages[0].obj.Annots, strict=True):
            made = twin.get(Name.AP)
            if isinstance(made, Dictionary) and isinstance(made.get(Name.N), Stream):
                mark[Name.AP] = Dictionary(N=pdf.copy_foreign(made.N))


def _bare(pdf: Pdf) -> Iterator[pikepdf.Object]:
    seen = pikepdf.ObjectSet()
    for page in pdf.pages:
        annotations = page.obj.get(Name.Annots)
        for mark in annotations if isinstance(annotations, Array) else ():
            if not isinstance(mark, Dictionary) or str(mark.get(Name.Subtype)) not in _MARKS:
                continue
            if mark.is_indirect and not seen.add(mark):
                continue
            pictures = mark.get(Name.AP)
            if not (isinstance(pictures, Dictionary) and Name.N in pictures) and len(seen) <= _LIMIT:
                yield mark


def _drawn(sheet: io.BytesIO) -> io.BytesIO:
    document = pypdfium2.PdfDocument(sheet)
    after = io.BytesIO()
    try:
        document[0].render(scale=0.1)  # a reader makes up the pictures when it first shows the page
        document.save(after)
    finally:
        document.close()
    return after
