"""Extracted data looked over and counted: what holds, what does not, and the series in them."""

from typing import TYPE_CHECKING

from tasks.analysis.quarantine import Quarantined, quarantine
from tasks.findings import find_quality
from tasks.tables.aggregation import scan
from tasks.tables.conditions import Streamed
from tasks.tables.cube import Cube
from tasks.tables.expectations import check, expected, missing_columns
from tasks.tables.loading import carefully, relation
from tasks.tables.relation import Relation, connected
from thirdshift.analysis import Analysis, Extracted, Failure
from thirdshift.findings import Finding, Quantity
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
    table = relation(extracted, analysis, connection, careful=careful)
    failures = missing_columns(table, analysis)
    if failures:
        raise Quarantined(analysis, failures, quarantine(extracted, analysis, failures))
    expectations = expected(analysis)
    whole = table.rows < settings().analyst.whole_below
    streamed = Streamed(table, analysis, [] if whole else expectations)
    cube = scan(table, analysis, connection, streamed.conditions)
    failures = streamed.failures(cube.counts, cube.rows, connection)
    frame = _frame(table, connection) if whole else None
    if frame is not None:
        failures += check(frame, expectations)
    if not cube.counted:
        failures.append(_nothing(analysis))
    if failures:
        raise Quarantined(analysis, failures, quarantine(extracted, analysis, failures))
    cube.notes += _notes(table, analysis, cube)
    quality = _unreadable(cube, analysis) if frame is None else _quality(frame, analysis)
    return cube, quality


def _frame(table: Relation, connection: "DuckDBPyConnection") -> "pd.DataFrame":
    """Return all rows and columns in memory, with Arrow types, in their order."""
    import pandas as pd

    connection.execute("SET preserve_insertion_order = true")
    names = [column.name for column in table.columns]
    arrow = connection.sql(table.select(names)).to_arrow_table()
    frame: pd.DataFrame = arrow.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def _quality(frame: "pd.DataFrame", analysis: Analysis) -> list[Finding]:
    """Return what is wrong with the columns that matter; a column at a time leaves Arrow."""
    kinds: dict[str, str] = dict.fromkeys(analysis.numbers, "float64")
    kinds[analysis.time.column] = "datetime64[us]"
    kinds |= dict.fromkeys(analysis.dimensions, "object")
    plain = frame[analysis.columns].astype(kinds)
    if not analysis.numbers:  # events may share their time and leave days out
        return [one for one in find_quality(plain) if one.method == "missing"]
    return find_quality(plain, analysis.time.column, analysis.dimensions)


def _unreadable(cube: Cube, analysis: Analysis) -> list[Finding]:
    found = []
    for name in [analysis.time.column, *analysis.numbers]:
        count = cube.counts[f"unreadable {name}"]
        if count:
            values = (
                Quantity(name="count", value=count),
                Quantity(name="percent", value=100 * count / cube.rows, unit="%"),
            )
            method = "missing"
            share = count / cube.rows
            found.append(
                Finding(kind="quality", measure=name, score=share, values=values, method=method)
            )
    return found


def _notes(table: Relation, analysis: Analysis, cube: Cube) -> list[str]:
    time = table.column(analysis.time.column)
    notes = []
    if time.format:
        notes.append(f"dates read as {time.format}")
    if time.doubtful and not analysis.time.format:
        notes.append("day and month could be the other way round: say `format` in the analysis")
    if cube.counted < cube.rows:
        notes.append(f"{cube.rows - cube.counted:,} rows left out: filtered, or without a time")
    return notes


def _nothing(analysis: Analysis) -> Failure:
    told = "some rows pass the filters and have a time; none does"
    return Failure(expectation="rows are there", column=analysis.time.column, said=told)
