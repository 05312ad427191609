"""The cells of the OLAP cube, as SQL: sums by step of time and dimension, in one scan.

The scan yields a small table, known as `cells` to what asks it; sums over time alone are those
of the first dimension's cells, as every row has one. Rows whose time cannot be read are counted,
and in no series.
"""

from collections.abc import Sequence

from tasks.tables.columns import quoted
from tasks.tables.relation import Relation, filter_condition
from thirdshift.analysis import (
    ROWS,
    Analysis,
    Frequency,
    Measure,
)


def moment(table: Relation, analysis: Analysis) -> str:
    """Return SQL for the time of a row."""
    return f"({table.typed(analysis.time.column)})::TIMESTAMP"


def scanned(table: Relation, analysis: Analysis, frequency: Frequency, count: Sequence[str]) -> str:
    """Return SQL that scans the rows into cells; `count` are conditions to count rows by."""
    dimensions = [f"_d{n}" for n in range(len(analysis.dimensions))]
    sets = ", ".join(f"(_time, {dimension})" for dimension in dimensions) or "(_time)"
    sums = _sums(analysis, len(count))
    return (
        f"SELECT {', '.join(['_time', *dimensions, sums])} "
        f"FROM ({_rows(table, analysis, frequency, count)}) GROUP BY GROUPING SETS ({sets})"
    )


def counted(analysis: Analysis, count: int) -> str:
    """Return SQL for the rows, those that are in a series, and those of each condition."""
    sums = ["_rows", "_kept * (_time IS NOT NULL)::INT", *(f"_count{n}" for n in range(count))]
    listed = ", ".join(f"coalesce(sum({column}), 0)::BIGINT" for column in sums)
    return f"SELECT {listed} FROM cells WHERE {_of(analysis, 0)}"


def totals(analysis: Analysis) -> str:
    """Return SQL for the measures by time."""
    return _series(analysis, 0, {})


def part(analysis: Analysis, number: int) -> str:
    """Return SQL for the measures by time and the dimension of that number."""
    member = f"coalesce(_d{number}, '')"
    return _series(analysis, number, {member: analysis.dimensions[number]})


def _rows(table: Relation, analysis: Analysis, frequency: Frequency, count: Sequence[str]) -> str:
    members = [_member(table, name) for name in analysis.dimensions]
    measures = [_number(table, measure.column) for measure in analysis.measures]
    time = moment(table, analysis)
    day = frequency == "day"  # as a date it is half as long
    listed = [
        f"{time}::DATE AS _time" if day else f"date_trunc('{frequency}', {time}) AS _time",
        *(f"{member} AS _d{n}" for n, member in enumerate(members)),
        *(f"{number} AS _m{n}" for n, number in enumerate(measures)),
        *(f"({condition}) AS _c{n}" for n, condition in enumerate(count)),
        f"{filter_condition(analysis.filters) or 'true'} AS _keep",
    ]
    return f"SELECT {', '.join(listed)} FROM ({table.sql})"


def _sums(analysis: Analysis, count: int) -> str:
    keep = " FILTER (WHERE _keep)" if analysis.filters else ""
    dimensions = ", ".join(f"_d{n}" for n in range(len(analysis.dimensions)))
    means = [n for n, measure in enumerate(analysis.measures) if measure.aggregate == "mean"]
    listed = [
        f"grouping({dimensions}) AS _set" if dimensions else "0 AS _set",
        *(f"sum(_m{n}){keep} AS _sum{n}" for n in range(len(analysis.measures))),
        *(f"count(_m{n}){keep} AS _present{n}" for n in means),
        *(f"count_if(_c{n}) AS _count{n}" for n in range(count)),  # half the time of a FILTER
        "count(*) AS _rows",
        f"count(*){keep} AS _kept",
    ]
    return ", ".join(listed)


def _series(analysis: Analysis, number: int, by: dict[str, str]) -> str:
    keys = {"_time::TIMESTAMP": analysis.time.column} | by
    shown = keys | {
        _value(n, measure): measure.column for n, measure in enumerate(analysis.measures)
    }
    listed = ", ".join(f"{expression} AS {quoted(name)}" for expression, name in shown.items())
    return (
        f"SELECT {listed} FROM cells WHERE {_of(analysis, number)} AND _time IS NOT NULL "
        f"GROUP BY {', '.join(keys)} ORDER BY {', '.join(keys)}"
    )


def _value(number: int, measure: Measure) -> str:
    over = f" / sum(_present{number})" if measure.aggregate == "mean" else ""
    return f"sum(_sum{number})::DOUBLE{over}"


def _of(analysis: Analysis, number: int) -> str:
    """Return SQL that is true for the cells of one dimension, or for all where there is none.

    SQL's grouping() has a bit for each dimension, the last one's lowest: 0 where it is grouped by.
    Of three dimensions the first one's cells are 0b011, the last one's 0b110.
    """
    size = len(analysis.dimensions)
    return f"_set = {(1 << size) - 1 - (1 << (size - 1 - number))}" if size else "true"


def _number(table: Relation, name: str) -> str:
    """Return SQL that reads a measure; a text that is no number is NULL, a row counts as one."""
    if name == ROWS:
        return "1"
    typed = table.typed(name)
    return f"try_cast({typed} AS DOUBLE)" if table.column(name).kind == "text" else typed


def _member(table: Relation, name: str) -> str:
    """Return SQL for a dimension; what is missing and what is empty are one member."""
    text = f"{quoted(name)}::VARCHAR"
    return f"coalesce({text}, '')" if table.blanks else text  # a tenth of the time of a scan
