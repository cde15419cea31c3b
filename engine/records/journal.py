"""The journal (审计日志): append-only history of what happened to runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from engine.records.canonical import encode
from engine.records.database import Connection
from engine.records.statements import statements

_SQL = statements("journal")


async def append(connection: Connection, event: str, run_id: UUID | None, detail: dict[str, Any]) -> None:
    """Write an entry in the caller's transaction; it takes no lock that another transaction could wait for."""
    await connection.execute(_SQL["append"], {"event": event, "run": run_id, "detail": encode(detail)})
