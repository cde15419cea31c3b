"""What a drawn seal shows and how large it is; says nothing of how it is drawn.

Sizes: the State Council's rules on seals (国发〔1999〕25号) want simplified characters in Song type (宋体), a star with
the name around it from left to right, and at most 45 mm for companies. Registered engravers cut 40 mm for a limited
company, 38 mm for its special seals, with a ring of 1 mm; 42 mm with a ring of 1.2 mm for larger ones; an oval of
45 x 30 mm without a star. Invoice seal: 40 x 30 mm, as notice 2011 No. 7 of the State Taxation Administration has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from engine.errors import Rejected

SealKind = Literal["company", "contract", "finance", "personnel", "invoice", "oval", "name"]


class Usual(NamedTuple):
    """Usual size of a kind in mm, the words below, and the sizes that are allowed for its width."""

    width: float
    height: float
    text: str
    allowed: tuple[float, float]


USUAL: dict[SealKind, Usual] = {
    "company": Usual(40, 40, "", (38, 45)),
    "contract": Usual(38, 38, "合同专用章", (38, 45)),
    "finance": Usual(38, 38, "财务专用章", (38, 45)),
    "personnel": Usual(38, 38, "人事专用章", (38, 45)),
    "invoice": Usual(40, 30, "发票专用章", (40, 40)),
    "oval": Usual(45, 30, "", (38, 45)),
    "name": Usual(20, 20, "", (12, 25)),
}


class ValueOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words that a document brings along: the value of one of its controls."""

    value: Annotated[str, Meta(min_length=1, max_length=100)]


class SealDesign(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A seal to be drawn.

    ``kind``: ``company`` (公章), ``contract`` (合同专用章), ``finance`` (财务专用章), ``personnel`` (人事专用章),
    ``invoice`` (发票专用章), ``oval`` (椭圆章), ``name`` (个人名章). ``name``: along the ring, or in the square of a
    personal seal. ``text``: words below the star; of a personal seal what follows the name, by default 印 or 之印 where
    it fills the square. ``number``: along the lower ring, in the middle of an oval. ``size``: width in mm. ``style``:
    characters of a personal seal red on nothing (朱文) or left out of red (白文). Raises ValueError for a size that a
    seal of the kind cannot have.
    """

    kind: SealKind
    name: Annotated[str, Meta(min_length=1, max_length=120)] | ValueOf
    text: Annotated[str, Meta(max_length=40)] | None = None
    number: Annotated[str, Meta(max_length=24)] | ValueOf = ""
    size: float | None = None
    style: Literal["red", "white"] = "red"

    def __post_init__(self) -> None:
        low, high = USUAL[self.kind].allowed
        if self.size is not None and not low <= self.size <= high:
            raise ValueError(f"a seal of the kind {self.kind} is {low:g} to {high:g} mm wide, not {self.size:g}")


def with_values(design: SealDesign, values: Mapping[str, Any]) -> SealDesign:
    """Put in the words a document brings along; raises Rejected ``seal.no_value``."""
    return msgspec.structs.replace(design, name=_words(design.name, values), number=_words(design.number, values))


def _words(words: str | ValueOf, values: Mapping[str, Any]) -> str:
    if isinstance(words, str):
        return words
    found = values.get(words.value)
    if not isinstance(found, str) or not found.strip():
        raise Rejected(
            "seal.no_value",
            zh=f"印章需要填写内容“{words.value}”作为印文，但文件没有填写它。请补充该项内容。",
            en=f"The seal takes its words from the value {words.value!r}, which was not given. Fill it in.",
            value=words.value,
        )
    return found.strip()
