"""Seasonality: what comes back at a fixed length, be it a day, a week, a year or any other."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tasks.findings.timeseries import (
    Evenly,
    Flags,
    Vector,
    evenly,
)
from thirdshift.findings import Finding, Quantity

if TYPE_CHECKING:
    import pandas as pd

_CYCLES = 4  # times a season must have come: the median of three others outvotes an outlier
_NEAR = 14  # cycles that say what one of them should look like
_GAIN = 0.9  # variance that the other cycles leave, at most, where there is a season
_ALPHA = 1e-3
_ROUNDS = 4
_CALENDAR = (3600.0, 86_400.0, 604_800.0, 31_557_600.0)  # hour, day, week, year


def find_seasonality(series: pd.Series, unit: str = "") -> list[Finding]:
    """Return the seasons of a series, strongest first.

    Values: `period` in steps of the series, `period_seconds` for a time index, `strength` in
    0..1 (the variance that the other cycles foretell), `amplitude` from the lowest to the
    highest phase.
    """
    even = evenly(series)
    rest = even.values - smooth(even.values, 1)
    whole = float(np.var(rest)) if rest.size else 0.0
    findings = []
    for period in periods(even):
        season = seasonal(rest, even.present, period)
        findings.append(_finding(series, even, rest, season, period, whole, unit))
        rest = rest - season
    return sorted(findings, key=lambda finding: -finding.score)


def periods(even: Evenly) -> list[int]:
    """Return the lengths of the seasons in steps, shortest first."""
    return list(_periods(even.values.tobytes(), even.present.tobytes(), even.step))


@lru_cache(maxsize=16)  # every kind of finding asks for those of the same series
def _periods(numbers: bytes, present_: bytes, step: float) -> tuple[int, ...]:
    values, lengths = np.frombuffer(numbers), list[int]()
    present = np.frombuffer(present_, dtype=bool)
    for _ in range(_ROUNDS):
        fitting = [p for p in _candidates(values, present, step) if p not in lengths]
        gains = {period: _left(values, present, period) for period in fitting}
        best = min(gains, key=lambda period: gains[period], default=0)
        if not best or gains[best] > _GAIN:
            break
        best = min(p for p in gains if gains[p] <= gains[best] + 0.1 * (1 - gains[best]))
        lengths.append(best)
        values = values - seasonal(values, present, best)
    return tuple(sorted(lengths))


def seasonal(values: Vector, present: Flags, period: int) -> Vector:
    """Return what the nearest other cycles say of each value: their median at its phase.

    2 9 2 | 2 8 2 | 3 9 2 | 2 7 3   four cycles of three slots; of the second one's 8
    . 9 . | . . . | . 9 . | . 7 .   the others at its phase have the median 9
    """
    rest = np.where(present, values - smooth(values, period), np.nan)
    rows = -(-rest.size // period)
    padded = np.full(rows * period, np.nan)
    padded[: rest.size] = rest
    profile = _median(padded.reshape(rows, period)[_others(rows)])
    return np.asarray(profile.ravel()[: rest.size], dtype=np.float64)


def deseasonalised(values: Vector, present: Flags, lengths: list[int]) -> Vector:
    """Return the values without their seasons."""
    for period in lengths:
        values = values - seasonal(values, present, period)
    return values


def smooth(values: Vector, period: int) -> Vector:
    """Return the running median over whole periods, which keeps steps as they are."""
    from scipy.ndimage import median_filter

    n = values.size
    if n < 4:
        return np.full(n, float(np.median(values)) if n else 0.0)
    size = min(max(period * max(1, round(31 / period)), 5), n // 2) | 1
    line = _line(values)
    return np.asarray(median_filter(values - line, size, mode="nearest") + line)


def _line(values: Vector) -> Vector:
    """Return a straight line through the medians of the first, the middle and the last part."""
    n = values.size
    third = n // 3
    first, last = np.median(values[:third]), np.median(values[n - third :])
    slope = (last - first) / (n - third)
    from_middle = np.arange(n) - (n - 1) / 2
    return np.asarray(slope * from_middle, dtype=np.float64)


def _others(rows: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return for each cycle the numbers of its nearest neighbours, without itself."""
    near = min(_NEAR, rows - 1)
    first = np.clip(np.arange(rows) - near // 2, 0, rows - 1 - near)
    others = first[:, None] + np.arange(near)
    return others + (others >= np.arange(rows)[:, None])


def _median(windows: Vector) -> Vector:
    """Return the median along axis 1 of what is not NaN; 0 where nothing is."""
    ordered = np.sort(windows, axis=1)  # NaN last
    count = np.isfinite(ordered).sum(axis=1)
    low = np.maximum(count - 1, 0) // 2
    pair = np.stack((low, count // 2), axis=1)
    pair = np.minimum(pair, ordered.shape[1] - 1)
    middle = np.take_along_axis(ordered, pair, axis=1).mean(axis=1)
    return np.where(count > 0, middle, 0.0)


def _candidates(values: Vector, present: Flags, step: float) -> list[int]:
    n = values.size
    calendar = [round(seconds / step) for seconds in _CALENDAR if step]
    if step == 86_400 and present.all():
        calendar.append(5)
    peaks = _peaks(values - smooth(values, 1))
    parts = [peak // part for peak in peaks for part in (2, 3, 4) if peak % part == 0]
    lengths = dict.fromkeys([*calendar, *peaks, *parts])
    return [length for length in lengths if 2 <= length <= n / _CYCLES]


def _peaks(rest: Vector) -> list[int]:
    """Return the lags of the three highest peaks of the autocorrelation after its first fall."""
    n = rest.size
    if n < 12 or not np.ptp(rest):
        return []
    rest = rest - rest.mean()
    power = np.abs(np.fft.rfft(rest, 2 * n)) ** 2
    correlation = np.fft.irfft(power)[: n // _CYCLES + 2]
    falls = np.flatnonzero(correlation < 0.5 * correlation[0])
    if not falls.size:
        return []
    inner = correlation[1:-1]
    tops = np.flatnonzero((inner >= correlation[:-2]) & (inner > correlation[2:])) + 1
    tops = tops[(tops > falls[0]) & (correlation[tops] > 0)]
    return [int(lag) for lag in tops[np.argsort(-correlation[tops])][:3]]


def _left(values: Vector, present: Flags, period: int) -> float:
    """Return the part of the variance that the other cycles do not foretell."""
    rest = (values - smooth(values, period))[present]
    after = rest - seasonal(values, present, period)[present]
    limit = 4 * float(np.median(np.abs(rest))) or np.inf
    before = float(np.mean(np.clip(rest, -limit, limit) ** 2))
    return float(np.mean(np.clip(after, -limit, limit) ** 2)) / before if before else 1.0


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


def _finding(
    series: pd.Series,
    even: Evenly,
    rest: Vector,
    season: Vector,
    period: int,
    whole: float,
    unit: str,
) -> Finding:
    strength = max(0.0, 1 - float(np.var(rest - season)) / whole) if whole else 0.0
    cycle = np.median(season[: season.size // period * period].reshape(-1, period), axis=0)
    values = [
        Quantity(name="period", value=period, unit="steps"),
        Quantity(name="strength", value=strength),
        Quantity(name="amplitude", value=float(np.ptp(cycle)) * even.scale, unit=unit),
    ]
    if even.step:
        values.append(Quantity(name="period_seconds", value=period * even.step, unit="s"))
    return Finding(
        kind="seasonality",
        measure=str(series.name or "value"),
        start=even.labels[0],
        end=even.labels[-1],
        score=strength,
        values=tuple(values),
        unit=unit,
        method="medians by phase, foretold from the other cycles; Kruskal and Wallis",
        p_value=_p_value(rest, period),
    )
