"""The rules of the house, checked on the syntax trees: rooms, names, sizes and boundaries."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ["thirdshift", "tasks", "agents", "flows", "deployments"]  # each imports those before it
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.path.expandvars", "Path.home"}
HOME = {"expanduser"}
MAY_SET_ENVIRONMENT = {  # of themselves and their children
    f"deployments/{name}.py" for name in ("environment", "services/server", "runner/standby")
}
Function = ast.FunctionDef | ast.AsyncFunctionDef

each_module = pytest.mark.parametrize(
    "path", MODULES, ids=[path.relative_to(ROOT).as_posix() for path in MODULES]
)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def imports(path: Path) -> Iterator[str]:
    """Yield the absolute dotted names a module imports, anywhere in it."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join([*base, *filter(None, [node.module])])


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            yield node


def shown(path: Path, node: ast.stmt | ast.expr | ast.excepthandler) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


@each_module
def test_rooms_import_only_downwards(path: Path) -> None:
    above = set(ROOMS[ROOMS.index(room(path)) + 1 :])
    assert not {name for name in imports(path) if name.split(".")[0] in above}


@each_module
def test_flows_never_import_flows(path: Path) -> None:
    if room(path) == "flows":
        assert not {name for name in imports(path) if name.split(".")[0] == "flows"}


@each_module
def test_no_module_takes_the_name_of_another_package(path: Path) -> None:
    """Prefect's file entrypoints put a room itself on sys.path: its modules become top-level.

    What lies deeper does not; there only names of the standard library would be misread.
    """
    first, *deeper = [part.removesuffix(".py") for part in path.relative_to(ROOT).parts[1:]]
    assert first not in sys.stdlib_module_names | set(ROOMS) | {"datasets"} | locked_packages()
    assert not set(deeper) & sys.stdlib_module_names


@cache
def locked_packages() -> frozenset[str]:
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    locked = {package["name"] for package in lock["package"]} - {"thirdshift"}
    return frozenset(
        name
        for name, owners in packages_distributions().items()
        if any(re.sub(r"[-_.]+", "-", owner).lower() in locked for owner in owners)
    )


def test_datasets_hold_no_python() -> None:
    assert not list((ROOT / "datasets").rglob("*.py"))


@each_module
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path))


@each_module
def test_every_signature_is_typed(path: Path) -> None:
    for function in functions(path):
        given = function.args
        named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        untyped = [arg.arg for arg in named if arg and not arg.annotation]
        assert set(untyped) <= {"self", "cls"}, shown(path, function)
        assert function.returns, shown(path, function)


@each_module
def test_only_settings_reads_the_environment_or_the_users_home(path: Path) -> None:
    if path == ROOT / "thirdshift" / "settings.py":
        return
    nodes = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)]
    asked = [node for node in nodes if ast.unparse(node) in ENVIRONMENT or node.attr in HOME]
    if path.relative_to(ROOT).as_posix() in MAY_SET_ENVIRONMENT:
        asked = [node for node in asked if ast.unparse(node) != "os.environ"]
    assert not [shown(path, node) for node in asked]
    assert not {"environ", "getenv", "environb"} & set(imported_names(path, "os"))


def imported_names(path: Path, module: str) -> list[str]:
    found = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom)]
    return [name.name for node in found if node.module == module for name in node.names]


@each_module
def test_no_error_is_swallowed(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type, f"bare except at {shown(path, node)}"
            broad = {"Exception", "BaseException"} & {
                name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)
            }
            idle = all(isinstance(step, ast.Pass | ast.Continue) for step in node.body)
            assert not (broad and idle), shown(path, node)


def test_no_tracked_file_names_a_path_of_a_developers_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    private = re.compile(rb"(?<![\w./])/(home|Users|root|work)/(?!you\b|me\b)\w|/tmp/\w/")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    texts = {path: path.read_bytes() for path in files if path.is_file()}
    assert not [path for path, text in texts.items() if b"\0" not in text and private.search(text)]


def test_functions_are_short() -> None:
    lengths = [
        (function.end_lineno or 0) - function.lineno + 1
        for path in MODULES
        for function in functions(path)
    ]
    assert median(lengths) <= 10
    assert quantiles(lengths, n=10)[8] <= 35


@each_module
def test_modules_are_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 300
