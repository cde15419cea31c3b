"""What may be put on a contract and where; says nothing of values and opens no file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from engine.errors import Rejected

Kind = Literal["text", "date", "checkbox", "image", "signature", "riding-seal"]
Length = Annotated[float, Meta(gt=0, le=1000)]
Offset = Annotated[float, Meta(ge=-1000, le=1000)]
FontSize = Annotated[float, Meta(ge=4, le=72)]


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Words of the document a control is placed by (关键字定位), such as ``甲方（盖章）``.

    ``occurrence``: 1 is the first in reading order, -1 the last; None: the words must occur once. ``side``: the box
    stands to the right of the words, below them, or over their middle. ``dx``, ``dy``: points to the right and up.
    """

    text: Annotated[str, Meta(min_length=1, max_length=200)]
    occurrence: int | None = None
    side: Literal["right", "below", "over"] = "right"
    dx: Offset = 0.0
    dy: Offset = 0.0


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A control (控件): a named place for one value or one signature.

    Placed either by ``page`` with ``x`` and ``y`` (lower left corner of the box) or by ``anchor``; page 1 is the first,
    -1 the last; beside an anchor ``page`` limits the search. ``party``: the side of the contract that fills or signs it
    (签约方). ``batch``: a column of the sheet for many contracts. ``overflow``: what happens to text longer than the
    box; ``shrink`` and ``wrap`` go down to ``min_size``. ``date_format``: ``YYYY``, ``MM``/``M``, ``DD``/``D`` stand
    for figures, ``〇`` as the whole format for the date in Chinese numerals. ``mark``: drawn in a ticked checkbox.

    A riding seal (骑缝章) shows a slice on every page: ``width`` and ``height`` are those of the whole seal, ``y`` is
    its lower end, ``x`` its distance from the ``edge``; ``pages_per_seal``: more pages get a further impression.
    ``field``: the signature control whose signature shows here too; without it the riding seal is a field of its own.
    """

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    kind: Kind
    party: str = ""
    required: bool = False
    batch: bool = False
    page: int | None = None
    x: Offset | None = None
    y: Offset | None = None
    anchor: Anchor | None = None
    width: Length = 120.0
    height: Length = 18.0
    font: Literal["serif", "sans"] = "serif"
    size: FontSize = 10.5
    min_size: FontSize = 6.0
    align: Literal["left", "center", "right"] = "left"
    overflow: Literal["refuse", "shrink", "wrap"] = "refuse"
    date_format: Annotated[str, Meta(min_length=1, max_length=60)] = "YYYY年M月D日"
    mark: Annotated[str, Meta(min_length=1, max_length=1)] = "✓"
    field: str = ""
    edge: Literal["right", "left"] = "right"
    pages_per_seal: Annotated[int, Meta(ge=2, le=40)] = 20

    @property
    def signed(self) -> str:
        """Name of the signature field this control belongs to; empty if it holds a value."""
        return (self.field or self.name) if self.kind in ("signature", "riding-seal") else ""


class PlacedControl(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A control with its page (1 is the first) and the lower left corner of its box; JSON of the fact ``controls``."""

    control: Control
    page: int
    x: float
    y: float

    @property
    def right(self) -> float:
        return self.x + self.control.width

    @property
    def top(self) -> float:
        return self.y + self.control.height


def read_controls(records: Sequence[Mapping[str, Any]]) -> tuple[Control, ...]:
    """Controls from plain values, checked; raises Rejected ``control.invalid`` and what ``check_controls`` raises."""
    controls = tuple(_read(record, Control, number) for number, record in enumerate(records, 1))
    check_controls(controls)
    return controls


def read_placed(records: Sequence[Mapping[str, Any]]) -> tuple[PlacedControl, ...]:
    """Controls from the fact ``controls``; raises Rejected ``control.invalid``."""
    return tuple(_read(record, PlacedControl, number) for number, record in enumerate(records, 1))


