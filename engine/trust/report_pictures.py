"""The part of the page that shows how pages changed since each signature; bounded in number and size of pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from engine.pdf.page_comparison import PageDifference, PagesCompared
from engine.trust.changes import PageChanges
from engine.trust.report_words import both

_LARGEST = 6 * 1024 * 1024
"""Bytes of all pictures in one page."""


def render_changes(changes: Sequence[PageChanges], folder: Path | None) -> str:
    """Sections for each signature whose pages were compared; pictures are read from ``folder``."""
    left = _LARGEST
    sections = []
    for change in changes:
        title = both(f"“{change.field}”签署之后页面的变化", f"Pages since “{change.field}” was signed")
        if change.pages is None:
            reason = change.reason
            told = both(f"无法画出页面：{reason.zh}", f"Not drawn: {reason.en}") if reason else ""
            sections.append(f'<section class="card unsure"><h2>{title}</h2><p>{told}</p></section>')
            continue
        lines = "".join(f"<li>{line}</li>" for line in _sentences(change.pages))
        figures = []
        for page in change.pages.differing:
            content = (folder / page.picture).read_bytes() if folder is not None and page.picture else b""
            if 0 < len(content) <= left:
                left -= len(content)
                figures.append(_figure(page, content))
        bad = change.pages.added or change.pages.removed or not all(p.signatures_only for p in change.pages.differing)
        tone = "unsure" if bad else "good"
        sections.append(f'<section class="card {tone}"><h2>{title}</h2><ul>{lines}</ul>{"".join(figures)}</section>')
    return "".join(sections)


def _sentences(pages: PagesCompared) -> list[str]:
    told = []
    if pages.added:
        told.append(both(f"增加了页面：第 {_list(pages.added)} 页。", f"Pages were added: {_list(pages.added)}."))
    if pages.removed:
        told.append(
            both(
                f"移除了签署时的第 {_list(pages.removed)} 页。",
                f"Signed pages were removed: {_list(pages.removed)}.",
            )
        )
    seals = [page.after for page in pages.differing if page.signatures_only]
    others = [page.after for page in pages.differing if not page.signatures_only]
    if seals:
        told.append(
            both(
                f"第 {_list(seals)} 页只多了后来签署者的签章。",
                f"On page {_list(seals)} only the seals of later signers appeared.",
            )
        )
    if others:
        told.append(both(f"第 {_list(others)} 页看起来不同。", f"Page {_list(others)} looks different."))
    if not told:
        told.append(both("各页看起来与签署时相同。", "All pages look as they did when signed."))
    if not pages.complete:
        told.append(both("只比较了前 200 页。", "Only the first 200 pages were compared."))
    return told


def _figure(page: PageDifference, content: bytes) -> str:
    caption = both(
        f"左：签署时的第 {page.before} 页；右：现在的第 {page.after} 页。框内不同。",
        f"Left: page {page.before} as signed; right: page {page.after} now. Boxes mark what differs.",
    )
    data = base64.b64encode(content).decode("ascii")
    name = escape(f"{page.before} → {page.after}")
    return f'<figure><img alt="{name}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'


def _list(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:30]))
    return shown + (" …" if len(numbers) > 30 else "")
