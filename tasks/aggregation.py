"""From rows to series, in one scan: totals per step of time, and per member of each dimension.

DuckDB streams the rows; what comes back is small, in pandas with Arrow types.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any

from tasks.notation import quoted
from tasks.relation import Relation, kept
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
    frequency = _scanned(table, analysis, connection)
    asked = {name: said for name, said in (count or {}).items() if said != "false"}
    with _importing(*LATER):
        cells = connection.sql(_query(table, analysis, frequency, asked)).to_arrow_table()
    frame = _arrow_frame(cells)
    whole = frame[frame["_set"] == _mask(analysis, None)]
    counts = dict.fromkeys(count or {}, 0)
    counts |= {name: int(whole[f"_count{n}"].sum()) for n, name in enumerate(asked)}
    measures = [one.column for one in analysis.measures]
    time = analysis.time.column
    dated = whole[whole["_time"].notna()]
    totals = _sorted(dated[["_time", *measures]].rename(columns={"_time": time}), time)
    parts = {}
    for at, dimension in enumerate(analysis.dimensions):
        chosen = frame[(frame["_set"] == _mask(analysis, at)) & frame["_time"].notna()]
        part = chosen[["_time", f"_d{at}", *measures]]
        part = part.rename(columns={"_time": time, f"_d{at}": dimension})
        part = part.fillna({dimension: ""})
        parts[dimension] = _sorted(part, time)
    if analysis.time.frequency == "auto":
        frequency = _own_step(frequency, totals[time])
    rows, counted = int(whole["_rows"].sum()), int(dated["_kept"].sum())
    cube = Cube(frequency, totals, parts, rows, counted, counts)
    return _coarsened(cube, analysis)


@contextmanager
def _importing(*names: str) -> Iterator[None]:
    """Import modules in another thread meanwhile; all are there in the end."""
    thread = Thread(target=lambda: [import_module(name) for name in names])
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _query(table: Relation, analysis: Analysis, frequency: Frequency, count: dict[str, str]) -> str:
    dimensions = [f"_d{at}" for at in range(len(analysis.dimensions))]
    inner = ", ".join(
        [
            f"date_trunc('{frequency}', {_moment(table, analysis)}) AS _time",
            *(f"{_member(table, name)} AS _d{at}" for at, name in enumerate(analysis.dimensions)),
            *(
                f"{_number(table, one.column)} AS _m{at}"
                for at, one in enumerate(analysis.measures)
            ),
            *(f"({said}) AS _c{at}" for at, said in enumerate(count.values())),
            f"{kept(analysis.filters) or 'true'} AS _keep",
        ]
    )
    keep = " FILTER (WHERE _keep)" if analysis.filters else ""
    measured = [
        f"{_aggregate(one.aggregate)}(_m{at}){keep} AS {quoted(one.column)}"
        for at, one in enumerate(analysis.measures)
    ]
    counted = [f"count(*) FILTER (WHERE _c{at}) AS _count{at}" for at in range(len(count))]
    sets = ", ".join(["(_time)", *(f"(_time, {one})" for one in dimensions)])
    grouping = f"grouping({', '.join(dimensions)})" if dimensions else "0"
    shown = ", ".join(["_time", *dimensions, f"{grouping} AS _set", *measured, *counted])
    return (
        f"SELECT {shown}, count(*) AS _rows, count(*){keep} AS _kept "
        f"FROM (SELECT {inner} FROM ({table.sql})) GROUP BY GROUPING SETS ({sets})"
    )


def _number(table: Relation, name: str) -> str:
    """Return SQL that reads a measure; a text that is no number is NULL."""
    typed = table.typed(name)
    return f"try_cast({typed} AS DOUBLE)" if table.column(name).kind == "text" else typed


def _member(table: Relation, name: str) -> str:
    """Return SQL for a dimension; what is missing and what is empty are one member."""
    text = f"{quoted(name)}::VARCHAR"
    return f"coalesce({text}, '')" if table.blanks else text  # a tenth of the time of a scan


def _moment(table: Relation, analysis: Analysis) -> str:
    return f"({table.typed(analysis.time.column)})::TIMESTAMP"


def _aggregate(name: str) -> str:
    return {"sum": "sum", "mean": "avg"}[name]


def _mask(analysis: Analysis, dimension: int | None) -> int:
    """Return what SQL's grouping() says of rows that are grouped by one dimension or by none."""
    size = len(analysis.dimensions)
    every = (1 << size) - 1
    return every if dimension is None else every & ~(1 << (size - 1 - dimension))


def _arrow_frame(table: Any) -> "pd.DataFrame":
    import pandas as pd

    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def _sorted(frame: "pd.DataFrame", time: str) -> "pd.DataFrame":
    frame = frame.copy()
    frame[time] = frame[time].astype("datetime64[us]")
    for name in frame.columns:
        if str(frame[name].dtype).startswith(("decimal", "int", "double", "uint", "hugeint")):
            frame[name] = frame[name].astype("float64")
    return frame.sort_values(time, kind="stable").reset_index(drop=True)


def _scanned(table: Relation, analysis: Analysis, connection: "DuckDBPyConnection") -> Frequency:
    """Return the step of the scan: that of the analysis, else a day, or an hour for short spans."""
    if analysis.time.frequency != "auto":
        return analysis.time.frequency
    time = _moment(table, analysis)
    some = f"SELECT {time} AS t FROM ({table.sql}) LIMIT 20000"
    query = f"SELECT min(t), max(t), bool_or(t <> date_trunc('day', t)) FROM ({some})"
    first, last, hourly = connection.execute(query).fetchall()[0]
    if not hourly or first is None:
        return "day"
    span = (last - first).total_seconds() * max(table.rows / 20_000, 1)
    return "hour" if span < _LONG * _HOUR / 3 else "day"


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
