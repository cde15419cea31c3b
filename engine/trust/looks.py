"""Finds fields that show something new though nobody signed or filled them: sneaky signatures, exchanged buttons.

Both draw over the page under the cover of what a form may do (certification attacks, 2021). A seal of a real later
signature draws over the page too; it is told as a signature, and the pictures show where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader

from engine.trust.differences import equal_entries, field_name, follow, inherited

_MOST_FIELDS = 20_000
_PUSH_BUTTON = 1 << 16
"""Flag of ISO 32000-2, table 229."""


def find_sneaky_look(reader: PdfFileReader, revision: int) -> str | None:
    """Name of a field that shows something new since a revision and holds neither signature nor value; None if none."""
    newest = reader.get_historical_resolver(reader.xrefs.total_revisions - 1)
    candidates = {key: field for key, field in _widgets(newest) if _holds_nothing(field) and _is_visible(field)}
    if not candidates:
        return None
    before = dict(_widgets(reader.get_historical_resolver(revision)))
    for key, field in candidates.items():
        old = before.get(key, generic.DictionaryObject())
        if not equal_entries(old, field, "/AP"):
            return field_name(field)
    return None


def _holds_nothing(field: Any) -> bool:
    kind = inherited(field, "/FT")
    if kind == "/Sig":
        return not isinstance(inherited(field, "/V"), generic.DictionaryObject)
    return kind == "/Btn" and bool(int(inherited(field, "/Ff") or 0) & _PUSH_BUTTON or "/AS" not in field)


def _is_visible(field: Any) -> bool:
    return "/AP" in field


def _widgets(resolver: HistoricalResolver) -> Iterator[tuple[tuple[int, int], Any]]:
    """Every widget of the form by the number of its object; one that is written in place has a look of its own."""
    root: Any = resolver.root
    form = follow(root.raw_get("/AcroForm")) if "/AcroForm" in root else None
    if not isinstance(form, generic.DictionaryObject) or "/Fields" not in form:
        return
    todo: list[Any] = [form.raw_get("/Fields")]
    seen: set[tuple[int, int]] = set()
    while todo and len(seen) < _MOST_FIELDS:
        value = todo.pop()
        number = (value.idnum, value.generation) if isinstance(value, generic.IndirectObject) else (0, len(seen))
        if number in seen:
            continue
        seen.add(number)
        found = follow(value)
        if isinstance(found, generic.ArrayObject):
            todo += [found.raw_get(index) for index in range(len(found))]
        elif isinstance(found, generic.DictionaryObject):
            yield number, found
            if "/Kids" in found:
                todo.append(found.raw_get("/Kids"))
