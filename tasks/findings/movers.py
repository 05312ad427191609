"""Contribution analysis: which members of a dimension moved a total, and their parts in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from thirdshift.findings import Direction, Finding, Quantity

if TYPE_CHECKING:
    import pandas as pd

Aggregate = Literal["sum", "mean"]
Window = tuple[Any, Any]  # first and last moment, both inside

_WEEK = timedelta(days=7)
_PERIODS = ("Y", "Q", "M", "W", "D", "h")
_FEWEST = 6  # periods of a length, for that length to be the natural one to compare


def find_movers(
    frame: pd.DataFrame,
    time: str,
    measure: str,
    dimension: str | None,
    *,
    before: Window | None = None,
    after: Window | None = None,
    aggregate: Aggregate = "sum",
    top: int = 5,
    unit: str = "",
) -> list[Finding]:
    """Return the members of a dimension that moved the measure most between two periods.

    Without `before` and `after` the last whole period (year … hour, by the span of the data)
    is held against the one before; without a dimension the total alone is. Each finding has
    `after`, `before`, `change`, where they exist `change_percent`, and for sums
    `contribution_percent`: the member's part in the change of the total, which add up to 100
    over all members.
    """
    if before is None or after is None:
        periods = last_periods(frame[time])
        if periods is None:
            return []
        before, after = periods
    totals = [
        _totals(frame, time, measure, dimension, window, aggregate) for window in (before, after)
    ]
    members = totals[0].index.union(totals[1].index)
    absent = 0.0 if aggregate == "sum" else float("nan")
    old, new = (total.reindex(members, fill_value=absent).to_numpy() for total in totals)
    change = new - old
    whole = float(np.nansum(change)) if aggregate == "sum" else 0.0
    moved = float(np.nansum(np.abs(change)))
    order = [row for row in np.argsort(-np.abs(change), kind="stable") if abs(change[row]) > 0]
    return [
        Finding(
            kind="mover",
            measure=measure,
            start=after[0],
            end=after[1],
            score=float(abs(change[row]) / moved),
            direction=_direction(float(change[row])),
            values=_values(float(old[row]), float(new[row]), whole, unit),
            unit=unit,
            members=((dimension, str(members[row])),) if dimension else (),
            method=f"difference of {aggregate}s between two periods",
        )
        for row in order[:top]
    ]


def explain_anomaly(
    frame: pd.DataFrame,
    finding: Finding,
    time: str,
    measure: str,
    dimensions: Sequence[str],
    *,
    aggregate: Aggregate = "sum",
    top: int = 3,
    unit: str = "",
) -> list[Finding]:
    """Return the members, over all dimensions, that carry an anomaly or a shift.

    The stretch of the finding is held against the same stretch a week before, where it is
    shorter than a week and the data reach back so far (a Monday meets a Monday), else against
    as many moments just before it.
    """
    before = _reference(frame[time], finding.start, finding.end)
    if before is None:
        return []
    carriers: list[Finding] = []
    for dimension in dimensions:
        movers = find_movers(
            frame,
            time,
            measure,
            dimension,
            before=before,
            after=(finding.start, finding.end),
            aggregate=aggregate,
            top=top,
            unit=unit,
        )
        carriers += [mover.model_copy(update={"kind": "carrier"}) for mover in movers]
    return sorted(carriers, key=lambda carrier: -carrier.score)[:top]


def last_periods(times: pd.Series) -> tuple[Window, Window] | None:
    """Return the last two whole periods of the longest length that the data hold six of."""
    import pandas as pd

    moments = pd.DatetimeIndex(times.dropna().unique()).sort_values()
    if len(moments) < 2:
        return None
    step = pd.Series(moments).diff().median()
    for length in _PERIODS:
        periods = moments.tz_localize(None).to_period(length)
        last = periods[-1]
        whole = moments[-1].tz_localize(None) + step > last.end_time
        last = last if whole else last - 1
        if (last - periods[0]).n >= _FEWEST - 1:
            zone = moments.tz
            return _window(last - 1, zone), _window(last, zone)
    return None


def _window(period: Any, zone: Any) -> Window:
    return period.start_time.tz_localize(zone), period.end_time.tz_localize(zone)


def _reference(times: pd.Series, start: Any, end: Any) -> Window | None:
    import pandas as pd

    moments = pd.Index(times.dropna().unique()).sort_values()
    inside = max(int(((moments >= start) & (moments <= end)).sum()), 1)
    if isinstance(moments, pd.DatetimeIndex) and end - start < _WEEK:
        week = start - _WEEK, end - _WEEK
        if int(((moments >= week[0]) & (moments <= week[1])).sum()) == inside:
            return week
    earlier = moments[moments < start][-inside:]
    return (earlier[0], earlier[-1]) if len(earlier) else None


def _totals(
    frame: pd.DataFrame,
    time: str,
    measure: str,
    dimension: str | None,
    window: Window,
    aggregate: Aggregate,
) -> pd.Series:
    inside = frame[time].between(*window).to_numpy(dtype=bool, na_value=False)
    values = frame[measure][inside]
    members = frame[dimension][inside] if dimension else np.zeros(len(values), dtype=int)
    totals: pd.Series = values.groupby(members, observed=True).agg(aggregate)
    return totals.astype(float)


def _values(old: float, new: float, whole: float, unit: str) -> tuple[Quantity, ...]:
    change = new - old
    values = [
        Quantity(name="change", value=change, unit=unit),
        Quantity(name="before", value=old, unit=unit),
        Quantity(name="after", value=new, unit=unit),
    ]
    if old:
        values.append(Quantity(name="change_percent", value=100 * change / abs(old), unit="%"))
    if whole:
        share = Quantity(name="contribution_percent", value=100 * change / whole, unit="%")
        values.append(share)
    return tuple(values)


def _direction(change: float) -> Direction:
    return "up" if change > 0 else "down" if change < 0 else "none"
