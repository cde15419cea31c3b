"""JSON as the records keep it: sorted keys, no spaces, no value that PostgreSQL or another reader would change."""

from __future__ import annotations

import json
from typing import Any

from engine.errors import Rejected


def encode(value: Any) -> str:
    """Canonical text of a JSON value.

    Raises Rejected ``records.not_json`` for what JSON or PostgreSQL cannot hold: NaN and infinities, the NUL
    character, halves of surrogate pairs, values that are not JSON.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
        text.encode("utf-8")
    except (ValueError, TypeError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        raise _not_json(str(error)) from error
    if "\\u0000" in text and "\0" in _strings(value):
        raise _not_json("NUL character")
    return text


def _strings(value: Any) -> str:
    """All strings of a JSON value in one, keys included, joined by a character that is not NUL."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "\n".join(_strings(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return "\n".join(map(_strings, value))
    return ""


def _not_json(reason: str) -> Rejected:
    return Rejected(
        "records.not_json",
        zh=f"数据无法保存为 JSON：{reason}。请检查传入的值后重试。",
        en=f"The data cannot be kept as JSON: {reason}. Check the values handed in and try again.",
        reason=reason,
    )
