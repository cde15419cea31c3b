"""Writes docs/errors.md from the code: every error and finding with its words; words made at run time show as ….

``python .ci/errors.py`` writes the file, ``python .ci/errors.py --check`` fails when it is not what would be written.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "errors.md"
CLASSES = ("Misuse", "Rejected", "Unavailable", "Defect", "Conflict", "StaleClaim", "InDoubt")
_KEYS = ("engine/trust/keys.py", "_refuse")
_VALUES = ("engine/pdf/values.py", "_fault")
_UNFIT = ("", "unfit")  # in any file
PREFIXES = {_KEYS: "keys.", _UNFIT: "keys."}
"""Functions that put an area before the reason they are given."""
FRAMES = {
    _KEYS: ("密钥 … 不能使用：{}。", "The key … cannot be used: {}."),
    _UNFIT: ("密钥 … 不能使用：{}。", "The key … cannot be used: {}."),
    _VALUES: ("控件“…”{}。", "The control … {}."),
}
"""Functions that put a sentence around the words they are given."""
RAISERS = {
    _KEYS: "Misuse",
    _UNFIT: "Misuse",
    _VALUES: "Rejected",
    ("engine/pdf/values.py", "Fault"): "Rejected",
    ("engine/trust/signing.py", "KeyLost"): "Conflict",
}
"""Functions that raise a class of the tree for the code they are given."""
INTRODUCTION = """\
# Errors and findings

Every error has a stable code, `area.reason`; programs read it with `--json`, people read the sentence. Its class
decides what becomes of a run and of the command. This list is written by `python .ci/errors.py`; a test holds it to the code.

| class | 意思 | meaning | exit status | the run |
|---|---|---|---|---|
| Misuse | 命令、设置或流程文件有误 | the command, the settings or a pipeline file is wrong | 64 | a few tries, then parked |
| Rejected | 文件或填写内容有误 | the document or its data is wrong | 65 | ended, final |
| Unavailable | 所需服务暂时不可用 | a service is away | 69 | tried again, ever later, without end |
| Defect | 程序错误 | a fault of ours | 70 | a few tries, then parked |
| Conflict, StaleClaim | 他人正在处理或更早完成 | somebody else holds it or was faster | 75 | tried again later, or goes on elsewhere |
| InDoubt | 不可撤销的操作可能已经发生 | an irrevocable act may have happened | 75 | parked: a person decides |
| finding | 验证结论，不是错误 | what `verify` found; no error | | |

What to do with a parked run: [operations.md](operations.md).
"""  # noqa: E501  # rows of a table cannot be broken


class Entry(NamedTuple):
    """One place in the code that says something under a code."""

    code: str
    kind: str
    zh: str
    en: str


def list_entries() -> list[Entry]:
    """Every code of engine and plugins, sorted."""
    found = set()
    for folder in ("engine", "plugins"):
        for file in (ROOT / folder).rglob("*.py"):
            found |= set(_read(file))
    found.add(
        Entry(
            "value.several", "Rejected", "（多项填写内容有误，逐一列出）", "(several values are wrong; each is named)"
        )
    )
    return sorted(found)


def _read(file: Path) -> Iterator[Entry]:
    place = file.relative_to(ROOT).as_posix()
    tree = ast.parse(file.read_text("utf-8"))
    named = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        first = node.args[0] if node.args else None
        first = named.get(first.id) if isinstance(first, ast.Name) else first
        if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
            continue
        if "zh" in given and "en" in given:
            zh, en = _words(given["zh"]), _words(given["en"])
        else:  # given by position: the Chinese one is followed by the English one
            words = [text for one in node.args[1:] if (text := _words(one))]
            zh = next((text for text in words if re.search("[\u4e00-\u9fff]", text)), "")
            en = words[words.index(zh) + 1] if zh and zh != words[-1] else ""
        if not (zh and en):
            continue
        function = _UNFIT if name == _UNFIT[1] else (place, name)
        code = PREFIXES.get(function, "") + first.value
        if re.fullmatch(r"[a-z]+(\.[a-z_]+)?", code) and ("." in code or name in CLASSES):
            kind = name if name in CLASSES else RAISERS.get(function, "finding")
            frames = FRAMES.get(function, ("{}", "{}"))
            yield Entry(code, kind, frames[0].format(zh), frames[1].format(en))


def _words(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
        return re.sub("…[… ]*…", "…", "".join(parts))
    if isinstance(node, ast.BinOp):
        return (_words(node.left) or "…") + (_words(node.right) or "…")
    return "…" if isinstance(node, ast.Call | ast.Name | ast.Attribute) else ""


def form_page(entries: list[Entry]) -> str:
    """The whole page."""
    grouped: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        grouped[entry.code].append(entry)
    lines = [INTRODUCTION, "| code | class | 中文 | English |", "|---|---|---|---|"]
    for code, same in sorted(grouped.items()):
        kinds = "/".join(sorted({entry.kind for entry in same}))
        zh, en = ("<br>".join(dict.fromkeys(_cell(entry[index]) for entry in same)) for index in (2, 3))
        lines.append(f"| `{code}` | {kinds} | {zh} | {en} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;").strip()


if __name__ == "__main__":
    page = form_page(list_entries())
    if "--check" in sys.argv:
        sys.exit(TARGET.read_text("utf-8") != page)
    TARGET.write_text(page, "utf-8")
