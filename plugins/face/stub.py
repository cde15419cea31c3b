"""A stand-in for a face check: looks at no face; the outcome comes from settings or from ``decide``."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from engine.errors import Rejected
from engine.vendors.hooks import hookimpl
from engine.vendors.protocols import FaceCheck, FaceResult, FaceState, Person

_LIFE = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class StubFaceSettings:
    """``outcome``: what every check comes to by itself; ``pending`` waits for ``decide``."""

    outcome: Literal["passed", "failed", "pending"] = "passed"


class StubFace:
    """Keeps each check in ``<home>/stub-face``; its id follows from the key, so a repeated start is the same."""

    development_only = True

    def __init__(self, settings: StubFaceSettings, home: Path) -> None:
        self._outcome = settings.outcome
        self._folder = home / "stub-face"

    async def start(self, person: Person, purpose: str, digest: str, key: str) -> FaceCheck:
        if person.document != "resident_id":
            raise Rejected(
                "face.person",
                zh="人脸核身只支持居民身份证。请改走人工审核。",
                en="The face check knows resident identity cards only. Use the manual review instead.",
                document=person.document,
            )
        record = {
            "purpose": purpose,
            "digest": digest,
            "state": self._outcome,
            "started_at": datetime.now(UTC).isoformat(),
        }
        check = hashlib.sha256(key.encode()).hexdigest()[:32]
        kept = await asyncio.to_thread(self._keep, check, record)
        expires = datetime.fromisoformat(kept["started_at"]) + _LIFE
        return FaceCheck(id=check, url=f"sealflow-stub-face:{check}", expires_at=expires)

    async def result(self, id: str) -> FaceResult:
        record = await asyncio.to_thread(self._read, id)
        state, began = FaceState(record["state"]), datetime.fromisoformat(record["started_at"])
        if state is FaceState.PENDING and datetime.now(UTC) > began + _LIFE:
            state = FaceState.EXPIRED
        return FaceResult(
            state=state,
            purpose=record["purpose"],
            digest=record["digest"],
            checked_at=None if state is FaceState.PENDING else began,
            reason="the stand-in was told to fail" if state is FaceState.FAILED else None,
            evidence=json.dumps({"stand_in": True, **record}, ensure_ascii=False).encode(),
        )

    async def decide(self, id: str, state: Literal["passed", "failed"]) -> None:
        """Settle a check as if the person had stood before the camera; not part of the Protocol."""
        record = await asyncio.to_thread(self._read, id)
        await asyncio.to_thread(self._write, self._place(id), record | {"state": state})

    def _keep(self, check: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / secrets.token_hex(16)
        self._write(draft, record)
        try:
            self._place(check).hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return self._read(check)

    def _read(self, check: str) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(self._place(check).read_text("utf-8"))
        except FileNotFoundError:
            raise Rejected(
                "face.missing",
                zh=f"没有编号为 {check} 的人脸核身。请重新发起。",
                en=f"There is no face check {check}. Begin a new one.",
                check=check,
            ) from None
        return record

    def _write(self, place: Path, record: Mapping[str, Any]) -> None:
        place.write_text(json.dumps(record, ensure_ascii=False), "utf-8")

    def _place(self, check: str) -> Path:
        return self._folder / f"{hashlib.sha256(check.encode()).hexdigest()}.json"


@hookimpl
def sealflow_face_verifiers() -> Mapping[str, type[StubFace]]:
    """Offer ``stub-face``."""
    return {"stub-face": StubFace}
