"""Trend: where a series is going, and how sure that is, in noise that remembers itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tasks.findings.seasonality import periods
from tasks.findings.timeseries import Vector, evenly
from thirdshift.findings import Finding, Quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

_FEWEST = 8
_MOST = 0.97  # memory; with more, a line and a walk cannot be told apart


def find_trend(series: pd.Series, unit: str = "") -> list[Finding]:
    """Return the trend of a series: one finding, or none where it has none at 5 %.

    Values: `slope` per step, with its 95 % `interval`, `slope_per_day` for a time index,
    `change` over the whole series and `change_percent`, of the level at its start.
    """
    even = evenly(series)
    if even.present.sum() < _FEWEST or not np.ptp(even.values):
        return []
    slope, error, p_value, reach = _slope(even.values, periods(even))
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
            method="generalised least squares, noise that remembers the step before",
            p_value=p_value,
            interval=((slope - reach) * scale, (slope + reach) * scale),
        )
    ]


class _Slope(NamedTuple):
    """A slope per step, its standard error, the p value of none, and how far 95 % lie from it."""

    value: float
    error: float
    p_value: float
    reach: float


def _slope(values: Vector, lengths: Sequence[int]) -> _Slope:
    """Fit a line by generalised least squares, its noise remembering the step before.

    Each phase of a season has a level of its own: what is left of values and times is fitted
    (Frisch and Waugh 1933). Errors that are consistent with any autocorrelation (Newey and West)
    call 12 % of white and 40 % of strongly autocorrelated noise a trend, this about 5 %
    (docs/log.md, "Trends in noise that remembers", 2026-11-25).
    """
    from scipy import stats
    from statsmodels.regression.linear_model import GLSAR  # statsmodels.api takes a second longer

    n, times = values.size, np.arange(values.size, dtype=float)
    for length in [1, *lengths]:
        values, times = _levelled(values, length), _levelled(times, length)
    memory = _memory(values - times * float(values @ times) / float(times @ times))
    fit = GLSAR(values, times, rho=np.array([memory])).fit()
    slope, error = float(fit.params[0]), float(fit.bse[0])
    freedom = max((n - sum(lengths)) * (1 - memory) / (1 + memory) - 2, 3)
    reach = float(stats.t.isf(0.025, freedom)) * error
    p_value = 2 * float(stats.t.sf(abs(slope) / error, freedom)) if error else 0.0
    return _Slope(slope, error, p_value, reach)


def _levelled(values: Vector, length: int) -> Vector:
    """Return values less the mean of their phase in a season of `length` slots."""
    phase = np.arange(values.size) % length
    return np.asarray(values - (np.bincount(phase, values) / np.bincount(phase))[phase])


def _memory(rest: Vector) -> float:
    """Return the autocorrelation of what a line leaves, with what the fit took of it.

    The bias after a linear trend: Marriott and Pope (1954), Kendall (1954).
    """
    power = float(rest @ rest)
    seen = float(rest[1:] @ rest[:-1]) / power if power else 0.0
    return float(np.clip(seen + (2 + 4 * seen) / rest.size, 0, _MOST))
