"""Cuts a riding seal (骑缝章) into one slice a page; the slices of a group, put side by side, are the whole seal.

Slices lie flush with the edge of the page, so a printer that cannot print to the edge cuts them off; ``x`` moves them
inwards. Groups keep slices from becoming hairlines: 200 pages under one 42 mm seal would get 0.2 mm each.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from engine.pdf.control import Control
from engine.pdf.page_boxes import A4, Box

SLICE = "/SLFL_Slice"
"""Key of a field that shows a slice: its number from the left, beginning with 0, how many make the whole seal, and the
name of the field whose signature this is.

Names with a prefix of their own are left to software by ISO 32000-2 annex E.2; readers pass over them.
"""


class Slice(NamedTuple):
    """One page's share: its box on the page, its number from the left and how many make the whole seal."""

    page: int
    box: Box
    number: int
    total: int


def cut(control: Control, pages: int) -> list[Slice]:
    """Slices of ``control`` on every page of a document, in the order of the pages.

    Fanned out, a stack shows its first page whole and of every later one a strip at the edge: at the right edge the
    first page carries the leftmost slice, at the left edge the rightmost.
    """
    slices = []
    for group in groups(pages, control.pages_per_seal):
        width = control.width / len(group)
        inset, bottom = control.x or 0.0, control.y or 0.0
        for place, page in enumerate(group):
            if control.edge == "right":
                number, left = place, A4.right - inset - width
            else:
                number, left = len(group) - 1 - place, inset
            slices.append(Slice(page, Box(left, bottom, left + width, bottom + control.height), number, len(group)))
    return slices


def groups(pages: int, largest: int) -> list[range]:
    """Page numbers that share one impression: groups as even as can be, none of a single page beside others."""
    count = max(1, min(-(-pages // largest), pages // 2))
    ends = [pages * number // count for number in range(count + 1)]
    return [range(start + 1, end + 1) for start, end in pairwise(ends)]
