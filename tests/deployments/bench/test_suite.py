"""`thirdshift bench analyst`: all sides do the work that is compared."""

from pathlib import Path

import pytest

from deployments.bench.analyst import measure_analyst

pytestmark = pytest.mark.slow


def test_a_report_with_what_was_planted_is_held_against_a_bare_scan(home: Path) -> None:
    bare, whole, scan, imported = measure_analyst(home, 40_000, 1, lambda _: None)

    assert [bare["what"], whole["what"]] == ["duckdb", "report"]
    assert [scan["what"], imported["what"]] == ["duckdb imported", "report imported"]
    assert bare["ratio"] == scan["ratio"] == 1
    assert whole["ratio"] == pytest.approx(whole["s"] / bare["s"], rel=0.05)
    assert imported["ratio"] == pytest.approx(imported["s"] / scan["s"], rel=0.2)
    assert 0 < bare["peak MB"] <= whole["peak MB"]  # equal where the tests' own process is larger
    written = [*home.glob("reports/analyses/bench/*/report.md")]  # two, or one of that minute
    said = max(written, key=lambda file: file.stat().st_mtime).read_text()
    assert imported["CPU s"] > bare["CPU s"]
    assert "40,000 rows" in said
    assert "The level of revenue rose" in said and "2024-05-1" in said
    assert "returns was unusually high" in said
