"""Compares two revisions of a PDF object by object; only what filling and signing need may differ, all else is told.

The whole graph below the catalogue is compared by value, so it does not matter how a change was smuggled in. A part
that may differ is skipped where it may, and still compared where the same object is reached by another way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader

_MOST_OBJECTS = 400_000
_STORE_KEYS = {"/Type", "/Certs", "/OCSPs", "/CRLs", "/VRI", "/TU", "/TS"}
_FILLED = {"/V", "/AS", "/AP", "/M", "/I", "/MK", "/Rect", "/F", "/DA", "/Q", "/RV"}
_LINKS_BACK = {"/Parent", "/P", "/Data", "/Length"}
_BESIDE = {"/DSS", "/Extensions", "/Version", "/Metadata"}
"""Entries of the catalogue that change nothing a reader sees."""


class Unexplained(Exception):
    """A difference that neither filling nor signing explains; the text is its place."""


class Comparison:
    """Differences between a revision and a later one, else the newest; ``fields``: names of fields that were filled."""

    def __init__(
        self,
        reader: PdfFileReader,
        revision: int,
        is_locked: Callable[[str], bool],
        *,
        frozen: bool,
        later: int | None = None,
    ) -> None:
        self._old = reader.get_historical_resolver(revision)
        self._new = reader.get_historical_resolver(reader.xrefs.total_revisions - 1 if later is None else later)
        self._is_locked = is_locked
        self._frozen = frozen
        """Nothing but evidence may be added."""
        root = reader.root_ref
        # The catalogue has rules of its own; a signature points back to it.
        self._seen: set[tuple[Any, Any]] = {((root.idnum, root.generation), (root.idnum, root.generation))}
        self._todo: list[tuple[Any, Any, str]] = []
        self.fields: set[str] = set()
        self.signed = False
        self._filled_looks: set[tuple[int, int]] = set()

    def run(self) -> None:
        """Compare everything; raises Unexplained."""
        old, new = _root(self._old), _root(self._new)
        self._catalogue(old, new)
        count = 0
        while self._todo:
            count += 1
            if count > _MOST_OBJECTS:
                raise Unexplained("too many objects")
            self._pair(*self._todo.pop())
        trailer = self._old.trailer_view
        held = {_identity(trailer.raw_get(key)) for key in trailer if key not in ("/Root", "/Info", "/Encrypt")}
        shared = self._filled_looks & (held | {old for old, _ in self._seen})
        if shared:
            raise Unexplained(f"{min(shared)[0]} 0 R")  # the look of a filled field shows elsewhere too

    def _catalogue(self, old: Any, new: Any) -> None:
        for key in sorted({*old, *new} - _BESIDE):
            if key == "/AcroForm" and key not in old:
                self._form(generic.DictionaryObject(), follow(new.raw_get(key)))
            elif key == "/AcroForm" and key in new:
                self._form(follow(old.raw_get(key)), follow(new.raw_get(key)))
            else:
                self._entry(old, new, key, "")
        if "/DSS" in new:
            store = follow(new.raw_get("/DSS"))
            if not isinstance(store, generic.DictionaryObject) or not set(store) <= _STORE_KEYS:
                raise Unexplained("/DSS")

    def _form(self, old: Any, new: Any) -> None:
        for key in sorted({*old, *new} - {"/SigFlags", "/NeedAppearances", "/Fields"}):
            if key in ("/DR", "/DA") and key not in old:
                continue
            if key == "/DR" and key in new:
                self._resources(follow(old.raw_get(key)), follow(new.raw_get(key)))
            else:
                self._entry(old, new, key, "/AcroForm")
        before = follow(old.raw_get("/Fields")) if "/Fields" in old else []
        self._grown(before, follow(new.raw_get("/Fields")), "/AcroForm/Fields")

    def _resources(self, old: Any, new: Any) -> None:
        """Filling may bring fonts along, and may not change those that are there."""
        for key in old:
            one, other = follow(old.raw_get(key)), follow(new.raw_get(key)) if key in new else None
            if isinstance(one, generic.DictionaryObject) and isinstance(other, generic.DictionaryObject):
                for name in one:
                    self._entry(one, other, name, f"/AcroForm/DR{key}")
            else:
                self._entry(old, new, key, "/AcroForm/DR")

    def _grown(self, old: Any, new: Any, place: str) -> None:
        """Compare arrays to which signature fields may have been appended."""
        if len(new) < len(old):
            raise Unexplained(place)
        for index in range(len(old)):
            self._todo.append((_raw(old, index), _raw(new, index), f"{place}[{index}]"))
        for index in range(len(old), len(new)):
            self._added(follow(_raw(new, index)), f"{place}[{index}]")

    def _added(self, field: Any, place: str) -> None:
        if not isinstance(field, generic.DictionaryObject) or inherited(field, "/FT") != "/Sig":
            raise Unexplained(place)
        if {"/A", "/AA", "/Kids"} & set(field):
            raise Unexplained(place)  # what acts by itself or hides more is more than a signature
        value = follow(field.raw_get("/V")) if "/V" in field else None
        is_stamp = isinstance(value, generic.DictionaryObject) and value.get("/SubFilter") == "/ETSI.RFC3161"
        if self._frozen and not is_stamp:
            raise Unexplained(place)
        self.signed = self.signed or not is_stamp

    def _entry(self, old: Any, new: Any, key: str, place: str) -> None:
        if key not in old or key not in new:
            raise Unexplained(f"{place}{key}")
        self._todo.append((old.raw_get(key), new.raw_get(key), f"{place}{key}"))

    def _pair(self, old: Any, new: Any, place: str) -> None:
        key = (_identity(old), _identity(new))
        if None not in key:
            if key in self._seen:
                return
            self._seen.add(key)
        old, new = follow(old), follow(new)
        if isinstance(old, generic.DictionaryObject) and isinstance(new, generic.DictionaryObject):
            self._dictionaries(old, new, place)
        elif isinstance(old, generic.ArrayObject) and isinstance(new, generic.ArrayObject):
            if len(old) != len(new):
                raise Unexplained(place)
            self._todo.extend((_raw(old, i), _raw(new, i), f"{place}[{i}]") for i in range(len(old)))
        elif type(old) is not type(new) or old != new:
            raise Unexplained(place)

    def _dictionaries(self, old: Any, new: Any, place: str) -> None:
        ignored: set[str] = set()
        if isinstance(old, generic.StreamObject) or isinstance(new, generic.StreamObject):
            if not _same_stream(old, new):
                raise Unexplained(place)
            ignored = {"/Length", "/Filter", "/DecodeParms"}
        if old.get("/Type") == "/Page":
            ignored = {"/Annots"}
            before = follow(old.raw_get("/Annots")) if "/Annots" in old else []
            self._grown(before, follow(new.raw_get("/Annots")) if "/Annots" in new else [], f"{place}/Annots")
        elif _is_field(old) and _is_field(new):
            ignored = self._filled(old, new, place)
        for key in sorted({*old, *new} - ignored):
            self._entry(old, new, key, place)

    def _filled(self, old: Any, new: Any, place: str) -> set[str]:
        """Keys of a field or widget that filling changed, after asking whether it was allowed."""
        kind = inherited(old, "/FT")
        allowed = {"/V", "/AP", "/AS", "/M", "/F", "/MK"} if kind == "/Sig" else _FILLED - {"/Rect"}
        changed = {key for key in allowed if not equal_entries(old, new, key)}
        if not changed:
            return set()
        name = field_name(old)
        if self._frozen or self._is_locked(name):
            raise Unexplained(f"{place} ({name})")
        if kind == "/Sig":
            if "/V" in old:
                raise Unexplained(f"{place} ({name})")  # a signature was replaced or its look was changed
            self.signed = True
        self.fields.add(name)
        look = _identity(old.raw_get("/AP")) if "/AP" in changed and "/AP" in old else None
        if look is not None:
            self._filled_looks.add(look)
        return changed


def _root(resolver: HistoricalResolver) -> Any:
    return resolver.root


def follow(value: Any) -> Any:
    """What a reference leads to, the value itself if it is none."""
    return value.get_object() if isinstance(value, generic.IndirectObject) else value


def _raw(array: Any, index: int) -> Any:
    return array.raw_get(index) if isinstance(array, generic.ArrayObject) else array[index]


def _identity(value: Any) -> tuple[int, int] | None:
    return (value.idnum, value.generation) if isinstance(value, generic.IndirectObject) else None


def _is_field(value: Any) -> bool:
    return "/FT" in value or value.get("/Subtype") == "/Widget" or ("/T" in value and "/Kids" in value)


def _lineage(field: Any) -> Iterator[Any]:
    for _ in range(32):
        yield field
        if "/Parent" not in field:
            return
        field = follow(field.raw_get("/Parent"))
        if not isinstance(field, generic.DictionaryObject):
            return


def inherited(field: Any, key: str) -> Any:
    """Entry of a field or of the nearest field above that has it (ISO 32000-2, 12.7.4.1)."""
    return next((follow(level.raw_get(key)) for level in _lineage(field) if key in level), None)


def field_name(field: Any) -> str:
    """Fully qualified name (ISO 32000-2, 12.7.4.2)."""
    parts = [str(follow(level.raw_get("/T"))) for level in _lineage(field) if "/T" in level]
    return ".".join(reversed(parts))


def _same_stream(old: Any, new: Any) -> bool:
    """The same bytes read another way are another picture, so the filters count unless the decoded data is the same."""
    if type(old) is not type(new):
        return False
    if old.encoded_data == new.encoded_data and all(
        equal_entries(old, new, key) for key in ("/Filter", "/DecodeParms")
    ):
        return True
    return bool(old.data == new.data)


def equal_entries(old: Any, new: Any, key: str) -> bool:
    """Whether two entries hold the same, followed to the end but for links back into the document."""
    if (key in old) != (key in new):
        return False
    if key not in old:
        return True
    todo = [(old.raw_get(key), new.raw_get(key))]
    seen: set[tuple[Any, Any]] = set()
    while todo:
        one, other = todo.pop()
        pair = (_identity(one), _identity(other))
        if None not in pair:
            if pair in seen:
                continue
            seen.add(pair)
        one, other = follow(one), follow(other)
        if type(one) is not type(other):
            return False
        if isinstance(one, generic.StreamObject) and not _same_stream(one, other):
            return False
        if isinstance(one, generic.DictionaryObject):
            if set(one) != set(other):
                return False
            todo.extend((one.raw_get(name), other.raw_get(name)) for name in one if name not in _LINKS_BACK)
        elif isinstance(one, generic.ArrayObject):
            if len(one) != len(other):
                return False
            todo.extend((one.raw_get(index), other.raw_get(index)) for index in range(len(one)))
        elif one != other:
            return False
    return True
