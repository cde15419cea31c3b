"""What a person sees at the terminal: tables, progress and errors; plain JSON when asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text as Plain

from engine.errors import Rejected, SealflowError
from engine.language import Text
from engine.records.runs import Run

output = Console(highlight=False)
errors = Console(stderr=True, highlight=False)
_SHANGHAI = ZoneInfo("Asia/Shanghai")

json_option = click.option(
    "--json", "as_json", is_flag=True, help=str(Text(zh="以 JSON 输出，供程序读取。", en="Print JSON for programs."))
)

values_option = click.option(
    "--values",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=str(Text(zh="控件填写内容（JSON 文件）。", en="JSON file with the values of the controls.")),
)
label_option = click.option("--label", default="", help=str(Text(zh="显示名称。", en="Name to show.")))
files_argument = click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def print_table(columns: Sequence[Text], rows: Iterable[Sequence[str]]) -> None:
    """Rows under headings, folded to the width of the terminal; the first column is for copying and stays whole."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(str(column), no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(Plain, row))  # a file may be called [/]: to Rich that would be markup
    output.print(table)


def print_indented(line: str) -> None:
    """One line two columns in, folded so that it stays there."""
    output.print(Padding(Plain(line), (0, 0, 0, 2), expand=False))


def report(error: SealflowError, *, as_json: bool = False) -> None:
    """An error: what happened and what to do on standard error; as JSON on standard output when asked for."""
    if as_json:
        print_json({"error": error.to_dict()})
        return
    errors.print(f"[red]{Text(zh='错误', en='Error')}[/red] [bold]{error.code}[/bold]", soft_wrap=True)
    errors.print(str(error), markup=False)


def local_time(instant: datetime) -> str:
    """A time as people in China read it, with its offset."""
    return instant.astimezone(_SHANGHAI).strftime("%Y-%m-%d %H:%M:%S %z")


def read_json(path: Path | None) -> dict[str, Any]:
    """Read a JSON object from a file; raises Rejected ``values.unreadable``."""
    if path is None:
        return {}
    return parse_object(path, read_text(path))


def read_text(path: Path) -> str:
    """Text of a file in UTF-8, with a byte order mark or without; raises Rejected ``values.unreadable``."""
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable_values(path, str(error)) from error


def parse_object(path: Path, text: str, where: str = "") -> dict[str, Any]:
    """A JSON object that records can keep; raises Rejected ``values.unreadable`` naming file and place."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_twins)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no character
    except (ValueError, RecursionError) as error:
        raise unreadable_values(path, f"{where}{error}") from error
    if not isinstance(value, dict):
        raise unreadable_values(path, f"{where}{Text(zh='应为 JSON 对象', en='a JSON object is expected')}")
    return value


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name given twice has two values; taking the last would put one of them into a contract unseen."""
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = ", ".join(dict.fromkeys(name for name in names if names.count(name) > 1))
        raise ValueError(str(Text(zh=f"名称重复：{twice}", en=f"given twice: {twice}")))
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def unreadable_values(path: Path, reason: str) -> Rejected:
    """Error for a file of values that is not what it should be."""
    return Rejected(
        "values.unreadable",
        zh=f"无法读取填写内容 {path}：{reason}。请提供 UTF-8 编码的 JSON。",
        en=f"The values in {path} cannot be read: {reason}. Give JSON in UTF-8.",
        file=str(path),
    )


class Bars:
    """Observer that shows a run as a progress bar: one line for the run, its current stage named."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def stage_started(self, run: Run, ordinal: int, total: int, stage: str) -> None:
        task = self._task(run, total)
        self._progress.update(task, description=f"{run.label} · {stage}", completed=ordinal)

    def stage_progress(self, run: Run, done: int, total: int) -> None:
        if str(run.id) in self._tasks and total:
            self._progress.update(self._tasks[str(run.id)], completed=run.cursor + done / total)

    def stage_finished(self, run: Run, ordinal: int, total: int, stage: str) -> None:  # noqa: ARG002  # the bar shows it
        self._progress.update(self._task(run, total), completed=ordinal + 1)

    def _task(self, run: Run, total: int) -> TaskID:
        key = str(run.id)
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(run.label, total=total)
        return self._tasks[key]


@contextmanager
def bars(*, visible: bool) -> Iterator[Bars]:
    """Progress bars on standard error while work goes on; nothing where no terminal watches."""
    with _progress(TextColumn("{task.completed:.0f}/{task.total:.0f}"), visible=visible) as progress:
        yield Bars(progress)


@contextmanager
def counter(description: str, *, visible: bool) -> Iterator[Callable[[int, int | None], None]]:
    """One bar for long work: call what it gives with how much is done, and of how much when that is known."""
    with _progress(MofNCompleteColumn(), visible=visible) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _progress(count: ProgressColumn, *, visible: bool) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        count,
        TimeElapsedColumn(),
        console=errors,
        disable=not (visible and errors.is_terminal),
    )


def run_summary(run: Run) -> Mapping[str, Any]:
    """A run as programs read it."""
    return {
        "id": str(run.id),
        "label": run.label,
        "state": run.phase,
        "waiting_for": run.waiting_for,
        "facts": {key: value for key, value in run.facts.items() if key in PUBLIC_FACTS},
        "error": run.error,
        "sources": run.sources,
        "files": run.head,
        "created_at": run.created_at.isoformat(),
        "updated_at": run.updated_at.isoformat(),
    }


PUBLIC_FACTS = frozenset({"level_requested", "level_achieved", "conformance", "signatures_dropped", "pages"})
"""Facts that may appear in listings; values people filled in are not among them."""
