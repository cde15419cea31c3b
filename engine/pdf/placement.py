"""Puts controls in their places on one document and creates its signature fields; needs upright A4 pages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pikepdf

from engine.errors import Rejected
from engine.pdf import anchors, declaration, intake, riding, signature_fields
from engine.pdf.control import Anchor, Control, PlacedControl
from engine.pdf.page_boxes import A4, Box, rotation, visible_box
from engine.pdf.signature_fields import Area

_SLACK = 1.0
"""Points by which a page may differ from A4 and a box may leave it: producers round."""


def place_controls(source: Path, target: Path, controls: tuple[Control, ...]) -> tuple[PlacedControl, ...]:
    """Write ``source`` with an empty signature field per signature control to ``target``; say where controls lie.

    Raises Rejected ``control.anchor_not_found``, ``control.anchor_ambiguous``, ``control.no_such_page``,
    ``control.outside_page``, ``control.overlap``, ``control.name_taken`` or ``document.not_normalized``.
    """
    with intake.reading(source.name), intake.open_pdf(source) as pdf:
        for number, page in enumerate(pdf.pages, 1):
            _require_upright_a4(page.obj, number)
        placed = _place(source, controls, len(pdf.pages))
        areas = [area for item in placed for area in _areas(item, len(pdf.pages))]
        _check_areas(areas)
        signature_fields.add_fields(pdf, [area for area in areas if area.control.signed])
        declaration.save(pdf, target)
    return placed


def _place(source: Path, controls: Sequence[Control], pages: int) -> tuple[PlacedControl, ...]:
    numbers = {control.name: _page_number(control, pages) for control in controls}
    anchored = [(control.anchor, numbers[control.name]) for control in controls if control.anchor is not None]
    searched = {number for _, number in anchored if number is not None}
    everywhere = any(number is None for _, number in anchored)
    pages_to_see = range(1, pages + 1) if everywhere else sorted(searched)
    wanted = anchors.choose_pages(source, [anchor for anchor, _ in anchored], pages_to_see) if anchored else []
    texts = anchors.read_pages(source, wanted) if wanted else []
    placed, missing = [], []
    for control in controls:
        number = numbers[control.name]
        if control.kind == "riding-seal":
            first = riding.cut(control, pages)[0]
            place = PlacedControl(control=control, page=1, x=round(first.box.left, 3), y=first.box.bottom)
        elif control.anchor is None:  # then page, x and y are given: see check_controls
            place = PlacedControl(control=control, page=number or 1, x=control.x or 0.0, y=control.y or 0.0)
        else:
            allowed = [text for text in texts if number in (None, text.number)]
            try:
                match = anchors.find(control.anchor, control.name, allowed)
            except Rejected as error:
                missing.append(error)
                continue
            x, y = _beside(control, control.anchor, match.box)
            place = PlacedControl(control=control, page=match.page, x=round(x, 3), y=round(y, 3))
        placed.append(place)
    if missing:
        raise _all_of(missing)
    return tuple(placed)


def _all_of(missing: Sequence[Rejected]) -> Rejected:
    """One error for all anchors that have no place: a person corrects the document or the controls once."""
    first = missing[0]
    if len(missing) == 1:
        return first
    pairs = [(error.facts["control"], error.facts["anchor"]) for error in missing]
    return Rejected(
        first.code,
        zh=f"有 {len(missing)} 个控件在文件中定不了位：{'、'.join(f'{name}（“{words}”）' for name, words in pairs)}。"
        f"请核对是否选错了文件或流程。其中第一个：{first.text.zh}",
        en=f"{len(missing)} controls have no place in the document: "
        f"{', '.join(f'{name} ({words!r})' for name, words in pairs)}. Check whether file and pipeline belong "
        f"together. The first of them: {first.text.en}",
        controls=", ".join(str(name) for name, _ in pairs),
    )


def _page_number(control: Control, pages: int) -> int | None:
    number = control.page
    if number is None:
        return None
    if not 1 <= abs(number) <= pages:
        raise Rejected(
            "control.no_such_page",
            zh=f"控件“{control.name}”在第 {number} 页，但文件只有 {pages} 页。请改正页码。",
            en=f"The control {control.name!r} is on page {number}, but the document has {pages}. Correct the page.",
            control=control.name,
            page=number,
            pages=pages,
        )
    return number if number > 0 else pages + 1 + number


def _beside(control: Control, anchor: Anchor, box: Box) -> tuple[float, float]:
    """Lower left corner of a control beside its anchor."""
    middle_x, middle_y = (box.left + box.right) / 2, (box.bottom + box.top) / 2
    x, y = {
        "right": (box.right, middle_y - control.height / 2),
        "below": (box.left, box.bottom - control.height),
        "over": (middle_x - control.width / 2, middle_y - control.height / 2),
    }[anchor.side]
    return x + anchor.dx, y + anchor.dy


def _areas(item: PlacedControl, pages: int) -> list[Area]:
    control = item.control
    if control.kind == "riding-seal":
        return [Area(control, one.page, one.box, (one.number, one.total)) for one in riding.cut(control, pages)]
    return [Area(control, item.page, Box(item.x, item.y, item.right, item.top))]


def _check_areas(areas: Sequence[Area]) -> None:
    for area in areas:
        box = area.box
        inside = min(box.left, box.bottom) >= -_SLACK and box.right <= A4.right + _SLACK and box.top <= A4.top + _SLACK
        if not inside:
            raise Rejected(
                "control.outside_page",
                zh=f"控件“{area.control.name}”超出第 {area.page} 页的边界。请移动或缩小控件。",
                en=f"The control {area.control.name!r} reaches beyond page {area.page}. Move it or make it smaller.",
                control=area.control.name,
                page=area.page,
            )
    pages: dict[int, list[Area]] = {}
    for area in areas:
        if area.control.signed:
            pages.setdefault(area.page, []).append(area)
    for page, together in pages.items():
        for one, other in combinations(together, 2):
            if not one.box.within(other.box).empty:
                raise Rejected(
                    "control.overlap",
                    zh=f"签名控件“{one.control.name}”和“{other.control.name}”在第 {page} 页重叠。请移开其中一个。",
                    en=f"The signature controls {one.control.name!r} and {other.control.name!r} overlap on page "
                    f"{page}. Move one of them.",
                    control=one.control.name,
                    other=other.control.name,
                    page=page,
                )


def _require_upright_a4(page: pikepdf.Object, number: int) -> None:
    box = visible_box(page)
    edges = zip((box.left, box.bottom, box.right, box.top), (A4.left, A4.bottom, A4.right, A4.top), strict=True)
    if rotation(page) or any(abs(is_ - should) > _SLACK for is_, should in edges):
        raise Rejected(
            "document.not_normalized",
            zh=f"第 {number} 页不是正放的 A4 页面，无法放置控件。请在流程中先加入 normalize 阶段。",
            en=f"Page {number} is not an upright A4 page, so controls have no place on it. "
            "Put the stage normalize before this one.",
            page=number,
        )