def _read(record: Mapping[str, Any], kind: Any, number: int) -> Any:
    try:
        return msgspec.convert(record, kind)
    except msgspec.ValidationError as error:
        name = str(record.get("name", f"#{number}"))
        raise Rejected(
            "control.invalid",
            zh=f"控件“{name}”的设置有误：{error}。请改正该控件。",
            en=f"The control {name!r} is not set up right: {error}. Correct this control.",
            control=name,
        ) from error


def check_controls(controls: Sequence[Control]) -> None:
    """Refuse what cannot work on any document.

    Raises Rejected ``control.duplicate_name``, ``control.no_place``, ``control.bad_name``, ``control.bad_size`` or
    ``control.no_signature``.
    """
    twice = [name for name, count in Counter(control.name for control in controls).items() if count > 1]
    if twice:
        raise Rejected(
            "control.duplicate_name",
            zh=f"有多个控件同名：{'、'.join(twice)}。请为每个控件取不同的名称。",
            en=f"Several controls share a name: {', '.join(twice)}. Give each control a name of its own.",
            controls=", ".join(twice),
        )
    signatures = {control.name for control in controls if control.kind == "signature"}
    for control in controls:
        _check_place(control)
        _check_setup(control)
        if control.field and (control.kind != "riding-seal" or control.field not in signatures):
            raise Rejected(
                "control.no_signature",
                zh=f"控件“{control.name}”的 field 应为一个签名控件的名称（仅骑缝章可用），不能是“{control.field}”。",
                en=f"The option field of the control {control.name!r} must name a signature control, and only a riding "
                f"seal has it; {control.field!r} is none. Correct it.",
                control=control.name,
            )


def _check_place(control: Control) -> None:
    if control.kind == "riding-seal":
        if control.y is None or control.page is not None or control.anchor is not None:
            raise Rejected(
                "control.no_place",
                zh=f"骑缝章控件“{control.name}”盖在每一页的边缘：请填写 y（印章下端），不要填写页码或定位文字。",
                en=f"The riding seal {control.name!r} stands at the edge of every page: give y (its lower end), "
                "and neither page nor anchor.",
                control=control.name,
            )
        return
    by_point = control.page is not None and control.x is not None and control.y is not None
    point_and_anchor = control.anchor is not None and (control.x is not None or control.y is not None)
    if point_and_anchor or not (by_point or control.anchor) or control.page == 0:
        raise Rejected(
            "control.no_place",
            zh=f"控件“{control.name}”的位置不明确。请填写页码（从 1 起，-1 为末页）和坐标，或填写定位文字。",
            en=f"The place of the control {control.name!r} is not clear. Give either page (1 is the first, -1 the "
            "last) with x and y, or an anchor text.",
            control=control.name,
        )
    if control.anchor is not None and control.anchor.occurrence == 0:
        raise Rejected(
            "control.no_place",
            zh=f"控件“{control.name}”的定位文字序号不能为 0：1 表示第一处，-1 表示最后一处。",
            en=f"The occurrence of the anchor of {control.name!r} cannot be 0: 1 is the first, -1 the last.",
            control=control.name,
        )


def _check_setup(control: Control) -> None:
    # A full stop separates parent and child in the full name of a form field (ISO 32000-2 12.7.4.2).
    if control.signed and "." in control.name:
        raise Rejected(
            "control.bad_name",
            zh=f"签名控件“{control.name}”的名称不能含有英文句点“.”。请改名。",
            en=f"The name of the signature control {control.name!r} must not contain a full stop. Rename it.",
            control=control.name,
        )
    if control.overflow != "refuse" and control.min_size > control.size:
        raise Rejected(
            "control.bad_size",
            zh=f"控件“{control.name}”的最小字号（{control.min_size}）大于字号（{control.size}）。请改正。",
            en=f"The smallest size ({control.min_size}) of the control {control.name!r} is above its size "
            f"({control.size}). Correct it.",
            control=control.name,
        )
