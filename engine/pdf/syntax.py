"""Tests how a PDF is written: header, objects, streams, strings, cross-references, end (ISO 19005-2 6.1.2 to 6.1.9).

Objects are looked for one behind the other, as every writer puts them; what stands between them is passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from mmap import mmap

from engine.pdf.clauses import Violation

Buffer = bytes | mmap

_HEADER = re.compile(rb"%PDF-1\.[0-7](?:\r\n|\r|\n)%[\x80-\xff]{4}")
_OBJECT = re.compile(rb"(?<![0-9])(\d+)[\0\t\n\f\r ]+(\d+)[\0\t\n\f\r ]+obj(?![a-zA-Z])")
_NEXT = re.compile(rb"(?<![0-9])\d+[\0\t\n\f\r ]+\d+[\0\t\n\f\r ]+obj(?![a-zA-Z])|(?<![a-z])xref(?![a-z])")
_WELL_BEGUN = re.compile(rb"\d+[\0\t\n\f\r ]\d+[\0\t\n\f\r ]obj[\r\n]")
_WELL_ENDED = re.compile(rb"(?:\r\n|\r|\n)endobj[\r\n]")
_TABLE = re.compile(rb"xref(?:\r\n|\r|\n)\d+ \d+[ ]?(?:\r\n|\r|\n)")
_END = re.compile(rb"%%EOF(?:\r\n|\r|\n)?")
_TOKEN = re.compile(
    rb"%[^\r\n]*|\((?:[^()\\]|\\.)*\)|<<|>>|<[^>]*>"
    rb"|/[^\0\t\n\f\r ()<>\[\]{}/%]*|[^\0\t\n\f\r ()<>\[\]{}/%]+|[\[\]{}()<>]",
    re.DOTALL,
)
_HEX = re.compile(rb"<[0-9A-Fa-f\0\t\n\f\r ]*>")
_NUMBER = re.compile(rb"[\0\t\n\f\r ]*(\d+)[\0\t\n\f\r ]+endobj")
_BRACKETS = re.compile(rb"\\.|[()]", re.DOTALL)
_LENGTH = re.compile(rb"/Length[\0\t\n\f\r ]+(\d+)(?:[\0\t\n\f\r ]+(\d+)[\0\t\n\f\r ]+R)?")
_LONGEST_STRING = 32767


@dataclass(slots=True)
class Syntax:
    """What a reading of the bytes gave: violations, and the numbers of the objects met."""

    violations: list[Violation] = field(default_factory=list)
    objects: set[int] = field(default_factory=set)


def read_syntax(data: Buffer, start: int = 0) -> Syntax:
    """Test the bytes from ``start``, which is 0 or the end of an earlier revision."""
    scanner = _Scanner(data)
    if start == 0 and not _HEADER.match(data):
        scanner.report(
            "6.1.2", "byte 0", "文件头不是“%PDF-1.n”加二进制注释", "the header is not %PDF-1.n and a comment"
        )
    last = data.rfind(b"%%EOF")
    ending = _END.match(data, last) if last >= 0 else None
    if ending is None or ending.end() != len(data):
        scanner.report("6.1.3", "end of file", "最后的 %%EOF 之后还有数据", "there is data behind the last %%EOF")
    scanner.scan(start)
    return scanner.found


class _Scanner:
    """Reads objects one behind the other; lengths that stand in other objects are compared at the end."""

    def __init__(self, data: Buffer) -> None:
        self.found = Syntax()
        self._data = data
        self._numbers: dict[int, int] = {}
        self._open: list[tuple[str, int, int]] = []  # place, where the stream begins, object with its length

    def report(self, clause: str, place: str, zh: str, en: str) -> None:
        self.found.violations.append(Violation(clause, place, zh, en))

    def scan(self, at: int) -> None:
        while (found := _NEXT.search(self._data, at)) is not None:
            at = self._table(found.start()) if found.group() == b"xref" else self._object(found.start())
        for place, begin, reference in self._open:
            if not self._fits(begin, self._numbers.get(reference)):
                self._wrong_length(place)

    def _table(self, at: int) -> int:
        if not _TABLE.match(self._data, at):
            self.report(
                "6.1.4", f"byte {at}", "xref 与小节头之间不是单个换行", "xref and its header are not one EOL apart"
            )
        trailer = self._data.find(b"trailer", at)
        return trailer if trailer > 0 else at + len(b"xref")

    def _object(self, at: int) -> int:
        """Test one object; gives where it ends."""
        data = self._data
        head = _OBJECT.match(data, at)
        if head is None:  # never: the caller found it by the same pattern
            return at + 1
        number = int(head.group(1))
        place = f"object {number}"
        self.found.objects.add(number)
        if not _WELL_BEGUN.match(data, at) or (at > 0 and data[at - 1 : at] not in (b"\r", b"\n")):
            self.report(
                "6.1.9", place, "对象号、obj 与换行的写法不合规", "number, obj and line ends are not as demanded"
            )
        position = head.end()
        if (plain := _NUMBER.match(data, position)) is not None:
            self._numbers[number] = int(plain.group(1))
        while (token := _TOKEN.search(data, position)) is not None:
            word = token.group()
            position = token.end()
            if word == b"stream":
                position = self._stream(data[head.end() : token.start()], position, place)
            elif word == b"endobj":
                if not _WELL_ENDED.match(data, token.start() - (2 if data[token.start() - 2] == 13 else 1)):
                    self.report("6.1.9", place, "endobj 前后没有换行", "endobj does not stand on a line of its own")
                break
            elif word == b"obj":
                break  # the next object began: this one never ended
            elif word[:1] == b"(":
                position = self._literal(token.start(), position, place, closed=len(word) > 1)
            elif word[:1] == b"<" and word != b"<<":
                self._hexadecimal(word, place)
        return position

    def _stream(self, entries: bytes, begin: int, place: str) -> int:
        """Test one stream; gives where it ends."""
        data = self._data
        if data[begin : begin + 2] == b"\r\n":
            begin += 2
        elif data[begin : begin + 1] == b"\n":
            begin += 1
        else:
            self.report("6.1.7.1", place, "stream 之后没有换行", "stream is not followed by an end of line")
        given = _LENGTH.search(entries)
        if given is not None and given.group(2) is None and self._fits(begin, int(given.group(1))):
            return data.find(b"endstream", begin + int(given.group(1))) + len(b"endstream")
        if given is not None and given.group(2) is not None:
            self._open.append((place, begin, int(given.group(1))))
        else:
            self._wrong_length(place)
        end = data.find(b"endstream", begin)
        return len(data) if end < 0 else end + len(b"endstream")

    def _fits(self, begin: int, length: int | None) -> bool:
        """Whether an end of line and endstream follow exactly ``length`` bytes (6.1.7.1)."""
        tail = b"" if length is None else self._data[begin + length : begin + length + 11]
        return tail.startswith((b"\nendstream", b"\r\nendstream", b"\rendstream"))

    def _wrong_length(self, place: str) -> None:
        self.report("6.1.7.1", place, "流的 Length 与实际长度不符", "the Length of the stream is not its length")

    def _literal(self, start: int, end: int, place: str, *, closed: bool) -> int:
        depth = 0
        for found in () if closed else _BRACKETS.finditer(self._data, start):
            depth += {b"(": 1, b")": -1}.get(found.group(), 0)
            end = found.end()
            if depth == 0:
                break
        if end - start - 2 > _LONGEST_STRING:
            self._too_long(place)
        return end

    def _hexadecimal(self, word: bytes, place: str) -> None:
        digits = word.translate(None, b"\0\t\n\f\r <>")
        if not _HEX.fullmatch(word) or len(digits) % 2:
            self.report("6.1.6", place, "十六进制字符串不合规", "a hexadecimal string is odd or holds other signs")
        if len(digits) // 2 > _LONGEST_STRING:
            self._too_long(place)

    def _too_long(self, place: str) -> None:
        self.report("6.1.13", place, "字符串超过 32767 字节", "a string is longer than 32767 bytes")
