"""Points and stretches that the rest of a series does not let expect."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from tasks.shifts import breaks, deseasonalised
from tasks.timeseries import Evenly, Flags, Vector, evenly
from thirdshift.findings import Finding, Quantity

if TYPE_CHECKING:
    import pandas as pd


def find_anomalies(series: pd.Series, unit: str = "") -> list[Finding]:
    """Return the anomalies of a series in their order; `score` is a robust z.

    Values: `observed` (the most surprising value of the stretch), `expected`, `deviation`.
    """
    even = evenly(series)
    if even.present.sum() < 8:
        return []
    values = deseasonalised(even)
    z = _scores(values)
    threshold = _threshold(int(even.present.sum()))
    return [
        _finding(series, even, z, values, stretch, unit)
        for stretch in stretches(even.present & (np.abs(z) > threshold))
    ]


def stretches(flags: Flags) -> list[tuple[int, int]]:
    """Return the first and last slot of each run of flags."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _scores(values: Vector) -> Vector:
    level = np.zeros_like(values)
    at = [0, *breaks(values), values.size]
    for a, b in itertools.pairwise(at):
        level[a:b] = np.median(values[a:b])
    rest = values - level
    spread = float(np.median(np.abs(rest))) / 0.6745
    return rest / spread if spread else np.where(rest == 0, 0.0, np.sign(rest) * 1e3)


def _threshold(n: int) -> float:
    from scipy import stats

    return float(stats.norm.isf(0.005 / n))


def _finding(
    series: pd.Series, even: Evenly, z: Vector, values: Vector, at: tuple[int, int], unit: str
) -> Finding:
    from scipy import stats

    peak = at[0] + int(np.argmax(np.abs(z[at[0] : at[1] + 1])))
    observed = even.original(float(even.values[peak]))
    spread = values[peak] / z[peak] if z[peak] else 0.0
    deviation = float(z[peak] * abs(spread) * even.scale)
    score = float(abs(z[peak]))
    return Finding(
        kind="anomaly",
        measure=str(series.name or "value"),
        start=even.labels[at[0]],
        end=even.labels[at[1]],
        score=score,
        direction="up" if z[peak] > 0 else "down",
        values=(
            Quantity(name="observed", value=observed, unit=unit),
            Quantity(name="expected", value=observed - deviation, unit=unit),
            Quantity(name="deviation", value=deviation, unit=unit),
        ),
        unit=unit,
        method="robust z of the residual",
        p_value=min(1.0, float(2 * stats.norm.sf(score))),
    )
