"""Checks values against controls and lays them out, without any PDF; a picture's bytes are only looked at in a child.

Every fault of a filling is found before anything is refused, so that a person corrects a form once.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from engine.errors import Rejected
from engine.pdf import text
from engine.pdf.control import Control
from engine.pdf.faces import Glyph

PICTURE_LIMIT = 8 * 1024 * 1024
"""Bytes of one picture value: a full A4 scan at 300 dpi, compressed, fits."""
_TEXT_LIMIT = 10_000
_MISSING = "value.missing"
_DATE_PARTS = re.compile("YYYY|MM|M|DD|D")
_CHINESE_DIGITS = str.maketrans("0123456789", "〇一二三四五六七八九")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one value; both texts are sentences that name the control."""

    code: str
    control: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The bytes of an image value, still to be opened."""

    data: bytes


Drawing = text.Block | Picture | None
"""What a control shows; None: nothing."""


def check_values(controls: Sequence[Control], values: Mapping[str, Any]) -> tuple[Fault, ...]:
    """All that is wrong with ``values`` for ``controls``; usable before anything is sent to anybody."""
    return lay_out(controls, values)[1]


def require_values(controls: Sequence[Control], values: Mapping[str, Any]) -> None:
    """Raise one Rejected for all faults, if there are any (see ``refusal``)."""
    faults = check_values(controls, values)
    if faults:
        raise refusal(faults)


def refusal(faults: Sequence[Fault]) -> Rejected:
    """One error for many faults: their code if they share one, else ``value.several``; facts name the controls."""
    codes = sorted({fault.code for fault in faults})
    told = _join_missing(faults)
    return Rejected(
        codes[0] if len(codes) == 1 else "value.several",
        zh="".join(fault.zh for fault in told),
        en=" ".join(fault.en for fault in told),
        faults=len(faults),
        codes=", ".join(codes),
        controls=", ".join(dict.fromkeys(fault.control for fault in faults)),
    )


def _join_missing(faults: Sequence[Fault]) -> list[Fault]:
    """One sentence for all values that are missing: twenty that differ in a name alone nobody reads."""
    names = [fault.control for fault in faults if fault.code == _MISSING]
    if len(names) < 2:
        return list(faults)
    joined = Fault(
        _MISSING,
        names[0],
        zh=f"以下 {len(names)} 个必填控件尚未填写：{'、'.join(names)}。",
        en=f"These {len(names)} required controls have no value: {', '.join(names)}.",
    )
    return [*(fault for fault in faults if fault.code != _MISSING), joined]


def lay_out(controls: Sequence[Control], values: Mapping[str, Any]) -> tuple[dict[str, Drawing], tuple[Fault, ...]]:
    """What each control shows, and all faults; with faults the drawings are not complete."""
    drawings: dict[str, Drawing] = {}
    faults: list[Fault] = list(_unknown(controls, values))
    for control in controls:
        try:
            drawings[control.name] = _lay_out(control, values.get(control.name))
        except _Faulty as faulty:
            faults += faulty.faults
    return drawings, tuple(faults)


class _Faulty(Exception):
    def __init__(self, *faults: Fault) -> None:
        self.faults = faults


def _unknown(controls: Sequence[Control], values: Mapping[str, Any]) -> Iterable[Fault]:
    known = {control.name for control in controls}
    for name in values:
        if name not in known:
            yield Fault(
                "value.unknown_control",
                name,
                f"没有名为“{name}”的控件，请检查名称。",
                f"There is no control named {name!r}; check the name.",
            )


def _lay_out(control: Control, value: Any) -> Drawing:
    name = control.name
    if control.signed:
        if value is not None:
            raise _fault("value.not_fillable", name, "是签名区，不能填写内容", "is for a signature and takes no value")
        return None
    if value is None or (isinstance(value, str) and not value.strip()):
        if control.required:
            raise _fault(_MISSING, name, "为必填项，尚未填写", "is required and has no value")
        return None
    if control.kind == "text":
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _fault("value.wrong_kind", name, "应填写文字或数字", "takes text or a number")
        return _set_text(control, str(value))
    if control.kind == "date":
        return _set_text(control, format_date(_read_date(control, value), control.date_format))
    if control.kind == "checkbox":
        if not isinstance(value, bool):
            raise _fault("value.wrong_kind", name, "应填写 true 或 false", "takes true or false")
        return _set_mark(control) if value else None
    return Picture(_read_picture(control, value))


def _fault(code: str, name: str, zh: str, en: str) -> _Faulty:
    return _Faulty(Fault(code, name, f"控件“{name}”{zh}。", f"The control {name!r} {en}."))


def _read_date(control: Control, value: Any) -> date:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
    raise _fault(
        "value.bad_date",
        control.name,
        f"的日期“{value}”无法识别，请按 2026-11-23 的格式填写",
        f"has the date {value!r}, which is none; write it like 2026-11-23",
    )


def format_date(day: date, pattern: str) -> str:
    """``YYYY年M月D日`` gives 2026年11月3日; ``〇`` gives 二〇二六年十一月三日 (GB/T 15835)."""
    if pattern == "〇":
        year = f"{day:%Y}".translate(_CHINESE_DIGITS)
        return f"{year}年{_chinese_number(day.month)}月{_chinese_number(day.day)}日"
    parts = {"YYYY": f"{day:%Y}", "MM": f"{day:%m}", "M": str(day.month), "DD": f"{day:%d}", "D": str(day.day)}
    return _DATE_PARTS.sub(lambda match: parts[match[0]], pattern)


def _chinese_number(number: int) -> str:
    """1 to 31 in Chinese numerals."""
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else "十" if tens == 1 else str(tens).translate(_CHINESE_DIGITS) + "十"
    return head + (str(ones).translate(_CHINESE_DIGITS) if ones else "")


def _read_picture(control: Control, value: Any) -> bytes:
    if isinstance(value, str):
        encoded = value.partition(",")[2] if value.startswith("data:") else value
        if len(encoded) > PICTURE_LIMIT * 4 // 3 + 4:
            limit = PICTURE_LIMIT // 1024 // 1024
            raise _fault(
                "value.picture_too_large",
                control.name,
                f"的图片超过 {limit} MB，请压缩后再试",
                f"has a picture of more than {limit} MB; shrink it",
            )
        try:
            data = b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")):
            return data
    raise _fault(
        "value.bad_picture",
        control.name,
        "的图片无法识别，请提供 base64 编码的 PNG 或 JPEG",
        "has no picture that can be read; give a PNG or JPEG in base64",
    )


def _set_text(control: Control, value: str) -> text.Block:
    """Lay text out in the control's box by its policy; raises faults for glyphs, line breaks and length."""
    name = control.name
    composed = text.compose(value.strip())
    if len(composed) > _TEXT_LIMIT:
        raise _fault(
            "value.too_long", name, f"的内容超过 {_TEXT_LIMIT} 字", f"has text of more than {_TEXT_LIMIT} characters"
        )
    paragraphs = [line.rstrip() for line in composed.replace("\r\n", "\n").split("\n")]
    if len(paragraphs) > 1 and control.overflow != "wrap":
        raise _fault("value.line_break", name, "只能填写一行，请去掉换行", "holds one line; remove the line breaks")
    shaped = [text.shape(paragraph, control.font) for paragraph in paragraphs]
    missing = [character for _, absent in shaped for character in absent]
    if missing:
        raise _Faulty(*(_no_glyph(name, character) for character in dict.fromkeys(missing)))
    glyphs = [line for line, _ in shaped]
    box = (control.width, control.height)
    if control.overflow == "wrap":
        block = text.wrap_text(glyphs, control.size, control.min_size, *box)
    else:
        smallest = control.min_size if control.overflow == "shrink" else control.size
        block = text.shrink_line(glyphs[0], control.size, smallest, *box)
    if block is None:
        raise _too_long(control, composed, glyphs)
    return block


