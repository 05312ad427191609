"""Names carry a noun: words for whatever is at hand may not live longer than three lines."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import floors

DIALECT = {"one", "said", "told", "found", "made", "kept", "given"}
LONGEST = 3  # lines from a name's first place to its last
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef | ast.Module
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def lasting(path: Path) -> list[str]:
    """Return the names of the dialect that live too long in a file, each with its line."""
    tree = ast.parse(path.read_text("utf-8"))
    scopes = [node for node in ast.walk(tree) if isinstance(node, Scope)]
    return [f"{line}: {name}" for scope in scopes for name, line in _lasting_in(scope)]


def _lasting_in(scope: Scope) -> Iterator[tuple[str, int]]:
    """Yield names that a scope binds; fields of a class and globals live as long as it does."""
    lines: dict[str, list[int]] = {}
    for name, line in _places(scope):
        lines.setdefault(name, []).append(line)
    for name in _bound(scope) & DIALECT & lines.keys():
        first, last = min(lines[name]), max(lines[name])
        forever = isinstance(scope, ast.ClassDef | ast.Module)
        if forever or last - first + 1 > LONGEST:
            yield name, first


def _places(scope: Scope) -> Iterator[tuple[str, int]]:
    for node in ast.walk(scope):
        if isinstance(node, ast.Name):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno


def _bound(scope: Scope) -> set[str]:
    """Return what a scope itself binds: arguments and assignments, not those of scopes within."""
    names: set[str] = set()
    if not isinstance(scope, ast.ClassDef | ast.Module):
        arguments = scope.args
        listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        names |= {
            argument.arg for argument in [*listed, arguments.vararg, arguments.kwarg] if argument
        }
    steps: list[ast.AST] = list(scope.body) if isinstance(scope.body, list) else [scope.body]
    while steps:
        node = steps.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if not isinstance(node, Scope):
            steps += ast.iter_child_nodes(node)
    return names


@pytest.mark.parametrize("path", floors.modules(floors.ROOT).values(), ids=floors.dotted)
def test_no_word_of_the_dialect_lives_long(path: Path) -> None:
    assert lasting(path) == []


def test_a_planted_word_is_found(tmp_path: Path) -> None:
    lines = ["def f(said: int) -> int:", "    a = 1", "    b = 2", "    return said"]
    planted = tmp_path / "planted.py"
    planted.write_text("\n".join(lines))
    assert lasting(planted) == ["1: said"]

    planted.write_text("\n".join(lines[:2] + lines[3:]))
    assert lasting(planted) == []

    planted.write_text("class Row:\n    told: str\n")
    assert lasting(planted) == ["2: told"]
