"""What comes back at a fixed length: hour of day, day of week, month of year, or any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tasks.timeseries import Evenly, Vector, evenly
from thirdshift.findings import Finding, Quantity

if TYPE_CHECKING:
    import pandas as pd

_CYCLES = 3  # times a season must have come, to be called one
_ALPHA = 1e-3


def find_seasonality(series: pd.Series, unit: str = "") -> list[Finding]:
    """Return the seasons of a series, strongest first.

    Values: `period` in steps of the series, `period_seconds` for a time index, `strength` in
    0..1 (Hyndman and Athanasopoulos), `amplitude` from the lowest to the highest phase.
    """
    even = evenly(series)
    rest = even.values - _smooth(even.values)
    found = []
    for period in periods(even):
        p_value = _p_value(rest, period)
        profile = _profile(rest, period)
        seasonal = np.resize(profile, rest.size)
        left = float(np.var(rest - seasonal))
        strength = max(0.0, 1 - left / float(np.var(rest)))
        values = [
            Quantity(name="period", value=period, unit="steps"),
            Quantity(name="strength", value=strength),
            Quantity(name="amplitude", value=float(np.ptp(profile)) * even.scale, unit=unit),
        ]
        if even.step:
            seconds = period * even.step
            values.append(Quantity(name="period_seconds", value=seconds, unit="s"))
        found.append(
            Finding(
                kind="seasonality",
                measure=str(series.name or "value"),
                start=even.labels[0],
                end=even.labels[-1],
                score=strength,
                values=tuple(values),
                unit=unit,
                method="variance between phases, F test",
                p_value=p_value,
            )
        )
        rest = rest - seasonal
    return sorted(found, key=lambda finding: -finding.score)


def periods(even: Evenly) -> list[int]:
    """Return the lengths of the seasons in steps, shortest first."""
    rest = even.values - _smooth(even.values)
    found: list[int] = []
    for period in _candidates(even, rest):
        if _p_value(rest, period) < _ALPHA:
            found.append(period)
            rest = rest - np.resize(_profile(rest, period), rest.size)
    return sorted(found)


def _candidates(even: Evenly, rest: Vector) -> list[int]:
    n = rest.size
    calendar = [round(s / even.step) for s in (86_400, 604_800, 31_557_600) if even.step]
    if even.step == 86_400 and even.present.all():
        calendar.append(5)
    peak = _peak(rest)
    lengths = dict.fromkeys([*calendar, *([peak] if peak else [])])
    return [length for length in lengths if 2 <= length <= n / _CYCLES]


def _peak(rest: Vector) -> int:
    """Return the lag of the highest peak of the autocorrelation after its first fall."""
    n = rest.size
    if n < 12 or not np.ptp(rest):
        return 0
    power = np.abs(np.fft.rfft(rest, 2 * n)) ** 2
    correlation = np.fft.irfft(power)[: n // _CYCLES + 2]
    falls = np.flatnonzero(correlation < 0)
    if not falls.size or falls[0] >= correlation.size - 2:
        return 0
    inner = correlation[1:-1]
    peaks = np.flatnonzero((inner >= correlation[:-2]) & (inner > correlation[2:])) + 1
    peaks = peaks[peaks > falls[0]]
    return int(peaks[np.argmax(correlation[peaks])]) if peaks.size else 0


def _p_value(rest: Vector, period: int) -> float:
    """Return the p value of no difference between phases (Kruskal and Wallis)."""
    from scipy import stats

    ranks = stats.rankdata(rest)
    phases = np.arange(rest.size) % period
    counts = np.bincount(phases, minlength=period)
    means = np.bincount(phases, ranks, minlength=period) / counts
    between = float(np.sum(counts * (means - ranks.mean()) ** 2))
    total = float(np.var(ranks, ddof=1))
    return float(stats.chi2.sf(between / total, period - 1)) if total else 1.0


def _profile(rest: Vector, period: int) -> Vector:
    """Return the median of each phase, around 0."""
    rows = -(-rest.size // period)
    table = np.full(rows * period, np.nan)
    table[: rest.size] = rest
    profile = np.nanmedian(table.reshape(rows, period), axis=0)
    return np.asarray(profile - profile.mean(), dtype=np.float64)


def _smooth(values: Vector) -> Vector:
    n = values.size
    if n < 4:
        return np.full(n, float(np.median(values)) if n else 0.0)
    degree = min(3, n // 4)
    at = np.linspace(-1, 1, n)
    return np.asarray(np.polynomial.Polynomial.fit(at, values, degree)(at), dtype=np.float64)