def _too_long(control: Control, value: str, glyphs: Sequence[Sequence[Glyph]]) -> _Faulty:
    shown = value if len(value) <= 40 else f"{value[:40]}…"
    size = control.size if control.overflow == "refuse" else control.min_size
    need = max(text.set_line(line, size).width for line in glyphs)
    tall = max(text.set_line(line, size).height for line in glyphs)
    return _fault(
        "value.too_long",
        control.name,
        f"放不下“{shown}”：在 {size:g} 磅下一行宽 {need:.1f}、高 {tall:.1f} 磅，"
        f"控件宽 {control.width:g}、高 {control.height:g} 磅。请缩短内容或放大控件",
        f"has no room for {shown!r}: one line at {size:g} pt is {need:.1f} pt wide and {tall:.1f} pt high, the box "
        f"{control.width:g} by {control.height:g} pt. Shorten the text or enlarge the control",
    )


def _no_glyph(name: str, character: str) -> Fault:
    points = " ".join(f"U+{ord(one):04X}" for one in character)
    shown = character if character.isprintable() else ""
    return Fault(
        "text.no_glyph",
        name,
        f"控件“{name}”中的字符“{shown}”（{points}）没有可用的字形，无法印出。请改用其他写法。",
        f"The control {name!r} holds the character {shown!r} ({points}), which no bundled typeface has. "
        "Write it in another way.",
    )


def _set_mark(control: Control) -> text.Block:
    glyphs, missing = text.shape(control.mark, "sans")
    if missing:
        raise _Faulty(_no_glyph(control.name, control.mark))
    block = text.shrink_line(glyphs, max(control.size, control.height), 4, control.width, control.height)
    if block is None:
        raise _too_long(control, control.mark, [glyphs])
    return block
