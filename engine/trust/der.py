"""Writes DER (X.690); only what a signature needs, and never reads it."""

from __future__ import annotations


def element(tag: int, *parts: bytes) -> bytes:
    """One value: tag octet, length, content."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of encoded parts."""
    return element(0x30, *parts)


def set_of(*parts: bytes, tag: int = 0x31) -> bytes:
    """A SET OF, its members in the order DER wants (X.690, 11.6)."""
    return element(tag, *sorted(parts))


def octets(value: bytes) -> bytes:
    """An OCTET STRING."""
    return element(0x04, value)


def integer(value: int) -> bytes:
    """An INTEGER."""
    return element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def identifier(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    content = bytearray()
    for arc in (first * 40 + second, *rest):
        group = [arc & 0x7F]
        while arc := arc >> 7:
            group.append(0x80 | arc & 0x7F)
        content += bytes(reversed(group))
    return element(0x06, bytes(content))
