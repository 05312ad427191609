"""The OLAP cube: series that a scan counted, over time and by member, and the step they take."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thirdshift.analysis import ROWS, Analysis, Frequency

if TYPE_CHECKING:
    import pandas as pd

OTHERS = "(others)"
LONG = 4000  # steps of a series that are drawn and searched; longer ones are taken together
_MEMBERS = 40  # of a dimension; the rest are one
_COARSER: dict[str, Frequency] = {"hour": "day", "day": "week", "week": "month"}
_PERIODS = {"hour": "h", "day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}
_DAY = 86_400.0  # seconds
_OWN: dict[Frequency, float] = {"year": 360, "quarter": 89, "month": 28, "week": 6.5}  # days
_FEW = 4  # times, of which none can say what their step is


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


def shaped(cube: Cube, analysis: Analysis) -> Cube:
    """Give a cube the step of its data, noughts where no row is counted, and few members.

    scanned by day         2 Mar: 3, 9 Mar: 1, 23 Mar: 2   times a week apart
    step of its own        week of 2: 3, 9: 1, 23: 2
    events, counted        week of 2: 3, 9: 1, 16: 0, 23: 2
    """
    auto = analysis.time.frequency == "auto"
    if auto:
        cube.frequency = _own_step(cube.frequency, cube.totals[analysis.time.column])
    if ROWS in cube.totals and not cube.totals.empty:
        _fill(cube, analysis)
    while auto and len(cube.totals) > LONG and cube.frequency in _COARSER:
        _take_together(cube, _COARSER[cube.frequency], analysis)
    for name, part in cube.parts.items():
        cube.parts[name] = _largest(part, name, analysis.measures[0].column, analysis)
    return cube


def _own_step(scanned: Frequency, times: "pd.Series") -> Frequency:
    """Return the step that most times of a series take: one value a week is no daily series."""
    if scanned != "day" or len(times) < _FEW:
        return scanned
    days = times.diff().dt.total_seconds().median() / _DAY
    return next((name for name, least in _OWN.items() if days >= least), scanned)


def _fill(cube: Cube, analysis: Analysis) -> None:
    """Count nought where there is no row; events on odd days are taken together first."""
    import pandas as pd

    time, keys = analysis.time.column, _PERIODS[cube.frequency]
    if (pd.PeriodIndex(cube.totals[time], freq=keys).start_time != cube.totals[time]).any():
        _take_together(cube, cube.frequency, analysis)
    first, last = cube.totals[time].iloc[[0, -1]]
    steps = pd.period_range(first, last, freq=keys).start_time.astype("datetime64[us]")
    whole = cube.totals.set_index(time).reindex(steps).rename_axis(time)
    cube.totals = whole.fillna({ROWS: 0.0}).reset_index()


def _take_together(cube: Cube, frequency: Frequency, analysis: Analysis) -> None:
    """Make a cube's steps longer; drop a last, partial one."""
    import pandas as pd

    time, keys = analysis.time.column, _PERIODS[frequency]
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


def _regrouped(
    frame: "pd.DataFrame", time: str, keys: str, by: list[str], analysis: Analysis, cut: Any
) -> "pd.DataFrame":
    import pandas as pd

    period = pd.PeriodIndex(frame[time], freq=keys)
    inside = frame if cut is None else frame[period != cut]
    starts = pd.PeriodIndex(inside[time], freq=keys).start_time
    return _grouped(inside.assign(**{time: starts}), [time, *by], analysis)


def _largest(
    part: "pd.DataFrame", dimension: str, measure: str, analysis: Analysis
) -> "pd.DataFrame":
    """Keep the members with the largest totals of a measure; the others become one."""
    sizes = part[measure].abs().groupby(part[dimension]).sum()
    if len(sizes) <= _MEMBERS:
        return part
    large = set(sizes.nlargest(_MEMBERS).index)
    named = part[dimension].where(part[dimension].isin(large), OTHERS)
    part = part.assign(**{dimension: named})
    return _grouped(part, [analysis.time.column, dimension], analysis)


def _grouped(frame: "pd.DataFrame", by: list[str], analysis: Analysis) -> "pd.DataFrame":
    groups = frame.groupby(by)
    grouped = groups.sum(min_count=1)  # what is missing everywhere is no nought
    means = [measure.column for measure in analysis.measures if measure.together == "mean"]
    if means:
        grouped[means] = groups[means].mean()
    return grouped.reset_index().sort_values(by[0], kind="stable").reset_index(drop=True)
