"""The floors of the house: imports go down, never round; a breach that is planted is found."""

from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from tests import floors


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
