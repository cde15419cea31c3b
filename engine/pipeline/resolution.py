"""Turns a definition into stages: checks names, options and the order of effects, and injects what stages need."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from engine.errors import Misuse
from engine.pipeline.definition import Definition, Step
from engine.pipeline.stage import Effect, Stage

Providers = Callable[[type, str], object]
"""Gives the provider of a vendor Protocol by its name; raises Misuse for an unknown one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything a pipeline file can name or a stage can need.

    ``stages``: stage classes by name. ``services``: the engine's own instances by type. ``protocols``: vendor
    Protocols whose fields name a provider, ``providers`` to get one.
    """

    stages: Mapping[str, type[Stage]]
    services: Mapping[type, object]
    protocols: frozenset[type] = frozenset()
    providers: Providers | None = None


def with_resources(definition: Definition, catalogue: Catalogue) -> Definition:
    """Add the digests of the files that options name, read from the folder of the pipeline file.

    Raises Misuse ``pipeline.resource`` for a file that is missing or lies outside that folder.
    """
    found: dict[str, str] = {}
    for number, step in enumerate(definition.steps, 1):
        kind = _stage_class(step, number, definition.place, catalogue)
        for name, value in named_files(kind, step.options):
            file = _resource_file(definition, value, f"{definition.place}, stage {number} ({step.use}), {name}")
            found[value] = hashlib.sha256(file.read_bytes()).hexdigest()
    return dataclasses.replace(definition, resources=found)


def resolve(definition: Definition, catalogue: Catalogue, resources: Mapping[str, Path]) -> tuple[Stage, ...]:
    """Build the stages of a pipeline; ``resources`` gives the local file for each path an option names.

    Raises Misuse ``pipeline.unknown_stage``, ``pipeline.unknown_option``, ``pipeline.bad_option`` or
    ``pipeline.rewrites_after_signature``, each naming file, stage and key.
    """
    stages = tuple(
        build_stage(
            _stage_class(step, number, definition.place, catalogue),
            step.options,
            catalogue,
            resources,
            place=f"{definition.place}, stage {number} ({step.use})",
        )
        for number, step in enumerate(definition.steps, 1)
    )
    _refuse_rewrites_after_signature(stages, definition.place)
    return stages


def build_stage(
    kind: type[Stage], options: Mapping[str, Any], catalogue: Catalogue, resources: Mapping[str, Path], *, place: str
) -> Stage:
    """Construct one stage from plain option values (strings, numbers, tables)."""
    hints = get_type_hints(kind)
    arguments: dict[str, Any] = {}
    open_options = dict(options)
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]  # every stage is a dataclass; its Protocol cannot say so
        annotation, option = hints[item.name], item.name.rstrip("_")
        if annotation in catalogue.services:
            arguments[item.name] = catalogue.services[annotation]
        elif option in open_options:
            value = open_options.pop(option)
            arguments[item.name] = _option_value(value, annotation, catalogue, resources, f"{place}, {option}")
        elif _is_required(item):
            raise _missing_option(option, place)
    if open_options:
        raise _unknown_option(sorted(open_options)[0], option_names(kind, catalogue), place)
    try:
        return kind(**arguments)
    except ValueError as error:  # a stage's own check of how its options fit together
        raise _bad_option(place, error) from error


def option_names(kind: type[Stage], catalogue: Catalogue) -> list[str]:
    """Names of the options of a stage as a pipeline file spells them."""
    hints = get_type_hints(kind)
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]  # as above
    return [item.name.rstrip("_") for item in fields if hints[item.name] not in catalogue.services]


def _stage_class(step: Step, number: int, place: str, catalogue: Catalogue) -> type[Stage]:
    kind = catalogue.stages.get(step.use)
    if kind is None:
        known = ", ".join(sorted(catalogue.stages))
        raise Misuse(
            "pipeline.unknown_stage",
            zh=f"{place}，第 {number} 个阶段：没有名为“{step.use}”的阶段。"
            f"{_hint_zh(step.use, catalogue.stages)}可用：{known}。",
            en=f"{place}, stage {number}: there is no stage '{step.use}'. "
            f"{_hint_en(step.use, catalogue.stages)}Known: {known}.",
            place=place,
            stage=step.use,
        )
    return kind


def _option_value(
    value: Any, annotation: Any, catalogue: Catalogue, resources: Mapping[str, Path], place: str
) -> object:
    if annotation in catalogue.protocols and catalogue.providers is not None:
        return catalogue.providers(annotation, str(value))
    if (table := _table_of(annotation)) is not None and isinstance(value, list | tuple):
        return tuple(
            _build_table(table, entry, catalogue, resources, f"{place} {number}")
            for number, entry in enumerate(value, 1)
        )
    if _names_path(annotation):
        if isinstance(value, str):
            return resources[value]
        annotation = Union[tuple(part for part in get_args(annotation) if not _names_path(part)) or (str,)]  # noqa: UP007  # made at run time
    try:
        return msgspec.convert(value, annotation, strict=True)
    except msgspec.ValidationError as error:
        raise _bad_option(place, error) from error


def _names_path(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, types.UnionType):
        return any(_names_path(part) for part in get_args(annotation))
    return annotation is Path


def named_files(kind: Any, options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Option and value wherever the options of a stage name a file, also inside the tables of a list."""
    hints = get_type_hints(kind)
    for item in dataclasses.fields(kind):
        option, annotation = item.name.rstrip("_"), hints[item.name]
        value = options.get(option)
        if _names_path(annotation) and isinstance(value, str):
            yield option, value
        elif (table := _table_of(annotation)) is not None and isinstance(value, list | tuple):
            for entry in value:
                yield from named_files(table, entry if isinstance(entry, Mapping) else {})


