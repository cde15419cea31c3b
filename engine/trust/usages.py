"""Lets pyHanko compare many revisions quickly: 50 signatures took 2 s only to find the ways to each of their objects.

Installed by importing this module, in limited children only. The library walks and copies every revision as a whole;
here each version of an object is read once for all of them. Tagged, encrypted and odd files go to the original.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader, RawPdfPath

_load_usages: Any = HistoricalResolver._load_reverse_xref_cache
_get_object = HistoricalResolver.get_object
_Raw: Any = RawPdfPath
_Number = tuple[int, int]
_Path = tuple[str | int, ...]


class _Unusual(Exception):
    """Something the original should look at."""


class _History:
    """Versions of the objects of a file, and where each leads to."""

    def __init__(self, reader: PdfFileReader) -> None:
        self._reader: Any = reader
        self._changes: dict[_Number, list[int]] = defaultdict(list)
        for revision in range(reader.xrefs.total_revisions):
            changed = reader.xrefs.explicit_refs_in_revision(revision) | reader.xrefs.refs_freed_in_revision(revision)
            for reference in changed:
                self._changes[reference.idnum, reference.generation].append(revision)
        self._objects: dict[tuple[_Number, int], Any] = {}
        self._ways: dict[tuple[_Number, int], list[tuple[_Path, _Number]]] = {}

    def version(self, number: _Number, revision: int) -> int:
        """The revision that wrote what this one shows; raises _Unusual where none did."""
        changes = self._changes.get(number, [])
        place = bisect_right(changes, revision)
        if not place:
            raise _Unusual
        return changes[place - 1]

    def read(self, number: _Number, revision: int) -> Any:
        key = number, self.version(number, revision)
        if key not in self._objects:
            reference = generic.Reference(*number, self._reader)
            self._objects[key] = self._reader.get_object(reference, key[1])
        return self._objects[key]

    def ways(self, number: _Number, revision: int) -> list[tuple[_Path, _Number]]:
        """References within an object, with the keys that lead to each."""
        key = number, self.version(number, revision)
        if key not in self._ways:
            self._ways[key] = list(_references(self.read(number, revision)))
        return self._ways[key]


class _Usages(dict[_Number, set[_Path]]):
    """What the library keeps: ways by reference."""

    def __getitem__(self, reference: Any) -> Any:
        return {_Raw(*path) for path in super().__getitem__((reference.idnum, reference.generation))}


def _history_of(reader: Any) -> _History:
    if reader.encrypted:
        raise _Unusual
    history: _History | None = getattr(reader, "_sealflow_history", None)
    if history is None:
        history = reader._sealflow_history = _History(reader)  # lives as long as its file
    return history


def get_object(resolver: Any, ref: generic.Reference, as_metadata_stream: bool = False) -> Any:
    """Give an object as it was in the resolver's revision."""
    if ref not in resolver.cache and not as_metadata_stream:
        with contextlib.suppress(_Unusual):
            found = _history_of(resolver.reader).read((ref.idnum, ref.generation), resolver.revision)
            resolver.cache[ref] = resolver._subsume_object(found)
    return _get_object(resolver, ref, as_metadata_stream)


def load_usages(resolver: HistoricalResolver) -> None:
    """Fill the resolver's table of ways from the trailer to each object, as the original does."""
    if resolver._indirect_object_access_cache is not None:
        return
    try:
        usages = _collect(resolver)
    except Exception:  # whatever is wrong with the file, the original knows what to say
        _load_usages(resolver)
        return
    resolver._indirect_object_access_cache = usages  # type: ignore[assignment]  # it asks for nothing but items


def _collect(resolver: HistoricalResolver) -> _Usages:
    revision, root = resolver.revision, resolver.root
    if "/StructTreeRoot" in root:
        raise _Unusual
    history = _history_of(resolver.reader)
    pages = dict(_page_tree(history, revision, root.raw_get("/Pages"), ("/Root", "/Pages"), 0))
    found = _Usages()
    todo: list[tuple[_Path, _Number, tuple[_Number, ...]]]
    todo = [(path, number, ()) for path, number in _references(resolver.trailer_view)]
    while todo:
        path, number, passed = todo.pop()
        if number in passed:
            continue
        found.setdefault(number, set()).add(path)
        if pages.get(number, path) != path:
            continue  # a page is entered by the page tree only
        passed = (*passed, number)
        todo.extend((path + more, goal, passed) for more, goal in history.ways(number, revision))
    return found


def _page_tree(history: _History, revision: int, node: Any, path: _Path, depth: int) -> Iterator[tuple[_Number, _Path]]:
    if not isinstance(node, generic.IndirectObject) or depth > 50:
        raise _Unusual
    number = node.idnum, node.generation
    yield number, path
    found = history.read(number, revision)
    if not isinstance(found, generic.DictionaryObject):
        raise _Unusual
    if depth and ("/Type" not in found or found.raw_get("/Type") != "/Pages"):
        return
    kids = found.raw_get("/Kids") if "/Kids" in found else None
    if not isinstance(kids, generic.ArrayObject):
        raise _Unusual
    for index, kid in enumerate(kids):
        yield from _page_tree(history, revision, kid, (*path, "/Kids", index), depth + 1)


def _references(value: Any, path: _Path = ()) -> Iterator[tuple[_Path, _Number]]:
    if isinstance(value, generic.IndirectObject):
        yield path, (value.idnum, value.generation)
    elif isinstance(value, generic.DictionaryObject):
        for key, inner in value.items():
            if key != "/Parent":  # leads back to where one came from
                yield from _references(inner, (*path, key))
    elif isinstance(value, generic.ArrayObject):
        for index, inner in enumerate(value):
            yield from _references(inner, (*path, index))


HistoricalResolver._load_reverse_xref_cache = load_usages  # type: ignore[method-assign]  # the purpose of this module
HistoricalResolver.get_object = get_object  # type: ignore[method-assign,assignment]  # as above
