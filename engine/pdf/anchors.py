"""Finds words on pages to place controls by; sees only real text, so scans need their text layer first.

Tolerant of how documents are made: spaces inside, full or half width, several runs, a break into the next line.
Text is compared in compatibility form (NFKC) without spaces, and case does not matter.
"""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pdfplumber
import pypdfium2
from pdfminer.pdfexceptions import PDFException
from pdfminer.psparser import PSException
from pdfplumber.utils.exceptions import MalformedPDFException, PdfminerException

from engine.errors import Rejected
from engine.pdf import intake
from engine.pdf.control import Anchor
from engine.pdf.page_boxes import Box
from engine.pdf.text import ASCENT, DESCENT

_ALIKE = str.maketrans("“”„‟＂「」『』‘’‛〔〕【】—–―‐‑−﹣", '"""""""""\'\'\'[][]-------')
"""Punctuation that authors mix up and NFKC keeps apart."""
_SIMILAR = 0.5
_HINT_PAGES = 20


@dataclass(frozen=True, slots=True)
class Sign:
    """One character of a page in its comparable form, with the box it is drawn in."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class PageText:
    """Comparable signs of a page in two orders: as lines lie on the page, and as its content draws them.

    A phrase that runs over two lines of a table cell is whole in one of them at least.
    """

    number: int
    lines: tuple[tuple[Sign, ...], ...]
    drawn: tuple[Sign, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """Where an anchor stands: page from 1, its last line's box."""

    page: int
    box: Box


def read_pages(source: Path, numbers: list[int] | None = None) -> list[PageText]:
    """Text of the pages with these numbers (from 1), or of all; raises Rejected ``document.damaged``."""
    with _reading(source.name), pdfplumber.open(source, pages=numbers) as pdf:
        pages = []
        for page in pdf.pages:
            characters = page.dedupe_chars().chars  # imitated bold is drawn twice
            pages.append(_read_page(page.page_number, characters, float(page.bbox[3])))
            page.close()
        return pages


def choose_pages(source: Path, anchors: Sequence[Anchor], numbers: Sequence[int]) -> list[int]:
    """Those of the pages that hold all characters of some anchor; the first few when none does, for a hint.

    A look through pdfium takes a fiftieth of the time of ``read_pages``, but does not say where words are.
    """
    wanted = [set(comparable(anchor.text)) for anchor in anchors]
    chosen = []
    try:
        with contextlib.closing(pypdfium2.PdfDocument(source)) as document:
            for number in numbers:
                page = document[number - 1]
                there = set(comparable(page.get_textpage().get_text_range()))
                page.close()
                if any(characters <= there for characters in wanted):
                    chosen.append(number)
    except pypdfium2.PdfiumError:
        return list(numbers)
    return chosen or list(numbers[:_HINT_PAGES])


@contextlib.contextmanager
def _reading(file: str) -> Iterator[None]:
    try:
        yield
    except (
        PdfminerException,
        MalformedPDFException,
        PDFException,
        PSException,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
    ) as error:
        # pdfminer follows damaged structures into Python's own errors
        raise intake.damaged(file, f"{type(error).__name__}: {error}"[:200]) from None


def comparable(text: str) -> str:
    """The form in which words are compared; its length may differ from the text's."""
    folded = unicodedata.normalize("NFKC", text).translate(_ALIKE).casefold()
    return "".join(folded.split())


def find(anchor: Anchor, control: str, pages: Sequence[PageText]) -> Match:
    """The place the anchor of the control with this name means.

    Raises Rejected ``control.anchor_not_found`` with the most similar words of the document, or
    ``control.anchor_ambiguous`` when it occurs more than once and no occurrence is chosen.
    """
    wanted = comparable(anchor.text)
    matches = [match for page in pages for match in _matches(page, wanted)] if wanted else []
    if anchor.occurrence is None and len(matches) > 1:
        where = ", ".join(dict.fromkeys(str(match.page) for match in matches))
        raise Rejected(
            "control.anchor_ambiguous",
            zh=f"控件“{control}”的定位文字“{anchor.text}”出现了 {len(matches)} 次（第 {where} 页）。"
            "请指定用第几处，或改用更长的文字。",
            en=f"The anchor {anchor.text!r} of the control {control!r} occurs {len(matches)} times "
            f"(pages {where}). Say which occurrence, or use longer words.",
            control=control,
            anchor=anchor.text,
            occurrences=len(matches),
        )
    chosen = anchor.occurrence or 1
    index = chosen - 1 if chosen > 0 else chosen
    if not -len(matches) <= index < len(matches):
        raise _not_found(anchor, control, len(matches), nearest(wanted, pages))
    return matches[index]