def _table_of(annotation: Any) -> Any:
    """The dataclass of an option that is a list of tables, each with options of its own."""
    kind = get_args(annotation)[0] if get_origin(annotation) is tuple else None
    return kind if dataclasses.is_dataclass(kind) else None


def _build_table(kind: Any, entry: Any, catalogue: Catalogue, resources: Mapping[str, Path], place: str) -> object:
    hints, known = get_type_hints(kind), {item.name.rstrip("_"): item for item in dataclasses.fields(kind)}
    if not isinstance(entry, Mapping):
        raise _bad_option(place, ValueError("a table is expected"))
    for key in entry:
        if key not in known:
            raise _unknown_option(key, list(known), place)
    arguments = {
        known[key].name: _option_value(value, hints[known[key].name], catalogue, resources, f"{place}, {key}")
        for key, value in entry.items()
    }
    for name, item in known.items():
        if name not in entry and _is_required(item):
            raise _missing_option(name, place)
    built: object = kind(**arguments)
    return built


def _is_required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _resource_file(definition: Definition, relative: str, place: str) -> Path:
    path = PurePosixPath(relative)
    if definition.folder is not None and not path.is_absolute() and ".." not in path.parts:
        file = definition.folder / path
        if file.is_file():
            return file
    raise Misuse(
        "pipeline.resource",
        zh=f"{place}：找不到文件 {relative}。它必须位于流程文件所在文件夹内。",
        en=f"{place}: there is no file {relative}. It must lie in the folder of the pipeline file.",
        place=place,
        file=relative,
    )


def _refuse_rewrites_after_signature(stages: tuple[Stage, ...], place: str) -> None:
    signed_by = ""
    for number, stage in enumerate(stages, 1):
        if stage.effect is Effect.SIGNS:
            signed_by = stage.name
        elif stage.effect is Effect.REWRITES and signed_by:
            raise Misuse(
                "pipeline.rewrites_after_signature",
                zh=f"{place}，第 {number} 个阶段（{stage.name}）会改写文件，不能排在 {signed_by} 之后。"
                "请把它移到首个签名之前。",
                en=f"{place}, stage {number} ({stage.name}) rewrites the file and cannot come after {signed_by}. "
                "Move it before the first signature.",
                place=place,
                stage=stage.name,
            )


def _unknown_option(option: str, known: list[str], place: str) -> Misuse:
    names = ", ".join(known) or "-"
    return Misuse(
        "pipeline.unknown_option",
        zh=f"{place}：不认识的选项 {option}。{_hint_zh(option, known)}可用：{names}。",
        en=f"{place}: unknown option {option}. {_hint_en(option, known)}Known: {names}.",
        place=place,
        key=option,
    )


def _missing_option(option: str, place: str) -> Misuse:
    return Misuse(
        "pipeline.missing_option",
        zh=f"{place}：缺少选项 {option}。",
        en=f"{place}: the option {option} is missing.",
        place=place,
        key=option,
    )


def _bad_option(place: str, error: Exception) -> Misuse:
    return Misuse("pipeline.bad_option", zh=f"{place}：{error}。", en=f"{place}: {error}.", place=place)


def _hint_zh(name: str, known: Mapping[str, Any] | list[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"是否指 {near[0]}？" if near else ""


def _hint_en(name: str, known: Mapping[str, Any] | list[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]}? " if near else ""
