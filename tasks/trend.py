"""Where a series is going, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tasks.seasonality import periods
from tasks.timeseries import Vector, evenly
from thirdshift.findings import Finding, Quantity

if TYPE_CHECKING:
    import pandas as pd

_FEWEST = 8


def find_trend(series: pd.Series, unit: str = "") -> list[Finding]:
    """Return the trend of a series: one finding, or none where it has none at 5 %.

    Values: `slope` per step, with its 95 % `interval`, `slope_per_day` for a time index,
    `change` over the whole series and `change_percent`, of the level at its start.
    """
    even = evenly(series)
    if even.present.sum() < _FEWEST or not np.ptp(even.values):
        return []
    longest = max(periods(even), default=1)
    slope, error, p_value = _slope(even.values, longest)
    if p_value > 0.05:
        return []
    scale, n = even.scale, even.values.size
    begin = even.original(float(np.median(even.values)) - slope * (n - 1) / 2)
    change = slope * (n - 1) * scale
    values = [
        Quantity(name="slope", value=slope * scale, unit=f"{unit}/step" if unit else "per step"),
        Quantity(name="change", value=change, unit=unit),
    ]
    if even.step:
        per_day = slope * scale * 86_400 / even.step
        values.append(
            Quantity(name="slope_per_day", value=per_day, unit=f"{unit}/d" if unit else "per day")
        )
    if begin:
        values.append(Quantity(name="change_percent", value=100 * change / abs(begin), unit="%"))
    return [
        Finding(
            kind="trend",
            measure=str(series.name or "value"),
            start=even.labels[0],
            end=even.labels[-1],
            score=abs(slope) / error if error else 1e6,
            direction="up" if slope > 0 else "down",
            values=tuple(values),
            unit=unit,
            method="least squares, autocorrelation-consistent errors (Newey and West)",
            p_value=p_value,
            interval=((slope - 1.96 * error) * scale, (slope + 1.96 * error) * scale),
        )
    ]


def _slope(values: Vector, period: int) -> tuple[float, float, float]:
    """Return the slope per step, its standard error and the p value of none."""
    from statsmodels.regression.linear_model import OLS  # statsmodels.api takes a second longer

    n = values.size
    at = np.arange(n, dtype=float) - (n - 1) / 2
    lags = min(max(period, round(n ** (1 / 2))), n // 4)
    fit = OLS(values, np.stack([np.ones(n), at], axis=1)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, use_t=True
    )
    return float(fit.params[1]), float(fit.bse[1]), float(fit.pvalues[1])
