"""Draw docs/images/floors.svg from the imports: `python -m tests.draw_floors`.

A row a floor, a box a room with its number of modules, an arrow where a room imports another and
no longer way of arrows leads there too (transitive reduction). thirdshift, which everybody
imports, has no arrows.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.floors import FLOORS, HOUSES, ROOT, graph

FILE = ROOT / "docs" / "images" / "floors.svg"
WIDTH, ROW, HEIGHT, GAP, LEFT = 1000, 92, 40, 14, 110  # px
Box = tuple[float, float, float]  # left, top, width

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #222; text-anchor: middle; }
.floor { font-size: 11px; fill: #777; text-anchor: start; } .count { font-size: 10px; fill: #777; }
rect.room { fill: #f4efe4; stroke: #b9ad94; } rect.page { fill: #fdfcf9; }
path { fill: none; stroke: #a08c62; stroke-width: 1; opacity: .55; } .up { stroke: #c0392b; }
@media (prefers-color-scheme: dark) {
  text { fill: #eee; } .floor, .count { fill: #aaa; } rect.page { fill: #1d1c1a; }
  rect.room { fill: #33302a; stroke: #6b6353; } path { stroke: #c9b380; }
}
""".strip()


def rows() -> list[tuple[str, list[str]]]:
    """Return the rows from the top: the floor's name and its rooms, by dotted name."""
    doors = [(f"deployments {at}", floor) for at, floor in enumerate(HOUSES["deployments"], 1)]
    above = [(name, sorted(f"deployments.{room}" for room in floor)) for name, floor in doors]
    below = [
        (f"tasks {at}", sorted(f"tasks.{room}" for room in floor))
        for at, floor in enumerate(FLOORS, 1)
    ]
    return [*above[::-1], ("", ["flows"]), ("", ["agents"]), *below[::-1], ("", ["thirdshift"])]


def room_of(module: str) -> str:
    """Return the room in which a module stands: tasks.web of tasks.web.page."""
    top, _, rest = module.partition(".")
    return f"{top}.{rest.split('.')[0]}" if top in ("tasks", "deployments") and rest else top


def arrows() -> set[tuple[str, str]]:
    """Return which room imports which, without what others imply."""
    pairs = {
        (room_of(name), room_of(other)) for name, others in graph().items() for other in others
    }
    drawn = {room for _, rooms in rows() for room in rooms} - {"thirdshift"}
    direct = {room: set[str]() for room in drawn}
    for room, other in pairs:
        if room != other and {room, other} <= drawn:
            direct[room].add(other)
    return {(room, other) for room in drawn for other in _not_implied(room, direct)}


def _not_implied(room: str, direct: dict[str, set[str]]) -> set[str]:
    """Return the rooms that a room imports and that nothing else it imports leads to."""
    implied: set[str] = set()
    ahead = [further for other in direct[room] for further in direct[other]]
    while ahead:
        other = ahead.pop()
        if other not in implied:
            implied.add(other)
            ahead += direct[other]
    return direct[room] - implied


def boxes() -> dict[str, Box]:
    """Return the place of each room."""
    places: dict[str, Box] = {}
    for at, (_, rooms) in enumerate(rows()):
        width = min((WIDTH - LEFT - GAP * len(rooms)) / len(rooms), 190)
        used = len(rooms) * (width + GAP) - GAP
        aside = (at % 3 - 1) * 40  # else arrows run behind the boxes between
        start = LEFT + (WIDTH - LEFT - GAP - used) / 2 + aside
        for number, room in enumerate(rooms):
            places[room] = (start + number * (width + GAP), GAP + at * ROW, width)
    return places


def svg() -> str:
    """Return the picture."""
    places = boxes()
    height = len(rows()) * ROW - ROW + HEIGHT + 2 * GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">'
    lines = [head, f"<style>{STYLE}</style>"]
    lines.append(f'<rect class="page" width="{WIDTH}" height="{height}"/>')
    lines += (_arrow(places[room], places[other]) for room, other in sorted(arrows()))
    lines += (line for room, box in places.items() for line in _room(room, box))
    for at, (name, _) in enumerate(rows()):
        middle = GAP + at * ROW + HEIGHT / 2 + 4
        lines.append(f'<text class="floor" x="{GAP}" y="{middle:.0f}">{name}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _arrow(box: Box, other: Box) -> str:
    x, y = box[0] + box[2] / 2, box[1] + HEIGHT
    to_x, to_y = other[0] + other[2] / 2, other[1]
    bend = (to_y - y) / 2
    climbs = ' class="up"' if to_y <= y else ""
    curve = f"M{x:.0f},{y:.0f} C{x:.0f},{y + bend:.0f} {to_x:.0f},{to_y - bend:.0f}"
    return f'<path{climbs} d="{curve} {to_x:.0f},{to_y:.0f}"/>'


def _room(room: str, box: Box) -> Iterator[str]:
    left, top, width = box
    middle = left + width / 2
    size = f'width="{width:.0f}" height="{HEIGHT}" rx="6"'
    yield f'<rect class="room" x="{left:.0f}" y="{top}" {size}/>'
    name = room.removeprefix("tasks.").removeprefix("deployments.")
    yield f'<text x="{middle:.0f}" y="{top + 18}">{name}</text>'
    count = _modules()[room]
    noun = "module" if count == 1 else "modules"
    yield f'<text class="count" x="{middle:.0f}" y="{top + 32}">{count} {noun}</text>'


@cache
def _modules() -> Counter[str]:
    """Return how many modules a room has, faces not counted."""
    faces = {name for name in graph() if (ROOT / name.replace(".", "/")).is_dir()}
    return Counter(room_of(name) for name in graph() if name not in faces)


if __name__ == "__main__":
    Path(FILE).write_text(svg(), "utf-8")
