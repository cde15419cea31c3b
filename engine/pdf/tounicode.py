"""Corrects what text extraction gives for Chinese characters whose glyph also serves a radical; shapes are not judged.

A font draws 文 (U+6587) and the radical ⽂ (U+2F42) with one glyph, and a writer that goes back from glyph to character
picks the lower number. The page looks right while search, copying and text anchors miss the word.
"""

from __future__ import annotations

import re
import unicodedata

import pikepdf
from pikepdf import Name

_RADICALS = (
    "⺁⺂⺃⺅⺉⺒⺓⺔⺖⺘⺙⺛⺞⺟⺠⺡⺣⺦⺨⺭⺰⺱⺹⺽⺾⻁⻂⻃⻄⻅⻆⻈⻉⻋⻌"
    "⻍⻎⻐⻑⻒⻓⻔⻖⻘⻙⻚⻛⻜⻝⻟⻠⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲⻳"
)
_WORDS = (
    "厂乛乚亻刂巳幺彑忄扌攵旡歺母民氵灬丬犭礻纟罓耂臼艹虎衤覀西见角讠贝车辶"
    "辶辶钅長镸长门阝青韦页风飞食飠饣马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟"
)
_SUPPLEMENT = dict(zip(_RADICALS, _WORDS, strict=True))
"""CJK Radicals Supplement (U+2E80) has no Unicode normalisation of its own, so the pairs are written out."""

_HEX = rb"<([0-9A-Fa-f\s]*)>"
_SECTION = re.compile(rb"(?:\d+\s+)?begin(bfchar|bfrange)(.*?)end\1", re.DOTALL)
_PAIR = re.compile(_HEX + rb"\s*" + _HEX)
_RANGE = re.compile(_HEX + rb"\s*" + _HEX + rb"\s*(?:" + _HEX + rb"|\[(.*?)\])", re.DOTALL)


def unify_radicals(pdf: pikepdf.Pdf) -> int:
    """Replace radicals (部首) by the characters they stand for in all ToUnicode maps; returns how many changed."""
    changed = 0
    for item in pdf.objects:
        cmap = item.get(Name.ToUnicode) if isinstance(item, pikepdf.Dictionary) else None
        if isinstance(cmap, pikepdf.Stream):
            before = cmap.read_bytes()
            after = _SECTION.sub(_rewrite, before)
            if after != before:
                cmap.write(after)
                changed += 1
    return changed


def character(text: str) -> str:
    """``text`` with radicals and compatibility forms of Han characters replaced by the usual characters."""
    return "".join(
        unicodedata.normalize("NFKC", sign)
        if 0x2F00 <= ord(sign) <= 0x2FD5 or 0xF900 <= ord(sign) <= 0xFAFF
        else _SUPPLEMENT.get(sign, sign)
        for sign in text
    )


def read_cmap(cmap: pikepdf.Object | None) -> dict[int, str]:
    """Code to text of a ToUnicode stream; empty if it is none."""
    if not isinstance(cmap, pikepdf.Stream):
        return {}
    found: dict[int, str] = {}
    for kind, body in _SECTION.findall(cmap.read_bytes()):
        found |= {int(code, 16): text for code, text in (_pairs(body) if kind == b"bfchar" else _ranges(body)) if code}
    return found


def write_cmap(texts: dict[bytes, str]) -> bytes:
    """A ToUnicode stream for codes of any length (ISO 32000-2 9.10.3)."""
    spaces = sorted({len(code) for code in texts})
    lines = b"".join(b"<%s> <%s>\n" % (b"00" * size, b"FF" * size) for size in spaces)
    return b"".join(
        [
            b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n",
            b"/CMapName /Adobe-Identity-UCS def /CMapType 2 def\n",
            b"%d begincodespacerange\n%sendcodespacerange\n" % (len(spaces), lines),
            _sections([(code.hex().upper().encode("ascii"), text) for code, text in sorted(texts.items())]),
            b"\nendcmap CMapName currentdict /CMap defineresource pop end end\n",
        ]
    )


def _rewrite(section: re.Match[bytes]) -> bytes:
    kind, body = section.groups()
    entries = _pairs(body) if kind == b"bfchar" else _ranges(body)
    if all(character(text) == text for _, text in entries):
        return section.group()
    return _sections(entries)


def _sections(entries: list[tuple[bytes, str]]) -> bytes:
    parts = []
    for start in range(0, len(entries), 100):  # a section holds at most 100 entries (Adobe note 5014)
        part = entries[start : start + 100]
        lines = b"".join(b"<%s> <%s>\n" % (code, _hex(character(text))) for code, text in part)
        parts.append(b"%d beginbfchar\n%sendbfchar" % (len(part), lines))
    return b"\n".join(parts)


def _pairs(body: bytes) -> list[tuple[bytes, str]]:
    return [(code, _text(value)) for code, value in _PAIR.findall(body)]


def _ranges(body: bytes) -> list[tuple[bytes, str]]:
    entries = []
    for low, high, start, listed in _RANGE.findall(body):
        first, last = int(low, 16), min(int(high, 16), int(low, 16) + 0xFFFF)
        texts = [_text(value) for value in re.findall(_HEX, listed)] if listed else []
        for code in range(first, last + 1):
            if listed:
                text = texts[code - first] if code - first < len(texts) else ""
            else:
                head = _text(start)
                text = head[:-1] + chr(ord(head[-1]) + code - first) if head else ""
            entries.append((b"%0*X" % (len(low), code), text))
    return entries


def _text(value: bytes) -> str:
    digits = re.sub(rb"\s", b"", value)
    return bytes.fromhex(digits.decode("ascii")[: len(digits) // 4 * 4]).decode("utf-16-be", "replace")


def _hex(text: str) -> bytes:
    return text.encode("utf-16-be", "replace").hex().upper().encode("ascii")
