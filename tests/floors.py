"""The house as a graph: which module imports which, and what its floors forbid.

Each rule takes the root of a checkout and returns its breaches, so that a planted one can be shown
to be found. Every import counts: lazy ones, and those for type checkers.
"""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("thirdshift", "tasks", "agents", "flows", "deployments")  # each imports those before it
Graph = Mapping[str, set[str]]


def modules(root: Path) -> dict[str, Path]:
    """Return the files of the five rooms by dotted name; a package's face has the package's."""
    files = [path for room in ROOMS for path in (root / room).rglob("*.py")]
    return {dotted(path, root): path for path in sorted(files)}


def dotted(path: Path, root: Path = ROOT) -> str:
    """Return a file's module name: tasks/web/page.py is tasks.web.page."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def graph(root: Path = ROOT) -> dict[str, set[str]]:
    """Return which modules of ours each module imports, anywhere in it."""
    known = modules(root)
    return {name: (set(imported(path)) & known.keys()) - {name} for name, path in known.items()}


def imported(path: Path) -> Iterator[str]:
    """Yield what a file imports: the module, and each name as if it were a module too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def circle(graph: Graph) -> list[str]:
    """Return the modules of a circle of imports, in its order; none where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []
