"""Pins pipelines: a definition and the files it names go into records and storage, stages come out by digest."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import Defect
from engine.pipeline import definition as definitions
from engine.pipeline.definition import Definition
from engine.pipeline.resolution import Catalogue, resolve, with_resources
from engine.pipeline.stage import Stage
from engine.records import runs
from engine.records.database import Database
from engine.vendors.protocols import Storage


@dataclasses.dataclass(frozen=True, slots=True)
class _Pinned:
    definition: Definition
    stages: tuple[Stage, ...]


class Pins:
    """Resolved pipelines of this process by digest; a digest never means anything else later, so they are kept.

    ``folder``: where a remote storage puts the files that options name; they stay as long as this process.
    """

    def __init__(self, database: Database, storage: Storage, catalogue: Catalogue, folder: Path) -> None:
        self._database = database
        self._storage = storage
        self._catalogue = catalogue
        self._known: dict[str, _Pinned] = {}
        self._folder = folder

    async def pin(self, definition: Definition) -> str:
        """Check a pipeline read from a file, store it with the files it names, and give its digest.

        Raises Misuse ``pipeline.*`` before anything is stored.
        """
        complete = with_resources(definition, self._catalogue)
        folder = complete.folder or Path()
        files = {name: folder / name for name in complete.resources}
        resolve(complete, self._catalogue, files)
        for file in files.values():
            await self._storage.put(file)
        async with self._database.transaction() as connection:
            await runs.pin_pipeline(connection, complete.digest, complete.name, complete.version, complete.to_dict())
        return complete.digest

    async def stages(self, digest: str) -> tuple[Stage, ...]:
        """Stages of a pinned pipeline; raises Misuse when this installation lacks a stage or provider it names."""
        return (await self._load(digest)).stages

    def options(self, digest: str, ordinal: int) -> Mapping[str, Any]:
        """Options of a step with each file name replaced by the file's digest; ``stages`` must have been asked."""
        pinned = self._known[digest].definition
        options: Mapping[str, Any] = _with_digests(pinned.steps[ordinal].options, pinned.resources)
        return options

    async def _load(self, digest: str) -> _Pinned:
        if digest in self._known:
            return self._known[digest]
        async with self._database.transaction() as connection:
            record = await runs.pipeline_definition(connection, digest)
        if record is None:
            raise Defect(
                "pipeline.not_pinned",
                zh=f"记录中没有流程 {digest}。数据库可能不完整，请检查备份。",
                en=f"The records have no pipeline {digest}. The database may be incomplete; check the backup.",
                digest=digest,
            )
        definition = definitions.from_dict(record)
        self._folder.mkdir(parents=True, exist_ok=True)
        files = {name: await self._storage.get(content, self._folder) for name, content in definition.resources.items()}
        pinned = _Pinned(definition, resolve(definition, self._catalogue, files))
        self._known[digest] = pinned
        return pinned


def _with_digests(value: Any, resources: Mapping[str, str]) -> Any:
    """Options with each file name replaced by the file's digest, also inside tables."""
    if isinstance(value, Mapping):
        return {key: _with_digests(part, resources) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_with_digests(part, resources) for part in value]
    return resources.get(value, value) if isinstance(value, str) else value
