"""The floors of the house: imports go down, never round; a breach that is planted is found."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from tests import draw_floors, floors


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Copy the five rooms, to plant something in."""
    for room in floors.ROOMS:
        copytree(
            floors.ROOT / room, tmp_path / room, ignore=ignore_patterns("__pycache__", "*.npz")
        )
    return tmp_path


def plant(file: Path, line: str) -> None:
    file.write_text(file.read_text("utf-8") + f"\n\ndef planted() -> None:\n    {line}\n", "utf-8")


def test_no_import_goes_round_in_a_circle() -> None:
    assert floors.circle(floors.graph()) == []


def test_a_planted_circle_is_found_though_it_is_lazy(house: Path) -> None:
    plant(house / "thirdshift" / "errors.py", "from thirdshift.settings import settings")

    assert set(floors.circle(floors.graph(house))) >= {"thirdshift.errors", "thirdshift.settings"}


RULES = [
    floors.misplaced,
    floors.upward,
    floors.fetching,
    floors.knowing,
    floors.busy_faces,
    floors.stuttering,
    floors.crowded,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.__name__))
def test_the_house_keeps_its_rules(rule: Callable[[Path], list[str]]) -> None:
    assert rule(floors.ROOT) == []


@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        ("tasks/text/decoding.py", "from tasks.memory.store import store", floors.upward),
        ("tasks/pages/markup.py", "from tasks.tables.cube import Cube", floors.upward),
        ("tasks/learning/weights/lora.py", "import tasks.learning.training.run", floors.upward),
        ("tasks/analysis/extraction/rows.py", "import tasks.analysis.archive", floors.upward),
        ("tasks/runs/gate.py", "from flows import ingest", floors.upward),
        ("deployments/services/server.py", "import deployments.cli.app", floors.upward),
        ("tasks/feedback/turns.py", "from tasks.web.fetch import fetch", floors.fetching),
        ("tasks/feedback/turns.py", "from tasks import web", floors.fetching),
        ("tasks/memory/store.py", "import httpx", floors.fetching),
        ("tasks/memory/store.py", "from prefect import flow", floors.knowing),
        ("tasks/findings/trend.py", "from thirdshift.settings import settings", floors.knowing),
        ("tasks/text/decoding.py", "from ..memory import store", floors.upward),
        ("tasks/memory/__init__.py", "return", floors.busy_faces),
    ],
)
def test_a_planted_breach_is_found(
    house: Path, file: str, line: str, rule: Callable[[Path], list[str]]
) -> None:
    plant(house / file, line)

    assert len(rule(house)) == 1


@pytest.mark.parametrize(
    ("file", "rule"),
    [
        ("tasks/flat.py", floors.misplaced),
        ("tasks/unplaced/module.py", floors.misplaced),
        ("tasks/unplaced/__init__.py", floors.misplaced),
        ("tasks/learning/unplaced/module.py", floors.misplaced),
        ("deployments/flat.py", floors.misplaced),
        ("tasks/web/web_browser.py", floors.stuttering),
        ("tasks/learning/training/fifteenth.py", floors.crowded),
    ],
)
def test_a_planted_file_is_found(house: Path, file: str, rule: Callable[[Path], list[str]]) -> None:
    (house / file).parent.mkdir(exist_ok=True)
    (house / file).write_text("")

    assert len(rule(house)) == 1


def test_the_picture_shows_the_imports_as_they_are() -> None:
    picture = draw_floors.FILE.read_text("utf-8")

    assert picture == draw_floors.svg(), "Draw it anew: python -m tests.draw_floors"
    assert 'class="up"' not in picture
