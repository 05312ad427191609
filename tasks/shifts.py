"""Where a series changes its level and stays there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tasks.seasonality import periods
from tasks.timeseries import Evenly, Vector, evenly
from thirdshift.findings import Finding, Quantity

if TYPE_CHECKING:
    import pandas as pd


def find_shifts(series: pd.Series, unit: str = "") -> list[Finding]:
    """Return the level shifts of a series in their order.

    `start` is the first label at the new level, `end` the last label before the next shift.
    Values: `change`, `before`, `after` (medians of both levels) and `change_percent`.
    """
    even = evenly(series)
    values = deseasonalised(even)
    at = [0, *breaks(values), values.size]
    return [_finding(series, even, values, at[i - 1 : i + 2], unit) for i in range(1, len(at) - 1)]


def deseasonalised(even: Evenly) -> Vector:
    """Return the values without their seasons."""
    from statsmodels.tsa.seasonal import STL

    values = even.values
    for period in periods(even):
        values = values - STL(values, period=period, robust=True).fit().seasonal
    return values


def breaks(values: Vector) -> list[int]:
    """Return the slots at which a new level begins."""
    import ruptures

    noise = _noise(values)
    if values.size < 10 or not noise:
        return []
    clipped = values / noise
    search = ruptures.KernelCPD(kernel="linear", min_size=5).fit(clipped.reshape(-1, 1))
    penalty = 4 * np.log(values.size) * _inflation(values)
    found = search.predict(pen=penalty)[:-1]
    return [int(at) for at in found]


def _noise(values: Vector) -> float:
    steps = np.abs(np.diff(values))
    return float(np.median(steps) / (0.6745 * np.sqrt(2))) if steps.size else 0.0


def _inflation(values: Vector) -> float:
    rest = np.diff(values)
    if rest.size < 4 or not np.ptp(rest):
        return 1.0
    phi = 1 + 2 * float(np.corrcoef(rest[1:], rest[:-1])[0, 1])
    phi = float(np.clip(phi, 0.0, 0.95))
    return (1 + phi) / (1 - phi)


def _finding(series: pd.Series, even: Evenly, values: Vector, at: list[int], unit: str) -> Finding:
    from scipy import stats

    left, right = values[at[0] : at[1]], values[at[1] : at[2]]
    before, after = (even.original(float(np.median(side))) for side in (left, right))
    change = after - before
    quantities = [
        Quantity(name="change", value=change, unit=unit),
        Quantity(name="before", value=before, unit=unit),
        Quantity(name="after", value=after, unit=unit),
    ]
    if before:
        percent = 100 * change / abs(before)
        quantities.append(Quantity(name="change_percent", value=percent, unit="%"))
    test = stats.mannwhitneyu(left, right)
    return Finding(
        kind="shift",
        measure=str(series.name or "value"),
        start=even.labels[at[1]],
        end=even.labels[at[2] - 1],
        score=abs(change) / even.scale / (_noise(values) or 1.0),
        direction="up" if change > 0 else "down",
        values=tuple(quantities),
        unit=unit,
        method="penalised least squares (PELT)",
        p_value=float(test.pvalue),
    )
