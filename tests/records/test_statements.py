"""Every named statement is used, and every used name exists."""

import ast
from pathlib import Path

import pytest

from engine.records.statements import statements

ENGINE = Path(__file__).parents[2] / "engine"
AREAS = sorted(file.stem for file in (ENGINE / "records" / "sql").glob("*.sql"))


def names_used(tree: ast.Module) -> set[tuple[str, str]]:
    """(area, name) of ``statements("area")["name"]``, also through a module constant and in loops over names."""
    area_of, used = {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and (area := called_area(node.value)):
            area_of[ast.unparse(node.targets[0])] = area
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            area = called_area(node.value) or area_of.get(ast.unparse(node.value))
            if area and isinstance(node.slice, ast.Constant):
                used.add((area, node.slice.value))
        if isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple):
            words = [element.value for element in node.iter.elts if isinstance(element, ast.Constant)]
            used |= {(area, word) for area in area_of.values() for word in words}
    return used


def called_area(node: ast.expr) -> str | None:
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "statements" and isinstance(node.args[0], ast.Constant):
        return str(node.args[0].value)
    return None


USED = {
    pair
    for file in ENGINE.rglob("*.py")
    if "statements" in (text := file.read_text("utf-8"))
    for pair in names_used(ast.parse(text))
}


@pytest.mark.parametrize("area", AREAS)
def test_every_statement_is_used_and_every_used_one_exists(area: str):
    assert set(statements(area)) == {name for used_area, name in USED if used_area == area}


@pytest.mark.parametrize("area", AREAS)
def test_statements_are_sql_without_the_name_of_the_next(area: str):
    for name, text in statements(area).items():
        assert text, name
        assert "-- name" not in text


def test_an_unknown_area_is_a_fault_at_import_not_in_the_night():
    with pytest.raises(FileNotFoundError):
        statements("nothing")
