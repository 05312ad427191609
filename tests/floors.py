"""The house as a graph: which module imports which, and what its floors forbid.

Each rule takes the root of a checkout and returns its breaches, so that a planted one can be shown
to be found. Every import counts: lazy ones, and those for type checkers.
"""

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("thirdshift", "tasks", "agents", "flows", "deployments")  # each imports those before it
Graph = Mapping[str, set[str]]
Floors = tuple[set[str], ...]

FLOORS: Floors = (  # of tasks/: a room imports those on lower floors only, never one beside it
    {"text", "machine", "findings"},
    {"models", "pages", "tables"},
    {"web", "documents", "grounding"},
    {"memory"},
    {"feedback", "runs"},
    {"reports"},
    {"analysis", "newsroom", "learning"},
)
HOUSES: dict[str, Floors] = {  # "" are a room's own files
    "tasks": FLOORS,
    "tasks.learning": ({"weights", "curation"}, {"training"}, {"evaluation"}, {""}),
    "tasks.analysis": ({"extraction"}, {""}),
    "deployments": (
        {"catalogue", "environment"},
        {"runner", "bench", "triggered", "review"},
        {"services"},
        {"status", "shift"},
        {"cli"},
    ),
}
MAY_FETCH = {"analysis", "newsroom"}  # besides tasks.web itself
HTTP = {"aiohttp", "http.client", "httpcore", "httpx", "requests", "socket", "urllib.request"}
PRIVATE = tuple(  # rooms of the owner's own texts, which speak to nobody
    f"tasks.{room}." for room in ("documents", "memory", "feedback", "grounding", "text", "pages")
)


def modules(root: Path) -> dict[str, Path]:
    """Return the files of the five rooms by dotted name; a package's face has the package's."""
    files = [path for room in ROOMS for path in (root / room).rglob("*.py")]
    return {dotted(path, root): path for path in sorted(files)}


def dotted(path: Path, root: Path = ROOT) -> str:
    """Return a file's module name: tasks/web/page.py is tasks.web.page."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def graph(root: Path = ROOT) -> dict[str, set[str]]:
    """Return which modules of ours each module imports, anywhere in it."""
    known = modules(root)
    return {name: set(_imported(path, known)) - {name} for name, path in known.items()}


def _imported(path: Path, known: Collection[str]) -> Iterator[str]:
    """Yield which of the known modules a file imports; what a face hands on is the face's."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in known)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, path)
            names = [f"{module}.{name.name}" for name in node.names]
            yield from {name if name in known else module for name in names} & set(known)


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    """Return the module that is imported from, a relative one seen from its file."""
    if not node.level:
        return node.module or ""
    top = next(folder for folder in path.parents if folder.name in ROOMS).parent
    package = path.relative_to(top).parent.parts
    return ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])


def circle(graph: Graph) -> list[str]:
    """Return the modules of a circle of imports, in its order; none where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def misplaced(root: Path) -> list[str]:
    """Return what stands on no floor of its house: a flat file in tasks/, a room nobody placed."""
    return sorted(
        {
            f"{house}.{room}"
            for house, floors in HOUSES.items()
            for room in _rooms(root / house.replace(".", "/"), own="" in _names(floors))
            if room not in _names(floors)
        }
    )


def _rooms(folder: Path, own: bool) -> Iterator[str]:
    """Yield the rooms in a folder; its own files are rooms too, unless they stand on a floor."""
    for path in folder.iterdir():
        if path.is_dir() and any(path.rglob("*.py")):
            yield path.name
        elif path.suffix == ".py" and path.name != "__init__.py" and not own:
            yield path.stem


def upward(root: Path) -> list[str]:
    """Return imports that do not go to a strictly lower floor, and do not stay in their room."""
    pairs = [(name, other) for name, others in graph(root).items() for other in others]
    return sorted(f"{name} -> {other}" for name, other in pairs if _climbs(name, other))


def _climbs(module: str, other: str) -> bool:
    """Tell whether an import goes up, or to a neighbour on the same floor."""
    here, there = module.split("."), other.split(".")
    if here[0] != there[0]:
        return ROOMS.index(there[0]) > ROOMS.index(here[0])
    for house, floors in HOUSES.items():
        room, target = _room(module, house), _room(other, house)
        if room != target and not {None} & {room, target}:
            here_on, there_on = _floor(floors, room), _floor(floors, target)
            if here_on is not None and there_on is not None and here_on <= there_on:
                return True
    return False


def _room(module: str, house: str) -> str | None:
    """Return the room of a house in which a module stands: "" for the house's own files."""
    if not module.startswith(f"{house}."):
        return None
    parts = module.removeprefix(f"{house}.").split(".")
    own = len(parts) == 1 and "." in house
    return "" if own and parts[0] not in _names(HOUSES[house]) else parts[0]


