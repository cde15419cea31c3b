"""Ways to spoil a signed PDF, from single bits to whole revisions; the same seed always gives the same file."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Sequence

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]

_HOLE = re.compile(rb"/Contents\s*<([0-9A-Fa-f\s]{200,})>")
_RANGE = re.compile(rb"/ByteRange\s*\[([^\]]{3,120})\]")
_NUMBER = re.compile(rb"(?<![\w.])-?\d{1,10}(?![\w.])")
_NAME = re.compile(rb"/[A-Za-z][A-Za-z0-9.]{1,30}")
_OBJECT = re.compile(rb"(?<!\d)(\d{1,7}) (\d{1,5}) obj\b(.*?)endobj", re.DOTALL)
_REFERENCE = re.compile(rb"(?<!\d)\d{1,7} \d{1,5} R\b")
_END = re.compile(rb"%%EOF[\r\n]{0,2}")
_ODD_NUMBERS = (b"0", b"1", b"-1", b"65535", b"2147483648", b"99999999999999999999", b"1e9", b"0.5")
_ODD_VALUES = (b"null", b"[]", b"<<>>", b"true", b"()", b"1 0 R", b"99999 0 R", b"[[[[[[[[]]]]]]]]", b"/Sig")


def flip_bit(dice: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    place = dice.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << dice.randrange(8))]) + content[place + 1 :]


def scramble(dice: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    place = dice.randrange(len(content))
    return content[:place] + dice.randbytes(dice.randint(0, 24)) + content[place + dice.randint(0, 24) :]


def cut(dice: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    return content[: dice.randint(1, len(content))]


def drop(dice: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    place = dice.randrange(len(content))
    return content[:place] + content[place + dice.choice((1, 7, 64, 900, 9000)) :]


def double(dice: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    place = dice.randrange(len(content))
    piece = content[place : place + dice.choice((1, 40, 900, 9000))]
    goal = dice.randrange(len(content))
    return content[:goal] + piece + content[goal:]


def splice(dice: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    other = dice.choice(others)
    return content[: dice.randrange(len(content))] + other[dice.randrange(len(other)) :]


def join(dice: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    return content + dice.choice(others)


def change_number(dice: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    def spoil(old: bytes) -> bytes:
        new = dice.choice((*_ODD_NUMBERS, str(int(old) + dice.choice((-1, 1, 10, 256))).encode()))
        return new.rjust(len(old)) if dice.random() < 0.5 else new

    return _replace_one(dice, content, _NUMBER, spoil)


def change_name(dice: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    names = _NAME.findall(content)
    return _replace_one(dice, content, _NAME, lambda _: dice.choice(names)) if names else content


def change_reference(dice: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    found = _REFERENCE.findall(content)
    return _replace_one(dice, content, _REFERENCE, lambda _: dice.choice((*found, *_ODD_VALUES)))


def change_range(dice: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    def spoil(old: bytes) -> bytes:
        numbers = old.split()
        index = dice.randrange(len(numbers)) if numbers else 0
        how = dice.randrange(4)
        if not numbers:
            return dice.choice(_ODD_NUMBERS)
        if how == 0 and numbers[index].isdigit():
            numbers[index] = b"%d" % (int(numbers[index]) + dice.choice((-1, 1, 2, 100, -100)))
        elif how == 1:
            numbers[index] = dice.choice(_ODD_NUMBERS)
        elif how == 2:
            numbers = numbers[:index]
        else:
            numbers += numbers[:2]
        return b" ".join(numbers).ljust(len(old))

    return _replace_group(dice, content, _RANGE, spoil)


def change_hole(dice: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """The hole is what no signature covers: here a forger is free."""

    def spoil(old: bytes) -> bytes:
        how = dice.randrange(5)
        place = dice.randrange(len(old))
        if how == 0:
            digit = dice.choice(b"0123456789abcdefABCDEF")
            return old[:place] + bytes([digit]) + old[place + 1 :]
        if how == 1:  # DER lengths and tags stand near its beginning
            place = 2 * dice.randrange(min(120, len(old) // 2))
            return old[:place] + b"%02x" % dice.randrange(256) + old[place + 2 :]
        if how == 2:
            return old.rstrip(b"0") + b"%x" % dice.randrange(1, 1 << 32) + old[len(old.rstrip(b"0")) + 8 :]
        if how == 3:
            donors = _HOLE.findall(dice.choice(others)) or [old]
            return dice.choice(donors)[: len(old)].ljust(len(old), b"0")
        return old.swapcase() if dice.random() < 0.3 else old[:place] + b" " + old[place + 1 :]

    return _replace_group(dice, content, _HOLE, spoil)


def reorder_revisions(dice: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    pieces = _revisions(content)
    how = dice.randrange(4)
    if how == 0:
        dice.shuffle(pieces)
    elif how == 1:
        del pieces[dice.randrange(len(pieces))]
    elif how == 2:
        pieces.insert(dice.randint(0, len(pieces)), dice.choice(pieces))
    else:
        pieces[dice.randrange(len(pieces))] = dice.choice(_revisions(dice.choice(others)))
    return b"".join(pieces) or content


def swap_object(dice: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """The body of one object in the place of another's, the offsets kept where that is possible."""
    found = list(_OBJECT.finditer(content))
    if not found:
        return content
    place, donor = dice.choice(found), dice.choice(found)
    body = dice.choice((donor[3], *_ODD_VALUES))
    return content[: place.start(3)] + body[: len(place[3])].ljust(len(place[3])) + content[place.end(3) :]


