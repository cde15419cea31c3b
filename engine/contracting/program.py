"""Puts the offline modules together into the one file that travels inside a bundle as ``verify.py``."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "offline"
_MODULES = ("encoding", "arithmetic", "certificates", "messages", "statements", "container", "verifier")
"""Each uses only those before it."""
_START = '\n\nif __name__ == "__main__":\n    raise SystemExit(main(sys.argv[1:]))\n'


@cache
def verifier_program() -> bytes:
    """Source of ``verify.py``: Python 3.8 or newer, standard library only."""
    bodies = [_body(name) for name in _MODULES]
    title = ast.get_docstring(ast.parse(_source(_MODULES[-1])))
    head = f'#!/usr/bin/env python3\n"""{title}\n"""\n\nfrom __future__ import annotations\n\n'
    return (head + "\n".join(bodies) + _START).encode("utf-8")


@cache
def shell_program() -> bytes:
    """Source of ``verify.sh``: a POSIX shell, coreutils, unzip and openssl."""
    return (_FOLDER / "verify.sh").read_bytes()


@cache
def instructions() -> bytes:
    """Words inside a bundle (``README.txt``): what it holds and how to check it, in Chinese and English."""
    return (_FOLDER / "README.txt").read_bytes()


def _source(name: str) -> str:
    return (_FOLDER / f"{name}.py").read_text("utf-8")


def _body(name: str) -> str:
    """A module without its docstring and without imports of modules that stand before it in the same file."""
    source = _source(name)
    lines = source.splitlines()
    tree = ast.parse(source)
    dropped = [tree.body[0]]
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("engine.", "__future__")):
            dropped.append(node)
    for node in dropped:
        for number in range(node.lineno - 1, node.end_lineno or node.lineno):
            lines[number] = ""
    return f"# --- {name} ---\n" + "\n".join(lines).strip() + "\n"
