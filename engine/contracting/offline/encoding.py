"""Reads DER (X.690) strictly: definite lengths in their shortest form, nothing behind the end; BER is refused.

Runs inside an evidence bundle: Python 3.8 and its standard library, nothing else.
"""

from __future__ import annotations

from datetime import datetime, timezone


class Malformed(Exception):
    """The bytes are not what their place asks for."""


class Node:
    """One encoded value: its tag, its bytes with (``raw``) and without (``value``) the header."""

    def __init__(self, data: bytes, start: int, body: int, end: int) -> None:
        self.tag = data[start]
        self.raw = data[start:end]
        self.value = data[body:end]

    def children(self) -> list[Node]:
        """Members of a constructed value, in order."""
        if not self.tag & 0x20:
            raise Malformed("a constructed value is expected, tag %02x found" % self.tag)
        nodes, position = [], 0
        while position < len(self.value):
            node, position = _read(self.value, position)
            nodes.append(node)
        return nodes

    def expect(self, tag: int) -> Node:
        if self.tag != tag:
            raise Malformed(f"tag {tag:02x} is expected, {self.tag:02x} found")
        return self

    def fields(self, least: int) -> list[Node]:
        """Members of a SEQUENCE that has at least so many."""
        nodes = self.expect(0x30).children()
        if len(nodes) < least:
            raise Malformed("a sequence is too short")
        return nodes

    def number(self) -> int:
        self.expect(0x02)
        if not self.value or (len(self.value) > 1 and self.value[0] == (self.value[1] >> 7) * 0xFF):
            raise Malformed("an integer is not in its shortest form")
        return int.from_bytes(self.value, "big", signed=True)

    def identifier(self) -> str:
        """Dotted form of an OBJECT IDENTIFIER."""
        self.expect(0x06)
        arcs, arc = [], 0
        for byte in self.value:
            arc = arc << 7 | byte & 0x7F
            if not byte & 0x80:
                arcs.append(arc)
                arc = 0
        if not arcs or self.value[-1] & 0x80:
            raise Malformed("an object identifier is cut off")
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))

    def moment(self) -> datetime:
        """Time of a UTCTime or GeneralizedTime in UTC."""
        text = self.value.decode("ascii", "replace")
        if self.tag == 0x17:  # years 50 to 99 belong to the last century (RFC 5280, 4.1.2.5.1)
            text = ("19" if text[:2] >= "50" else "20") + text
        whole, _, fraction = text.rstrip("Z").partition(".")
        try:
            moment = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
            return moment.replace(microsecond=int((fraction + "000000")[:6]) if fraction else 0)
        except ValueError as error:
            raise Malformed("a time is no time: " + text) from error

    def bits(self) -> bytes:
        """Content of a BIT STRING of whole bytes."""
        if not self.expect(0x03).value or self.value[0] != 0:
            raise Malformed("a bit string has odd bits")
        return self.value[1:]


def decode(data: bytes) -> Node:
    """Read exactly one value; raises Malformed."""
    node, end = _read(data, 0)
    if end != len(data):
        raise Malformed("%d bytes follow the end" % (len(data) - end))
    return node


def member(nodes: list[Node], tag: int) -> Node | None:
    """Find the first member with a tag, None without one."""
    for node in nodes:
        if node.tag == tag:
            return node
    return None


def _read(data: bytes, start: int) -> tuple[Node, int]:
    try:
        length, body = data[start + 1], start + 2
        if data[start] & 0x1F == 0x1F:
            raise Malformed("a tag of several bytes")
        if length >= 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[body : body + size], "big")
            if not size or size > 4 or length < 0x80 or data[body] == 0:
                raise Malformed("a length is not in its shortest form")
            body += size
    except IndexError as error:
        raise Malformed("cut off") from error
    if body + length > len(data):
        raise Malformed("cut off")
    return Node(data, start, body, body + length), body + length
