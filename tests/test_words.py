"""Names carry a noun: words for whatever is at hand may not live longer than three lines."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import floors

DIALECT = {"one", "said", "told", "found", "made", "kept", "given"}
LONGEST = 3  # lines from a name's first place to its last
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Scope = Function | Comprehension | ast.ClassDef | ast.Module


def lasting(path: Path) -> list[str]:
    """Return the names of the dialect that live too long in a file, each with its line."""
    tree = ast.parse(path.read_text("utf-8"))
    scopes = [node for node in ast.walk(tree) if isinstance(node, Scope)]
    return [f"{line}: {name}" for scope in scopes for name, line in _lasting_in(scope)]


def _lasting_in(scope: Scope) -> Iterator[tuple[str, int]]:
    """Yield names that a scope binds; fields and names of a class or module live as long as it."""
    lines: dict[str, list[int]] = {}
    for node in ast.walk(scope):
        for name in _names(node):
            lines.setdefault(name, []).append(node.lineno)  # type: ignore[attr-defined]
    for name in _bound(scope) & DIALECT & lines.keys():
        first, last = min(lines[name]), max(lines[name])
        forever = isinstance(scope, ast.ClassDef | ast.Module)
        if forever or last - first + 1 > LONGEST:
            yield name, first


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node writes: read or bound, caught, matched, imported, defined."""
    match node:
        case ast.Name(id=name) | ast.arg(arg=name):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield name
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.alias(name=name, asname=asname):
            yield asname or name
        case ast.Attribute(attr=name, ctx=ast.Store()):
            yield name


def _bound(scope: Scope) -> set[str]:
    """Return what a scope itself binds: all but what scopes within it do."""
    names = {name for node in _own(scope) if _binds(node) for name in _names(node)}
    if isinstance(scope, ast.ClassDef | ast.Module):
        return names | {field for node in ast.walk(scope) for field in _fields(node)}
    return names


def _own(scope: Scope) -> Iterator[ast.AST]:
    steps: list[ast.AST] = list(ast.iter_child_nodes(scope))
    while steps:
        node = steps.pop()
        yield node
        if not isinstance(node, Scope):
            steps += ast.iter_child_nodes(node)


def _binds(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):  # of the object, not of the function that sets it
        return False
    return not isinstance(node, ast.Name) or isinstance(node.ctx, ast.Store)


def _fields(node: ast.AST) -> Iterator[str]:
    """Yield what is set of an object: `self.said = …`."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr


@pytest.mark.parametrize("path", floors.modules(floors.ROOT).values(), ids=floors.dotted)
def test_no_word_of_the_dialect_lives_long(path: Path) -> None:
    assert lasting(path) == []


@pytest.mark.parametrize(
    "line",
    [
        "said = 1",
        "print(said := 1)",
        "for said in (): pass",
        "with open(f) as said: pass",
        "import os as said",
        "def said(): pass",
    ],
)
def test_a_planted_word_is_found(tmp_path: Path, line: str) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(f"def f():\n    {line}\n    a = 1\n    b = 2\n    return said\n")
    assert lasting(planted) == ["2: said"]

    planted.write_text(f"def f():\n    {line}\n    return said\n")
    assert lasting(planted) == []


@pytest.mark.parametrize(
    "block",
    [
        "try:\n        a = 1\n    except OSError as said:\n        a\n        b\n        said",
        "match a:\n        case [said]:\n            a\n            b\n            said",
        "def g(said):\n        a\n        b\n        return said",
    ],
)
def test_a_word_that_is_caught_matched_or_an_argument_is_found(tmp_path: Path, block: str) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(f"def f():\n    {block}\n")
    assert len(lasting(planted)) == 1


@pytest.mark.parametrize(
    "line", ["told: str", "def told(self): pass", "def f(self): self.told = 1"]
)
def test_a_field_lives_as_long_as_its_class(tmp_path: Path, line: str) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(f"class Row:\n    {line}\n")
    assert lasting(planted)


def test_what_two_comprehensions_call_alike_is_two_names(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("def f(a):\n    x = [one for one in a]\n\n\n\n    y = {one for one in a}\n")
    assert lasting(planted) == []
