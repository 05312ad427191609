"""From rows to series, in one scan: totals per step of time, and per member of each dimension.

DuckDB streams the rows; what comes back is small, in pandas with Arrow types.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any

from tasks import cells
from tasks.notation import quoted
from tasks.relation import Relation
from thirdshift.analyses import Analysis, Frequency

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

OTHERS = "(others)"
_MEMBERS = 40  # of a dimension; the rest are one
_LONG = 4000  # steps of a series that are drawn and searched; longer ones are taken together
_COARSER: dict[str, Frequency] = {"hour": "day", "day": "week", "week": "month"}
_HOUR, _DAY = 3600.0, 86_400.0  # seconds
_OWN: dict[Frequency, float] = {"year": 360, "quarter": 89, "month": 28, "week": 6.5}  # days
_FIXED = {"true": 1, "false": 0}  # conditions that need no counting, and their part of the rows
_FEW = 4  # times, of which none can say what their step is

# What a report takes after the scan, which needs no Python: imported while it goes on.
LATER = (
    "pandas", "scipy.stats", "scipy.ndimage", "ruptures", "statsmodels.regression.linear_model",
    "matplotlib.figure",
)  # fmt: skip


@dataclass
class Cube:
    """What a scan yields: frames with a row per step of time, measures as columns."""

    frequency: Frequency
    totals: "pd.DataFrame"  # time, measures
    parts: dict[str, "pd.DataFrame"]  # by dimension: time, the dimension, measures
    rows: int
    counted: int  # rows that the filters keep and whose time can be read
    counts: dict[str, int]  # what `count` asked for, by name
    notes: list[str] = field(default_factory=list)

    @property
    def until(self) -> str:
        """The last step of time, as a date."""
        return "" if self.totals.empty else str(self.totals.iloc[-1, 0])[:10]


def scan(
    table: Relation,
    analysis: Analysis,
    connection: "DuckDBPyConnection",
    count: dict[str, str] | None = None,
) -> Cube:
    """Scan the rows once; `count` names conditions (SQL) whose rows are counted besides."""
    frequency, count = _scanned(table, analysis, connection), count or {}
    asked = [name for name, said in count.items() if said not in _FIXED]
    with _importing(*LATER):
        wanted = [count[name] for name in asked]
        connection.execute(cells.scanned(table, analysis, frequency, wanted))
    sums = connection.execute(cells.counted(analysis, len(asked))).fetchall()[0]
    rows, counted, *found = sums
    counts = {name: rows * _FIXED.get(said, 0) for name, said in count.items()}
    counts |= dict(zip(asked, found, strict=True))
    totals = _frame(cells.totals(analysis), connection)
    parts = {
        name: _frame(cells.part(analysis, at), connection)
        for at, name in enumerate(analysis.dimensions)
    }
    if analysis.time.frequency == "auto":
        frequency = _own_step(frequency, totals[analysis.time.column])
    return _coarsened(Cube(frequency, totals, parts, rows, counted, counts), analysis)


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
    given = [] if sampled is None else [sampled]
    seconds, hours, days = connection.execute(query, given).fetchall()[0]
    return "hour" if hours >= 2 * max(days, 1) and seconds < _LONG * _HOUR / 3 else "day"


def _own_step(scanned: Frequency, times: "pd.Series") -> Frequency:
    """Return the step that most times of a series take: one value a week is no daily series."""
    if scanned != "day" or len(times) < _FEW:
        return scanned
    days = times.diff().dt.total_seconds().median() / _DAY
    return next((name for name, least in _OWN.items() if days >= least), scanned)


def _coarsened(cube: Cube, analysis: Analysis) -> Cube:
    """Take steps together where a series would be too long to read; drop a last, partial one."""
    import pandas as pd

    time = analysis.time.column
    while analysis.time.frequency == "auto" and len(cube.totals) > _LONG:
        if cube.frequency not in _COARSER:
            break
        frequency = _COARSER[cube.frequency]
        keys = {"day": "D", "week": "W-SUN", "month": "M"}[frequency]
        period = pd.PeriodIndex(cube.totals[time], freq=keys)
        cut = period[-1] if cube.totals[time].iloc[-1] < period[-1].end_time.floor("D") else None
        cube.totals = _regrouped(cube.totals, time, keys, [], analysis, cut)
        cube.parts = {
            name: _regrouped(part, time, keys, [name], analysis, cut)
            for name, part in cube.parts.items()
        }
        cube.notes.append(f"taken together by {frequency}")
        if cut is not None:
            cube.notes.append(f"the last {frequency}, which is not over, left out")
        cube.frequency = frequency
    for name, part in cube.parts.items():
        cube.parts[name] = _largest(part, name, [one.column for one in analysis.measures], analysis)
    return cube


def _regrouped(
    frame: "pd.DataFrame", time: str, keys: str, by: list[str], analysis: Analysis, cut: Any
) -> "pd.DataFrame":
    import pandas as pd

    period = pd.PeriodIndex(frame[time], freq=keys)
    inside = frame if cut is None else frame[period != cut]
    starts = pd.PeriodIndex(inside[time], freq=keys).start_time
    return _grouped(inside.assign(**{time: starts}), [time, *by], analysis)


def _largest(
    part: "pd.DataFrame", dimension: str, measures: Sequence[str], analysis: Analysis
) -> "pd.DataFrame":
    """Keep the members with the largest totals; the others become one."""
    sizes = part.groupby(dimension)[measures[0]].agg(lambda values: values.abs().sum())
    if len(sizes) <= _MEMBERS:
        return part
    large = set(sizes.nlargest(_MEMBERS).index)
    named = part[dimension].where(part[dimension].isin(large), OTHERS)
    part = part.assign(**{dimension: named})
    return _grouped(part, [analysis.time.column, dimension], analysis)


def _grouped(frame: "pd.DataFrame", by: list[str], analysis: Analysis) -> "pd.DataFrame":
    how = {one.column: one.aggregate for one in analysis.measures}
    grouped: pd.DataFrame = frame.groupby(by, as_index=False).agg(how)
    return grouped.sort_values(by[0], kind="stable").reset_index(drop=True)
