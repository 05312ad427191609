"""Examination: extracted data held against their expectations, and counted into a cube.

What fails is put aside (`quarantine`) before anything is searched; what passes is one scan away
from its series (`tasks.tables`) and from what is doubtful in it (`tasks.findings.quality`).
"""

from typing import TYPE_CHECKING

from tasks.analysis.quarantine import Quarantined, put_aside
from tasks.findings.quality import find_quality, missing_values
from tasks.tables.aggregation import scan_cube
from tasks.tables.conditions import Streamed
from tasks.tables.cube import Cube
from tasks.tables.expectations import all_expectations, check_frame, missing_columns
from tasks.tables.loading import carefully, load_relation
from tasks.tables.relation import connected, numpy_columns
from thirdshift.analysis import Analysis, Extracted, Failure
from thirdshift.findings import Finding
from thirdshift.settings import settings

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection


def examine(extracted: Extracted, analysis: Analysis) -> tuple[Cube, list[Finding]]:
    """Return the series of valid data, and findings on their quality.

    Raises Quarantined where an expectation does not hold; nothing else is touched then.
    """
    with connected() as connection:
        return carefully(
            lambda careful: _examined(extracted, analysis, connection, careful=careful)
        )


def _examined(
    extracted: Extracted, analysis: Analysis, connection: "DuckDBPyConnection", *, careful: bool
) -> tuple[Cube, list[Finding]]:
    table = load_relation(extracted, analysis, connection, careful=careful)
    _require(missing_columns(table, analysis), extracted, analysis)
    expectations = all_expectations(analysis)
    whole = table.rows < settings().analyst.whole_below
    streamed = Streamed(table, analysis, [] if whole else expectations)
    cube = scan_cube(table, analysis, connection, streamed.conditions)
    failures = streamed.failures(cube.counts, cube.rows, connection)
    frame = table.frame(connection) if whole else None
    if frame is not None:
        failures += check_frame(frame, expectations)
    if not cube.counted:
        failures.append(_no_rows(analysis))
    _require(failures, extracted, analysis)
    if frame is not None:
        return cube, _quality(frame, analysis)
    return cube, missing_values(streamed.unreadable(cube.counts), cube.rows)


def _require(failures: list[Failure], extracted: Extracted, analysis: Analysis) -> None:
    if failures:
        raise Quarantined(analysis, failures, put_aside(extracted, analysis, failures))


def _quality(frame: "pd.DataFrame", analysis: Analysis) -> list[Finding]:
    """Return what is wrong with the columns that matter."""
    columns = numpy_columns(frame, analysis)
    if not analysis.numbers:  # events may share their time and leave days out
        missing = {name: int(columns[name].isna().sum()) for name in analysis.columns}
        return missing_values(missing, len(columns))
    return find_quality(columns, analysis.time.column, analysis.dimensions)


def _no_rows(analysis: Analysis) -> Failure:
    reason = "some rows pass the filters and have a time; none does"
    return Failure(expectation="rows are there", column=analysis.time.column, reason=reason)
