"""Plugins written on the spot: a module's source becomes an installed entry point."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

Install = Callable[..., EntryPoint]

PREAMBLE = """
from __future__ import annotations
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar
from engine.vendors.hooks import hookimpl

class Memory:
    async def put(self, source: Path) -> str: return ""
    async def get(self, digest: str, workspace: Path) -> Path: return workspace
    async def digests(self, stored_before: datetime) -> AsyncIterator[str]:
        for digest in (): yield digest
    async def delete(self, digest: str) -> None: ...
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Write a module and give the entry point that an installed package would have for it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    written: list[str] = []

    def write(source: str, name: str = "acme") -> EntryPoint:
        module = f"plugin_under_test_{name}_{len(written)}".replace("-", "_")
        (tmp_path / f"{module}.py").write_text(PREAMBLE + textwrap.dedent(source), "utf-8")
        written.append(module)
        return EntryPoint(name, module, "sealflow.plugins")

    yield write
    for module in written:
        sys.modules.pop(module, None)
