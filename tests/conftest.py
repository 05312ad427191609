"""Every test lives in a home of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from thirdshift.settings import settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Move everything the product keeps into a temporary folder."""
    monkeypatch.setenv("THIRDSHIFT_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()
