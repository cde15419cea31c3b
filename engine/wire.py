"""How calls and results cross the border between our process and its limited children: frames of msgpack."""

from __future__ import annotations

import asyncio
import functools
import importlib
import struct
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

FRAME_LIMIT = 256 * 1024 * 1024
HEADER = struct.Struct(">BI")


class Frame(IntEnum):
    """Kinds of frame; REQUEST goes to the child, ENDED comes from the server and carries the child's wait status."""

    REQUEST = 0
    PROGRESS = 1
    RESULT = 2
    ERROR = 3
    ENDED = 4


def encode(value: object) -> bytes:
    """Plain values, dataclasses, Structs and Path as msgpack."""
    return msgspec.msgpack.encode(value, enc_hook=_encode_path)


def decode(body: bytes, kind: Any) -> Any:
    """Inverse of ``encode`` for a type annotation."""
    return msgspec.msgpack.decode(body, type=kind, dec_hook=_decode_path)


def convert(value: object, kind: Any) -> Any:
    """Give an already decoded plain value the type of an annotation."""
    return msgspec.convert(value, kind, dec_hook=_decode_path)


def frame(kind: Frame, body: bytes) -> bytes:
    """One frame: kind, length, body."""
    return HEADER.pack(kind, len(body)) + body


async def read_frame(reader: asyncio.StreamReader) -> tuple[Frame, bytes]:
    """Next frame; raises IncompleteReadError when the other side is gone or sends more than it may."""
    kind, length = HEADER.unpack(await reader.readexactly(HEADER.size))
    if length > FRAME_LIMIT:
        raise asyncio.IncompleteReadError(b"", length)
    return Frame(kind), await reader.readexactly(length)


def name_of(function: Callable[..., Any]) -> str:
    """``module:qualified name`` of a module-level function."""
    return f"{function.__module__}:{function.__qualname__}"


def resolve(name: str) -> Callable[..., Any]:
    """Inverse of ``name_of``."""
    module, _, attribute = name.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return function


@functools.cache
def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Types of a function's parameters and result."""
    return get_type_hints(function)


def _encode_path(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} cannot cross to a limited child")


def _decode_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"{kind} cannot come back from a limited child")
