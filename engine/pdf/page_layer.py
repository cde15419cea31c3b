"""Puts content in front of what a page shows already, whatever state the old content leaves behind.

Old content that does not close what it opens becomes a form XObject, which readers keep apart by themselves
(ISO 32000-2 8.10.1); its marked-content numbers then lead nowhere, so tagged files need well-formed pages.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf

from engine.pdf import page_boxes

_STRING = re.compile(rb"\((?:[^()\\]|\\.)*\)", re.DOTALL)
_NUMBERS = re.compile(rb"\[[^][qQT]*\]")
_BRACKET = re.compile(rb"(?<![^\s>\])}])(q|Q|BT|ET)(?![^\s<\[({/])")


@dataclass(slots=True)
class Layer:
    """New content of one page: operators, and the fonts and images they name."""

    fonts: Mapping[str, pikepdf.Object]
    operators: list[str] = field(default_factory=list)
    images: dict[str, pikepdf.Object] = field(default_factory=dict)


def free_prefix(pages: Iterable[pikepdf.Object]) -> str:
    """Start of resource names that none of the pages uses: ``Sealflow0``, ``Sealflow1`` …"""
    taken: list[str] = []
    for page in pages:
        for category in _resources(page).values():
            if isinstance(category, Dictionary):
                taken += category.keys()
    tries = (f"Sealflow{number}" for number in itertools.count())
    return next(prefix for prefix in tries if not any(name.startswith(f"/{prefix}") for name in taken))


def add(pdf: Pdf, page: pikepdf.Object, layer: Layer) -> None:
    """Draw ``layer`` last; the page gets resources of its own, because pages often share them."""
    used = "\n".join(layer.operators)
    fonts = {name: font for name, font in layer.fonts.items() if f"{name} " in used}
    drawing = pdf.make_stream(f"\nQ\nq 0 g 0 Tr 0 Tc 0 Tw 100 Tz 0 Ts\n{used}\nQ\n".encode("ascii"))
    content = page.get(Name.Contents)
    streams = [one for one in (content if isinstance(content, Array) else [content]) if isinstance(one, pikepdf.Stream)]
    resources = _resources(page)
    data = b"\n".join(stream.read_bytes() for stream in streams)
    if not (_is_plainly_closed(data) or _is_closed(page)):
        old = pdf.make_stream(data, Type=Name.XObject, Subtype=Name.Form, Resources=resources)
        old[Name.BBox] = page_boxes.rectangle(page_boxes.visible_box(page))
        streams = [pdf.make_stream(b"/Before Do")]
        resources = Dictionary(XObject=Dictionary(Before=old))
    for category, objects in (("/Font", fonts), ("/XObject", layer.images)):
        if objects:
            resources[category] = Dictionary({**dict(resources.get(category, Dictionary()).items()), **objects})
    page[Name.Resources] = resources
    page[Name.Contents] = Array([pdf.make_stream(b"q\n"), *streams, drawing])


def _resources(page: pikepdf.Object) -> Dictionary:
    return Dictionary(dict((page_boxes.inherited(page, "/Resources") or Dictionary()).items()))


def _is_plainly_closed(data: bytes) -> bool:
    """``_is_closed`` at a twentieth of its cost, for content without traps; False also means "look closely"."""
    bare = _NUMBERS.sub(b" ", _STRING.sub(b" ", data))
    return not any(trap in bare for trap in (b"(", b")", b"[", b"]", b"%", b"BI")) and _balances(_BRACKET.findall(bare))


def _is_closed(page: pikepdf.Object) -> bool:
    """Whether graphics states and text objects of the content are closed as often as opened, and never before."""
    try:
        return _balances(str(one.operator).encode() for one in pikepdf.parse_content_stream(page, "q Q BT ET"))
    except (pikepdf.PdfError, TypeError):  # the latter for operators inside an array
        return False


def _balances(brackets: Iterable[bytes]) -> bool:
    depth = 0
    for name in brackets:
        depth += 1 if name in (b"q", b"BT") else -1
        if depth < 0:
            return False
    return depth == 0
