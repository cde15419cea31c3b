"""Carries out one step: gathers inputs, calls the stage, holds its output to what the stage declared, stores it."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.canonical import canonical_json
from engine.errors import Defect, Rejected, Unavailable
from engine.pipeline.stage import Effect, Facts, Ledger, Partly, Paused, Stage, Work, select_facts
from engine.vendors.protocols import Storage

_CHUNK = 1024 * 1024
_ROOM = 32 * 1024 * 1024
"""Bytes that must be free for work to begin and for an error of a document to be believed."""
_NAME_LIMIT = 200
"""Bytes; file systems take 255, and a stage may add an ending."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step left behind: digests of its files and the facts it adds; ``partly``: it goes on from there."""

    outputs: tuple[str, ...]
    facts: Facts
    partly: bool = False


def checkpoint_key(stage: Stage, options: Mapping[str, Any], inputs: tuple[str, ...], facts: Facts) -> str:
    """Digest of all that the output of a stage may depend on; ``options`` with file names replaced by digests."""
    content = {
        "stage": stage.name,
        "version": stage.version,
        "options": dict(options),
        "inputs": list(inputs),
        "facts": select_facts(stage.reads, facts),
    }
    return hashlib.sha256(canonical_json(content)).hexdigest()


async def perform(
    stage: Stage,
    inputs: tuple[str, ...],
    facts: Facts,
    *,
    subject: str,
    ledger: Ledger,
    storage: Storage,
    progress: Callable[[int, int], None],
    names: tuple[str, ...] = (),
) -> Outcome | Paused:
    """Run a stage on stored files and store what it made.

    ``names``: what people call the inputs, in order, so that an error names a file as they know it. Raises what the
    stage raises, and Defect ``stage.broke_promise`` when an appending or signing stage changed bytes that were there
    before.
    """
    with work_folder() as folder:
        workspace = folder / "work"
        workspace.mkdir()
        stored = [await storage.get(digest, folder) for digest in inputs]
        sources = tuple(_named(folder, stored, names)) if names else tuple(stored)
        work = Work(sources, select_facts(stage.reads, facts), workspace, subject, ledger, storage, progress)
        result = await stage.run(work)
        if isinstance(result, Paused):
            return result
        if result.outputs is None:
            return Outcome(inputs, result.facts)
        if stage.effect is not Effect.REWRITES:
            await asyncio.to_thread(refuse_changed_bytes, stage.name, sources, result.outputs)
        stored_outputs = tuple([await storage.put(path) for path in result.outputs])
        return Outcome(stored_outputs, result.facts, isinstance(result, Partly))


@contextmanager
def work_folder() -> Iterator[Path]:
    """A folder for one step, removed afterwards; raises Unavailable ``disk.full`` when its disk has no room.

    A full disk makes parsers fail in ways that look like the document's fault, so an error on such a disk is not
    believed: the run must not be rejected for good because of this machine.
    """
    with tempfile.TemporaryDirectory(prefix="sealflow-") as folder:
        _refuse_when_full(folder)
        try:
            yield Path(folder)
        except (Rejected, Defect) as error:
            _refuse_when_full(folder, error)
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _full(folder) from error
            raise


def _refuse_when_full(folder: str, cause: Exception | None = None) -> None:
    if shutil.disk_usage(folder).free < _ROOM:
        raise _full(folder) from cause


def _full(folder: str) -> Unavailable:
    place, free = Path(folder).parent, shutil.disk_usage(folder).free // 2**20
    return Unavailable(
        "disk.full",
        zh=f"临时目录 {place} 所在磁盘空间不足（剩余 {free} MiB）。请清理或用 TMPDIR 指定其他目录；系统稍后会重试。",
        en=f"The disk of the temporary folder {place} is too full ({free} MiB free). Make room or name another folder "
        "with TMPDIR; it will be tried again.",
        folder=str(place),
        free_mb=free,
    )


def _named(folder: Path, files: Sequence[Path], names: Sequence[str]) -> Iterator[Path]:
    """Links to the files that bear people's names; each in a folder of its own, for two may be called the same."""
    for number, (file, name) in enumerate(zip(files, names, strict=True), 1):
        link = folder / str(number) / _safe(name)
        link.parent.mkdir()
        link.symlink_to(file.absolute())
        yield link


def _safe(name: str) -> str:
    """A name from outside as one path component: no separators, no control characters, not too long for a disk."""
    plain = "".join(sign for sign in name if sign.isprintable() and sign not in "/\\")
    short = plain.encode("utf-8", "ignore")[-_NAME_LIMIT:].decode("utf-8", "ignore")
    return short if short.strip(". ") else "document"


def refuse_changed_bytes(name: str, before: tuple[Path, ...], after: tuple[Path, ...]) -> None:
    """Raise Defect ``stage.broke_promise`` unless each file starts with its predecessor, byte for byte."""
    if len(before) == len(after) and all(map(_starts_with, after, before)):
        return
    raise Defect(
        "stage.broke_promise",
        zh=f"阶段 {name} 改动了已有内容，其结果已被丢弃，原文件未受影响。请联系维护人员。",
        en=f"The stage {name} changed bytes that it may only append to; its result was dropped and the file is "
        "unharmed. Report this.",
        stage=name,
    )


def _starts_with(longer: Path, beginning: Path) -> bool:
    with longer.open("rb") as new, beginning.open("rb") as old:
        while chunk := old.read(_CHUNK):
            if new.read(len(chunk)) != chunk:
                return False
    return True