def _names(floors: Floors) -> set[str]:
    return {room for floor in floors for room in floor}


def _floor(floors: Floors, room: str | None) -> int | None:
    return next((at for at, floor in enumerate(floors) if room in floor), None)


def fetching(root: Path) -> list[str]:
    """Return modules of tasks/ that reach the web, by our room or past it, and may not."""
    allowed = (*(f"tasks.{room}." for room in MAY_FETCH), "tasks.web.")
    names = [name for name in modules(root) if name.startswith("tasks.")]
    past = [name for name in names if HTTP & _libraries(modules(root)[name])]
    web = [
        name
        for name in names
        if any(f"{other}.".startswith("tasks.web.") for other in graph(root)[name])
    ]
    return [name for name in web if not name.startswith(allowed)] + [
        name for name in past if name.startswith(PRIVATE)
    ]


def knowing(root: Path) -> list[str]:
    """Return what knows too much: of Prefect below runs, of anything but records in findings."""
    below = [room for floor in FLOORS[: FLOORS.index({"feedback", "runs"})] for room in floor]
    rooms = tuple(f"tasks.{room}." for room in (*below, "feedback"))
    orchestrated = [
        name
        for name, path in modules(root).items()
        if name.startswith(rooms) and "prefect" in _libraries(path)
    ]
    records = {"thirdshift.findings", "thirdshift.records", "thirdshift.errors"}
    return orchestrated + [
        f"{name} -> {other}"
        for name, others in graph(root).items()
        if name.startswith("tasks.findings.")
        for other in others
        if other not in records and not other.startswith("tasks.findings.")
    ]


def _libraries(path: Path) -> set[str]:
    """Return the packages a file imports, ours among them."""
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    names: set[str] = set()
    for node in tree:
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names | {name.split(".")[0] for name in names}


def busy_faces(root: Path) -> list[str]:
    """Return packages whose `__init__.py` defines something, or is longer than 20 lines."""
    faces = {name: path for name, path in modules(root).items() if path.name == "__init__.py"}
    return [name for name, path in faces.items() if not _is_face(path.read_text("utf-8"))]


def _is_face(text: str) -> bool:
    docstring, *steps = ast.parse(text).body
    listing = all(isinstance(step, ast.ImportFrom) or _is_all(step) for step in steps)
    return isinstance(docstring, ast.Expr) and listing and len(text.splitlines()) <= 20


def _is_all(step: ast.stmt) -> bool:
    return isinstance(step, ast.Assign) and ast.unparse(step.targets[0]) == "__all__"


def stuttering(root: Path) -> list[str]:
    """Return modules that repeat their folder's name: training/training_run."""
    pairs = [name.split(".")[-2:] for name in modules(root) if "." in name]
    return [f"{folder}.{name}" for folder, name in pairs if name.startswith(folder)]


def crowded(root: Path) -> list[str]:
    """Return rooms with more than 14 modules of their own: the next one asks for a room within."""
    files = [path.parent for path in modules(root).values() if path.name != "__init__.py"]
    rooms = Counter(folder.relative_to(root).as_posix() for folder in files)
    return [f"{room}: {count}" for room, count in rooms.items() if count > 14]
