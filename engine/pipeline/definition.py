"""Reads pipeline files (流程定义) and pins them: TOML in, a value with a digest out; knows no stage class yet.

A pinned definition holds everything a run needs to end as it began: the stages with their options and the digests of
the files they name, so that a new version on disk never changes a document that is half way.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.canonical import canonical_json
from engine.errors import Misuse

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Step:
    """One ``[[stage]]`` table: the stage's name and its options as written."""

    use: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Definition:
    """A pipeline as written. ``place`` names the file in errors; ``folder`` is where its resource files lie."""

    name: str
    version: int
    steps: tuple[Step, ...]
    place: str
    title: str = ""
    folder: Path | None = None
    resources: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Canonical form: what is pinned in the records and what the digest is of."""
        return {
            "name": self.name,
            "version": self.version,
            "title": self.title,
            "stages": [{"use": step.use, "options": dict(step.options)} for step in self.steps],
            "resources": dict(self.resources),
        }

    @property
    def digest(self) -> str:
        return hashlib.sha256(canonical_json(self.to_dict())).hexdigest()


def from_dict(record: Mapping[str, Any]) -> Definition:
    """Inverse of ``Definition.to_dict`` for a pinned record."""
    return Definition(
        name=record["name"],
        version=record["version"],
        title=record.get("title", ""),
        steps=tuple(Step(use=stage["use"], options=stage["options"]) for stage in record["stages"]),
        place=f"{record['name']} v{record['version']}",
        resources=record["resources"],
    )


def load_definition(file: Path) -> Definition:
    """Read one pipeline file; raises Misuse ``pipeline.*`` naming file, stage and key."""
    place = str(file)
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misuse(
            "pipeline.unreadable",
            zh=f"无法读取流程文件 {place}：{error}。",
            en=f"The pipeline file {place} cannot be read: {error}.",
            file=place,
        ) from error
    _refuse_unknown(table, {"pipeline", "stage"}, place)
    head = table.get("pipeline", {})
    _refuse_unknown(head, {"name", "version", "title"}, f"{place} [pipeline]")
    name, version = head.get("name"), head.get("version")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _malformed(place, "pipeline.name", "小写字母、数字和连字符", "lower-case letters, digits and hyphens")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise _malformed(place, "pipeline.version", "正整数", "a positive whole number")
    stages = table.get("stage", [])
    if not isinstance(stages, list) or not stages:
        raise _malformed(place, "[[stage]]", "至少一个阶段", "at least one stage")
    steps = tuple(_read_step(stage, number, place) for number, stage in enumerate(stages, 1))
    return Definition(name, version, steps, place, title=str(head.get("title", "")), folder=file.resolve().parent)


def find_definition(name: str, folders: Iterable[Path]) -> Path:
    """File of the pipeline ``name``: a path to a TOML file, or ``<name>.toml`` in the first folder that has it.

    Raises Misuse ``pipeline.unknown`` listing the names there are.
    """
    folders = tuple(folders)
    if name.endswith(".toml") and Path(name).is_file():
        return Path(name)
    for folder in folders:
        if (folder / f"{name}.toml").is_file():
            return folder / f"{name}.toml"
    known = ", ".join(sorted({file.stem for folder in folders for file in folder.glob("*.toml")})) or "-"
    raise Misuse(
        "pipeline.unknown",
        zh=f"没有名为“{name}”的流程。现有流程：{known}。",
        en=f"There is no pipeline '{name}'. There are: {known}.",
        name=name,
    )


def _read_step(stage: object, number: int, place: str) -> Step:
    if not isinstance(stage, dict) or not isinstance(stage.get("use"), str):
        raise _malformed(place, f"stage {number} use", "阶段名称", "the name of a stage")
    return Step(use=stage["use"], options={key: value for key, value in stage.items() if key != "use"})


def _refuse_unknown(table: object, known: set[str], place: str) -> None:
    unknown = sorted(set(table) - known) if isinstance(table, dict) else ["?"]
    if unknown:
        names = ", ".join(unknown)
        raise Misuse(
            "pipeline.unknown_key",
            zh=f"{place}：不认识的键 {names}。可用：{', '.join(sorted(known))}。",
            en=f"{place}: unknown key {names}. Known keys: {', '.join(sorted(known))}.",
            place=place,
            key=names,
        )


def _malformed(place: str, key: str, zh: str, en: str) -> Misuse:
    return Misuse(
        "pipeline.malformed",
        zh=f"{place}：{key} 应为{zh}。",
        en=f"{place}: {key} must be {en}.",
        place=place,
        key=key,
    )
