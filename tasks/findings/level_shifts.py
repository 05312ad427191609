"""Level shifts: where a series changes its level and stays there, as findings.

`change_points` says where; here the levels on both sides are measured, and how surely.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tasks.findings.change_points import breaks
from tasks.findings.noise import autoregression, spread
from tasks.findings.seasonality import deseasonalised, periods
from tasks.findings.timeseries import Evenly, Vector, evenly
from thirdshift.findings import Finding, Quantity

if TYPE_CHECKING:
    import pandas as pd


def find_shifts(series: pd.Series, unit: str = "") -> list[Finding]:
    """Return the level shifts of a series in their order.

    `start` is the first label at the new level, `end` the last label before the next shift.
    Values: `change`, `before`, `after` (medians of both levels) and `change_percent`; the
    score is the change in robust standard deviations of the noise.
    """
    even = evenly(series)
    values = deseasonalised(even.values, even.present, periods(even))
    edges = [0, *breaks(values), values.size]
    levels = [values[a:b] for a, b in pairwise(edges)]
    rest = np.concatenate([level - np.median(level) for level in levels]) if values.size else values
    return [
        _finding(series, even, (edges[i], edges[i + 1]), levels[i - 1 : i + 1], rest, unit)
        for i in range(1, len(levels))
        if np.median(levels[i - 1]) != np.median(levels[i])  # a series of noughts and ones
    ]


def _finding(
    series: pd.Series,
    even: Evenly,
    stretch: tuple[int, int],  # from the shift to the next one
    levels: list[Vector],
    rest: Vector,
    unit: str,
) -> Finding:
    before, after = (even.original(float(np.median(level))) for level in levels)
    change = after - before
    quantities = [
        Quantity(name="change", value=change, unit=unit),
        Quantity(name="before", value=before, unit=unit),
        Quantity(name="after", value=after, unit=unit),
    ]
    if before:
        percent = 100 * change / abs(before)
        quantities.append(Quantity(name="change_percent", value=percent, unit="%"))
    error = _error(rest, [level.size for level in levels]) * even.scale
    noise = max(spread(rest) * even.scale, 1e-12 * abs(change))
    return Finding(
        kind="shift",
        measure=str(series.name or "value"),
        start=even.labels[stretch[0]],
        end=even.labels[stretch[1] - 1],
        score=abs(change) / noise,
        direction="up" if change > 0 else "down",
        values=tuple(quantities),
        unit=unit,
        method="steps in autoregressive noise (PELT, then by the information they save)",
        p_value=_p_value(change, error),
        interval=(change - 1.96 * error, change + 1.96 * error),
    )


def _error(rest: Vector, sizes: list[int]) -> float:
    """Return the standard error of a difference of levels, with the noise's memory counted."""
    filter_ = autoregression(rest)
    innovations = spread(np.convolve(rest, filter_, mode="valid"))
    long_run = innovations / max(abs(float(filter_.sum())), 0.05)
    return float(long_run * np.sqrt(sum(1 / size for size in sizes)))


def _p_value(change: float, error: float) -> float:
    from scipy import stats

    return float(2 * stats.norm.sf(abs(change) / error)) if error else 0.0