def append_revision(dice: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """A lawfully written revision that redefines an object, as a forger with a good tool would."""
    found = list(_OBJECT.finditer(content))
    starts = re.findall(rb"startxref\s+(\d+)", content)
    roots = re.findall(rb"/Root\s+(\d+ \d+ R)", content)
    if not found or not starts or not roots:
        return content
    place = dice.choice(found)
    number = place[1]
    body = dice.choice((change_name, change_number, change_reference))(
        dice, dice.choice((place, place, dice.choice(found)))[3], []
    )
    if dice.random() < 0.15:
        body = dice.choice(_ODD_VALUES)
    head = content + b"\n"
    table = len(head) + len(number) + len(body) + len(b" 0 obj") + len(b"endobj\n")
    form = b"%b%b 0 obj%bendobj\nxref\n%b 1\n%010d 00000 n \n"
    form += b"trailer\n<</Size 100000/Root %b/Prev %b>>\nstartxref\n%d\n%%%%EOF\n"
    return form % (head, number, body, number, len(head), roots[-1], starts[-1], table)


def append_anything(dice: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    tails = (
        b"\n",
        b"\0" * 9,
        b"%%EOF",
        b"\n%%EOF\n" * 3,
        dice.randbytes(40),
        b" ",
        dice.choice(_revisions(dice.choice(others))),
    )
    return content + dice.choice(tails)


MUTATIONS: tuple[Mutation, ...] = (
    flip_bit, flip_bit, scramble, cut, drop, double, splice, join, change_number, change_name, change_reference,
    change_range, change_hole, change_hole, reorder_revisions, swap_object, append_revision, append_revision,
    append_anything,
)  # fmt: skip


MIXING = {"splice", "join", "change_hole", "reorder_revisions", "append_anything"}
"""Ways that may bring pieces of other files along."""


def mutate(dice: random.Random, content: bytes, others: Sequence[bytes]) -> tuple[str, bytes]:
    """One file spoilt in one to three ways; gives the names of the ways and the new file."""
    ways = []
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        way = dice.choice(MUTATIONS)
        ways.append(way.__name__)
        content = way(dice, content, others) or b"%"
    return "+".join(ways), content


def _revisions(content: bytes) -> list[bytes]:
    ends = [found.end() for found in _END.finditer(content)]
    edges = [0, *ends, len(content)]
    return [content[start:stop] for start, stop in itertools.pairwise(edges) if stop > start]


def _replace_one(
    dice: random.Random, content: bytes, pattern: re.Pattern[bytes], spoil: Callable[[bytes], bytes]
) -> bytes:
    found = list(pattern.finditer(content))
    if not found:
        return content
    place = dice.choice(found)
    return content[: place.start()] + spoil(place[0]) + content[place.end() :]


def _replace_group(
    dice: random.Random, content: bytes, pattern: re.Pattern[bytes], spoil: Callable[[bytes], bytes]
) -> bytes:
    found = list(pattern.finditer(content))
    if not found:
        return content
    place = dice.choice(found)
    return content[: place.start(1)] + spoil(place[1]) + content[place.end(1) :]
