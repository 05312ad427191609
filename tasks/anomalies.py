"""Points and stretches that the rest of a series does not let expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tasks.noise import autoregression, spread, surprises, tail
from tasks.seasonality import deseasonalised, periods, smooth
from tasks.timeseries import Evenly, Flags, Vector, evenly
from thirdshift.findings import Finding, Quantity

if TYPE_CHECKING:
    import pandas as pd

_FEWEST = 12
_ALPHA = 0.01  # chance of any false anomaly in a series of noise
_ROUNDS = 5


class Judged(NamedTuple):
    """Each slot's deviation from what was expected, its z and the chance of one so large."""

    deviation: Vector
    z: Vector
    p: Vector
    outlying: Flags


def find_anomalies(series: pd.Series, unit: str = "") -> list[Finding]:
    """Return the anomalies of a series in their order; `score` is -log10 of the p value.

    Values: `observed` (the most surprising value of the stretch), `expected`, `deviation`.
    """
    even = evenly(series)
    if even.present.sum() < _FEWEST or not np.ptp(even.values):
        return []
    judged = judge(even.values, even.present, periods(even))
    return [_finding(series, even, judged, at, unit) for at in stretches(judged.outlying)]


def judge(values: Vector, present: Flags, lengths: list[int]) -> Judged:
    """Hold each value against its season, its surroundings and its neighbours."""
    rest = deseasonalised(values, present, lengths)
    rest = rest - smooth(rest, max(lengths, default=1))
    return _whitened(rest, present)


def _whitened(rest: Vector, present: Flags) -> Judged:
    """Judge a series without season and level; outliers found are taken out, and again."""
    clean, outlying = np.where(present, rest, 0.0), np.zeros(rest.size, dtype=bool)
    filter_ = autoregression(clean)
    for _ in range(_ROUNDS):
        found = surprises(clean, filter_)
        deviation = found + (rest - clean)
        scale = spread(found[present & ~outlying]) or spread(found[present])
        if not scale:
            return _unmoved(rest, present)
        z = deviation / scale
        law = tail(z[present], _ALPHA)
        fresh = present & (np.abs(z) >= law.limit) & ~outlying & _tops(np.abs(z))
        if not fresh.any():
            break
        outlying |= fresh
        clean[fresh] -= found[fresh]
        filter_ = autoregression(clean)
    return Judged(deviation, z, law.chance(z), present & (np.abs(z) >= law.limit))


def _tops(size: Vector) -> Flags:
    """Tell which are larger than both neighbours: what an outlier does to them is no outlier."""
    padded = np.concatenate(([-np.inf], size, [-np.inf]))
    return np.asarray((size >= padded[:-2]) & (size >= padded[2:]))


def _unmoved(rest: Vector, present: Flags) -> Judged:
    """Judge a series that hardly ever moves: the few moves are what is surprising."""
    moved = present & (np.abs(rest) > 1e-9)
    few = 0 < moved.sum() <= max(1, 0.005 * present.sum())
    p = np.where(moved, 1e-12 if few else 1.0, 1.0)
    return Judged(rest, np.where(moved, np.sign(rest) * 7.0, 0.0), p, moved & few)


def stretches(flags: Flags) -> list[tuple[int, int]]:
    """Return the first and last slot of each run of flags."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _finding(
    series: pd.Series, even: Evenly, judged: Judged, at: tuple[int, int], unit: str
) -> Finding:
    peak = at[0] + int(np.argmin(judged.p[at[0] : at[1] + 1]))
    observed = even.original(float(even.values[peak]))
    deviation = float(judged.deviation[peak] * even.scale)
    p_value = float(np.clip(judged.p[peak], 1e-300, 1.0))
    return Finding(
        kind="anomaly",
        measure=str(series.name or "value"),
        start=even.labels[at[0]],
        end=even.labels[at[1]],
        score=float(-np.log10(p_value)),
        direction="up" if deviation > 0 else "down",
        values=(
            Quantity(name="observed", value=observed, unit=unit),
            Quantity(name="expected", value=observed - deviation, unit=unit),
            Quantity(name="deviation", value=deviation, unit=unit),
        ),
        unit=unit,
        method="additive outlier in autoregressive noise around season and level",
        p_value=p_value,
    )
