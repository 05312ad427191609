"""Aggregation: rows to series in one scan, totals per step of time and per member.

DuckDB streams the rows; what comes back is small, in pandas with Arrow types.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from tasks.tables import cells
from tasks.tables.columns import quoted
from tasks.tables.cube import LONG, Cube, shaped
from tasks.tables.relation import Relation
from thirdshift.analysis import Analysis, Frequency

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

_HOUR = 3600.0  # seconds
_FIXED = {"true": 1, "false": 0}  # conditions that need no counting, and their part of the rows

# What a report takes after the scan, which needs no Python: imported while it goes on.
LATER = (
    "pandas", "scipy.stats", "scipy.ndimage", "ruptures", "statsmodels.regression.linear_model",
    "matplotlib.figure",
)  # fmt: skip


def scan_cube(
    table: Relation,
    analysis: Analysis,
    connection: "DuckDBPyConnection",
    count: dict[str, str] | None = None,
) -> Cube:
    """Scan the rows once; `count` names conditions (SQL) whose rows are counted besides."""
    frequency, count = _scanned(table, analysis, connection), count or {}
    asked = [name for name, condition in count.items() if condition not in _FIXED]
    with _importing(*LATER):
        wanted = [count[name] for name in asked]
        query = cells.scanned(table, analysis, frequency, wanted)
        connection.register("cells", connection.sql(query).to_arrow_table())
    query = cells.counted(analysis, len(asked))
    rows, counted, *sums = connection.execute(query).fetchall()[0]
    counts = {name: rows * _FIXED.get(condition, 0) for name, condition in count.items()}
    counts |= dict(zip(asked, sums, strict=True))
    totals = _frame(cells.totals(analysis), connection)
    parts = {
        name: _frame(cells.part(analysis, number), connection)
        for number, name in enumerate(analysis.dimensions)
    }
    cube = shaped(Cube(frequency, totals, parts, rows, counted, counts), analysis)
    cube.notes += [*table.notes(analysis.time), *_left_out(cube)]
    return cube


def _left_out(cube: Cube) -> list[str]:
    count = cube.rows - cube.counted
    return [f"{count:,} rows left out: filtered, or without a time"] if count else []


@contextmanager
def _importing(*names: str) -> Iterator[None]:
    """Import modules in another thread meanwhile; all are there in the end."""
    thread = Thread(target=lambda: [import_module(name) for name in names])
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _frame(query: str, connection: "DuckDBPyConnection") -> "pd.DataFrame":
    """Return what a query yields: numbers and moments as NumPy has them, texts as Arrow's."""
    import pandas as pd
    import pyarrow as pa

    texts = {pa.string(): pd.ArrowDtype(pa.string())}
    frame: pd.DataFrame = connection.sql(query).to_arrow_table().to_pandas(types_mapper=texts.get)
    return frame


def _scanned(table: Relation, analysis: Analysis, connection: "DuckDBPyConnection") -> Frequency:
    """Return the step of the scan: that of the analysis, else a day, or an hour for short spans.

    Hours say something where a day has times in two of them and more.
    """
    if analysis.time.frequency != "auto":
        return analysis.time.frequency
    name = analysis.time.column
    sampled = table.sampled.get(name)
    time, rows = cells.moment(table, analysis), table.sql
    if sampled is not None:  # parts of a text's head, middle and end: no need to read the rest
        time = f"try_cast({table.column(name).expression} AS TIMESTAMP)"
        rows = f"SELECT unnest(?) AS {quoted(name)}"
    hours, days = (f"count(DISTINCT date_trunc('{step}', t))" for step in ("hour", "day"))
    query = (
        f"SELECT epoch(max(t) - min(t)), {hours}, {days} FROM (SELECT {time} AS t FROM ({rows}))"
    )
    parameters = [] if sampled is None else [sampled]
    seconds, hours, days = connection.execute(query, parameters).fetchall()[0]
    return "hour" if hours >= 2 * max(days, 1) and seconds < LONG * _HOUR / 3 else "day"
