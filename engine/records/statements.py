"""SQL by name: a file in ``sql/`` holds blocks that start with ``-- name: words`` and end where the next one starts."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def statements(area: str) -> dict[str, str]:
    """Blocks of ``sql/<area>.sql`` by name; they are constants of ours, never built from data."""
    text = (files("engine.records") / "sql" / f"{area}.sql").read_text("utf-8")
    blocks = (block.partition("\n") for block in text.split("-- name: ")[1:])
    return {name.strip(): body.strip() for name, _, body in blocks}
