"""Reads and writes a PDF's document security store; entries nobody can parse are left out when it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a document needs so that its signatures can be judged without the network (验证数据); DER, no repetition."""

    certificates: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


_SHELVES = (
    ("/Certs", DecodePurpose.CERTIFICATE),
    ("/OCSPs", DecodePurpose.OCSP_RESPONSE),
    ("/CRLs", DecodePurpose.CRL),
)


def value_at(dictionary: Any, key: str) -> Any:
    """Value of an entry with its reference followed, None without one; the library's own ``get`` does not follow."""
    return dictionary[key] if key in dictionary else None  # noqa: SIM401 - see above


def read_store(root: Any) -> Evidence:
    """Evidence in the DSS of a catalogue (ISO 32000-2, 12.8.4.3); empty without one."""
    store = value_at(root, "/DSS")
    if not isinstance(store, generic.DictionaryObject):
        return Evidence()
    return Evidence(*(tuple(der for _, der in _shelf(store, name, purpose)) for name, purpose in _SHELVES))


def add_to_store(writer: IncrementalPdfFileWriter, evidence: Evidence) -> bool:
    """Put into the DSS what it lacks; False when it had everything. Entries of others stay as they are."""
    root = writer.root
    held_store = value_at(root, "/DSS")
    fresh = not isinstance(held_store, generic.DictionaryObject)
    store: Any = generic.DictionaryObject({pdf_name("/Type"): pdf_name("/DSS")}) if fresh else held_store
    changed = False
    for (name, purpose), wanted in zip(_SHELVES, (evidence.certificates, evidence.ocsps, evidence.crls), strict=True):
        held = _shelf(store, name, purpose)
        present = {der for _, der in held}
        added = [
            writer.add_object(generic.StreamObject(stream_data=der))
            for der in dict.fromkeys(wanted)
            if der not in present
        ]
        if added:
            store[pdf_name(name)] = generic.ArrayObject([*(reference for reference, _ in held), *added])
            changed = True
    if fresh and changed:
        root[pdf_name("/DSS")] = writer.add_object(store)
        writer.update_root()
    elif changed:
        writer.update_container(store)
    return changed


def _shelf(store: generic.DictionaryObject, name: str, purpose: DecodePurpose) -> list[tuple[Any, bytes]]:
    entries = value_at(store, name)
    found: list[tuple[Any, bytes]] = []
    if not isinstance(entries, generic.ArrayObject):
        return found
    for index in range(len(entries)):
        reference = entries.raw_get(index)
        try:
            found.append((reference, reference.get_object().read_data(purpose)))
        except (PdfError, AttributeError, ValueError, KeyError):
            continue
    return found
