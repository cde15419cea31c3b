"""A stage's work outside of any run: files and a workspace; ledger and storage refuse to be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from engine.pipeline.stage import Ledger, Work
from engine.vendors.protocols import Storage


class _Absent:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"this stage has no business with {name}")


def standalone_work(workspace: Path, *sources: Path, facts: dict[str, Any] | None = None) -> Work:
    workspace.mkdir(exist_ok=True)
    return Work(
        sources=sources,
        facts=facts or {},
        workspace=workspace,
        subject="test",
        ledger=cast(Ledger, _Absent()),
        storage=cast(Storage, _Absent()),
    )
