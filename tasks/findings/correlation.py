"""Rank correlation: what moves together, and why that may mean less than it seems."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from thirdshift.findings import Finding, Quantity

if TYPE_CHECKING:
    import pandas as pd

Vector = NDArray[np.float64]

_FEWEST = 8  # pairs of values, to speak of a correlation at all
_FEW = 30
_APART = 0.2  # difference between two coefficients that is worth a word


def find_correlations(
    frame: pd.DataFrame, *, units: Mapping[str, str] | None = None
) -> list[Finding]:
    """Return the correlations between numeric columns, in the order of the rows (time).

    Spearman's rank correlation, with the sample size that the autocorrelation of both leaves
    (Bartlett), so that two drifting series are not called related. Caveats: `few_points`,
    `autocorrelated`, `common_trend` (the steps from row to row do not move together),
    `outliers` (a straight line tells another tale than the ranks).
    """
    numeric = frame.select_dtypes("number")
    findings = []
    for left, right in combinations(numeric.columns, 2):
        pair = numeric[[left, right]].replace([np.inf, -np.inf], np.nan).dropna()
        x, y = pair[left].to_numpy(dtype=float), pair[right].to_numpy(dtype=float)
        if len(pair) >= _FEWEST and np.ptp(x) > 0 and np.ptp(y) > 0:
            findings.append(_related(f"{left} ~ {right}", x, y))
    return sorted(findings, key=lambda finding: -finding.score)


def _related(name: str, x: Vector, y: Vector) -> Finding:
    from scipy import stats

    rho = float(stats.spearmanr(x, y).statistic)
    effective = max(_effective(x, y), 4.0)
    width = 1.06 / np.sqrt(effective - 3)
    z = float(np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12)))
    p_value = float(2 * stats.norm.sf(abs(z) / width))
    low, high = np.tanh(z - 1.96 * width), np.tanh(z + 1.96 * width)
    return Finding(
        kind="correlation",
        measure=name,
        score=abs(z) / width,
        direction="up" if rho > 0 else "down" if rho < 0 else "none",
        values=(Quantity(name="rho", value=rho), Quantity(name="pairs", value=len(x))),
        method="Spearman's rank correlation, sample size corrected for autocorrelation",
        p_value=min(p_value, 1.0),
        interval=(float(low), float(high)),
        caveats=_caveats(x, y, rho, effective),
    )


def _caveats(x: Vector, y: Vector, rho: float, effective: float) -> tuple[str, ...]:
    from scipy import stats

    caveats = []
    if len(x) < _FEW:
        caveats.append("few_points")
    if effective < len(x) / 2:
        caveats.append("autocorrelated")
    steps = np.diff(x), np.diff(y)
    if np.ptp(steps[0]) > 0 and np.ptp(steps[1]) > 0:
        together = float(stats.spearmanr(*steps).statistic)
        if abs(rho) - together * np.sign(rho) > 2 * _APART:
            caveats.append("common_trend")
    if abs(float(stats.pearsonr(x, y).statistic) - rho) > _APART:
        caveats.append("outliers")
    return tuple(caveats)


def _effective(x: Vector, y: Vector) -> float:
    """Return how many independent pairs the rows are worth (Bartlett 1946)."""
    n = len(x)
    lags = np.arange(1, max(n // 4, 2))
    product = _autocorrelation(x)[lags] * _autocorrelation(y)[lags]
    inflation = 1 + 2 * float(np.sum((1 - lags / n) * product))
    return float(np.clip(n / max(inflation, 1.0), 1.0, n))


def _autocorrelation(x: Vector) -> Vector:
    from scipy import stats

    ranks = stats.rankdata(x)
    ranks -= ranks.mean()
    spectrum = np.fft.rfft(ranks, 2 * len(x))
    raw = np.fft.irfft(np.abs(spectrum) ** 2)[: len(x)]
    return np.asarray(raw / raw[0], dtype=np.float64)