def nearest(wanted: str, pages: Sequence[PageText]) -> str | None:
    """The words of the document most like ``wanted``, if any are."""
    best, words = _SIMILAR, None
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    for page in pages:
        for line in page.lines:
            text = "".join(sign.text for sign in line)
            matcher.set_seq1(text)
            common = matcher.find_longest_match()
            start = max(0, common.a - common.b)
            window = text[start : start + len(wanted)]
            ratio = SequenceMatcher(None, window, wanted, autojunk=False).ratio()
            if ratio > best:
                best, words = ratio, window
    return words


def _matches(page: PageText, wanted: str) -> list[Match]:
    boxes: list[Box] = []
    for signs in (tuple(sign for line in page.lines for sign in line), page.drawn):
        for box in _occurrences(signs, wanted):
            if not any(_same_place(box, known) for known in boxes):
                boxes.append(box)
    return [Match(page.number, box) for box in sorted(boxes, key=lambda box: (-round(box.top), box.left))]


def _occurrences(signs: Sequence[Sign], wanted: str) -> Iterator[Box]:
    text = "".join(sign.text for sign in signs)
    owner = [sign for sign in signs for _ in sign.text]
    start = text.find(wanted)
    while start >= 0:
        hit = owner[start : start + len(wanted)]
        last = hit[-1].box
        on_last_line = [sign.box for sign in hit if _on_one_line(sign.box, last)]
        yield Box(
            min(box.left for box in on_last_line),
            min(box.bottom for box in on_last_line),
            max(box.right for box in on_last_line),
            max(box.top for box in on_last_line),
        )
        start = text.find(wanted, start + len(wanted))


def _read_page(number: int, characters: Sequence[dict[str, Any]], height: float) -> PageText:
    drawn: list[Sign] = []
    for item in characters:
        text = comparable(item["text"])
        if text:
            drawn.append(Sign(text, _box(item, height)))
    return PageText(number, _lines(drawn), tuple(drawn))


def _box(item: dict[str, Any], height: float) -> Box:
    """The em box of a character: readers' own boxes hang on descents that fonts state wrongly or not at all."""
    left, right, size = float(item["x0"]), float(item["x1"]), float(item["size"])
    a, b, c, d, _, baseline = item["matrix"]
    if b or c or a <= 0 or d <= 0:
        return Box(left, height - float(item["bottom"]), right, height - float(item["top"]))
    return Box(left, baseline + DESCENT / 1000 * size, right, baseline + ASCENT / 1000 * size)


def _lines(signs: Sequence[Sign]) -> tuple[tuple[Sign, ...], ...]:
    lines: list[list[Sign]] = []
    for sign in sorted(signs, key=lambda sign: -(sign.box.top + sign.box.bottom)):
        if lines and _on_one_line(lines[-1][0].box, sign.box):
            lines[-1].append(sign)
        else:
            lines.append([sign])
    return tuple(tuple(sorted(line, key=lambda sign: sign.box.left)) for line in lines)


def _on_one_line(one: Box, other: Box) -> bool:
    shared = min(one.top, other.top) - max(one.bottom, other.bottom)
    return shared > 0.5 * min(one.height, other.height)


def _same_place(one: Box, other: Box) -> bool:
    return abs(one.right - other.right) < 1 and abs(one.bottom - other.bottom) < 1


def _not_found(anchor: Anchor, control: str, count: int, similar: str | None) -> Rejected:
    zh, en = "", ""
    if count:
        zh, en = f"第 {anchor.occurrence} 处（共 {count} 处）", f" often enough (it occurs {count} times)"
    hint_zh, hint_en = "", ""
    if similar and not count:
        hint_zh, hint_en = f"最接近的文字是“{similar}”。", f" The most similar words are {similar!r}."
    return Rejected(
        "control.anchor_not_found",
        zh=f"文件中找不到控件“{control}”的定位文字“{anchor.text}”{zh}。{hint_zh}请核对文件或控件设置。",
        en=f"The document does not hold the anchor {anchor.text!r} of the control {control!r}{en}.{hint_en} "
        "Check the document or the control.",
        control=control,
        anchor=anchor.text,
        nearest=similar,
    )
