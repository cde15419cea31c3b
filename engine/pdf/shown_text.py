"""Finds the strings a document shows in chosen fonts; fonts set through a graphics state dictionary are missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf

from engine.pdf import intake

_SHOW = {"Tj", "'", '"'}


@dataclass(slots=True)
class Use:
    """One font dictionary and the strings shown in it."""

    font: pikepdf.Object
    strings: set[bytes] = field(default_factory=set)


def uses(pdf: Pdf, is_wanted: Callable[[pikepdf.Object], bool]) -> list[Use]:
    """Every font that some content names and ``is_wanted`` holds for; content without such fonts is not read."""
    found: dict[tuple[int, int], Use] = {}
    for scope in pdf.content_scopes():
        fonts = scope.resources.get(Name.Font) if scope.resources is not None else None
        if not isinstance(fonts, Dictionary):
            continue
        wanted = {}
        for key, font in fonts.items():
            if is_wanted(font):
                if not font.is_indirect:  # only indirect objects have an identity
                    font = fonts[key] = pdf.make_indirect(font)
                wanted[key] = font
                found.setdefault(font.objgen, Use(font))
        for key, text in _shown(scope.content) if wanted else ():
            if key in wanted:
                found[wanted[key].objgen].strings.add(text)
    return list(found.values())


def _shown(content: pikepdf.Object) -> Iterator[tuple[str, bytes]]:
    """Font resource name and string of every text-showing operator."""
    current, saved = "", list[str]()
    for instruction in pikepdf.parse_content_stream(content, "q Q Tf Tj TJ ' \""):
        operator, operands = str(instruction.operator), instruction.operands
        if operator == "q":
            saved.append(current)
        elif operator == "Q":
            current = saved.pop() if saved else current
        elif operator == "Tf" and len(operands) and isinstance(operands[0], Name):
            current = intake.name_of(operands[0])
        elif operator in _SHOW and len(operands) and isinstance(operands[-1], pikepdf.String):
            yield current, bytes(operands[-1])
        elif operator == "TJ" and len(operands) and isinstance(operands[0], Array):
            yield from ((current, bytes(item)) for item in operands[0] if isinstance(item, pikepdf.String))
