"""Expectations: the conditions in SQL of large tables say what Great Expectations does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.analysis.examination import examine
from tasks.analysis.extraction.extract import extract
from tasks.analysis.quarantine import Quarantined
from thirdshift.analysis import Analysis

pytestmark = pytest.mark.slow

HEAD = "date,price,count,city,note\n"
ROWS = """2026-03-01,1.5,1,Kyoto,café
2026-03-02,,2,kyoto,
2026-03-03,0,3,京都,a|b
2026-03-04,-2.25,4,Kyoto,it's
2026-03-05,1e3,5,,x
2026-03-06,10,,東京都,"long, with a comma"
2026-03-07,10.0,7,Kyoto ,%
"""
TIMES = 300  # of seven rows: a table of this size can be either
NUMBER, WORD = {"column": "price"}, {"column": "city"}
EXPECTATIONS: list[tuple[str, dict[str, Any]]] = [
    ("column_values_to_not_be_null", NUMBER),
    ("column_values_to_not_be_null", WORD | {"mostly": 0.8}),
    ("column_values_to_not_be_null", {"column": "date"}),
    ("column_values_to_be_between", NUMBER | {"min_value": 0}),
    ("column_values_to_be_between", NUMBER | {"min_value": 0, "strict_min": True}),
    ("column_values_to_be_between", NUMBER | {"max_value": 10, "strict_max": True}),
    ("column_values_to_be_between", NUMBER | {"min_value": -3, "max_value": 1000}),
    ("column_values_to_be_between", NUMBER | {"min_value": 0, "mostly": 0.8}),
    ("column_values_to_be_between", NUMBER | {"min_value": 0, "mostly": 0.9}),
    ("column_values_to_be_in_set", WORD | {"value_set": ["Kyoto", "京都"]}),
    ("column_values_to_be_in_set", WORD | {"value_set": []}),
    ("column_values_to_be_in_set", {"column": "note", "value_set": ["it's", "x"]}),
    ("column_values_to_be_in_set", {"column": "count", "value_set": [1, 2, 3]}),
    ("column_values_to_not_be_in_set", WORD | {"value_set": ["Kyoto"]}),
    ("column_values_to_not_be_in_set", WORD | {"value_set": ["Osaka"]}),
    ("column_values_to_not_be_in_set", WORD | {"value_set": []}),
    ("column_values_to_match_regex", WORD | {"regex": "yoto"}),
    ("column_values_to_match_regex", WORD | {"regex": "^Kyoto$"}),
    ("column_values_to_match_regex", WORD | {"regex": "(?i)^kyoto"}),
    ("column_values_to_match_regex", {"column": "note", "regex": r"[|%']"}),
    ("column_value_lengths_to_be_between", WORD | {"min_value": 3}),
    ("column_value_lengths_to_be_between", WORD | {"max_value": 5, "strict_max": True}),
    ("table_row_count_to_be_between", {"min_value": 7 * TIMES + 1}),
    ("table_row_count_to_be_between", {"min_value": 7 * TIMES, "max_value": 7 * TIMES}),
]


def failures(file: Path, given: list[dict[str, Any]]) -> set[tuple[str, str, tuple[int, ...]]]:
    analysis = Analysis.model_validate(
        {
            "name": "sales",
            "folder": file.parent,
            "title": "Sales",
            "source": {"kind": "csv", "path": str(file)},
            "time": {"column": "date"},
            "measures": [{"column": "count"}],
            "expectations": given,
        }
    )
    try:
        examine(extract(analysis), analysis)
    except Quarantined as put_aside:
        return {
            (one.expectation, one.reason.rpartition("; ")[2], tuple(one.rows))
            for one in put_aside.failures
        }
    return set()


def test_sql_and_great_expectations_find_the_same_rows(
    tmp_path: Path, override: Callable[..., None]
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(HEAD + TIMES * ROWS)
    given = [{"expect": name, **arguments} for name, arguments in EXPECTATIONS]

    whole = failures(file, given)
    override(ANALYST__WHOLE_BELOW=1000)
    streamed = failures(file, given)

    assert len(whole) >= 10
    assert streamed - whole == set()
    assert whole - streamed == set()
