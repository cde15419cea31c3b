"""``verify.py`` must run where nothing of ours and no new Python is."""

from __future__ import annotations

import ast
import sys
from collections import Counter

from engine.contracting.program import instructions, shell_program, verifier_program


def test_it_is_one_file_that_python_3_8_can_read() -> None:
    compile(ast.parse(verifier_program(), feature_version=(3, 8)), "verify.py", "exec")


def test_it_imports_the_standard_library_and_nothing_that_opens_a_connection() -> None:
    tree = ast.parse(verifier_program())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    roots = {name.partition(".")[0] for name in imported}
    assert roots <= set(sys.stdlib_module_names)
    assert not roots & {"socket", "ssl", "urllib", "http", "subprocess", "ctypes"}


def test_no_name_of_one_part_hides_that_of_another() -> None:
    names: Counter[str] = Counter()
    for node in ast.parse(verifier_program()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names[node.name] += 1
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    assert [name for name, count in names.items() if count > 1] == []


def test_shell_and_instructions_speak_both_languages() -> None:
    for content in (shell_program(), instructions()):
        text = content.decode()
        assert "验证" in text and "erif" in text
    assert shell_program().startswith(b"#!/bin/sh\n")
