"""Autoregressive noise and its tails: what chance alone would do.

Why the laws and their first likelihoods: docs/log.md, "Anomalies in short series" (2026-11-25).
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from tasks.findings.timeseries import Flags, Vector

_ORDER = 6  # of the longest autoregression
_CLIP = 3.0  # robust deviations at which values stop to count more
_BULK = 3.0  # standard deviations: never an outlier below
_RARE, _FEW = 0.025, 3  # the largest part, and number, of values that may be outliers
_MANY = 1.0  # times the square root of their number
_ALONE = 0.007  # part of the outliers that may be noise, at each size and beyond
_TRUST = 1.2  # power of the likelihood: in between an average over the laws and the best one
_LAWS = (  # Student's t and the generalised normal law by shape, with how likely each is at first
    ("t", 2.0, 0.0002),
    ("t", 2.5, 0.0005),
    ("t", 3.0, 0.001),
    ("t", 4.0, 0.002),
    ("t", 5.0, 0.004),
    ("t", 7.0, 0.008),
    ("t", 10.0, 0.15),
    ("t", 20.0, 0.3),
    ("normal", 2.0, 1.0),
    ("normal", 1.5, 0.3),
    ("normal", 1.0, 0.01),
    ("normal", 0.7, 0.002),
)


def spread(values: Vector) -> float:
    """Return a robust standard deviation, for coarse (count) data too."""
    if not values.size:
        return 0.0
    size = np.abs(values - np.median(values))
    half, most = np.quantile(size, [0.5, 0.9])
    return float(max(half / 0.6745, most / 1.6449 if half < 0.3 * most else 0.0))


def autoregression(values: Vector) -> Vector:
    """Return 1, -φ1, … -φp: what turns the values into white noise (Yule and Walker, BIC)."""
    from scipy.linalg import toeplitz

    n, scale = values.size, spread(values)
    if n < 20 or not scale:
        return np.ones(1)
    inside = np.abs(values - np.median(values)) <= _CLIP * scale
    x = np.where(inside, values - values[inside].mean(), 0.0)
    covariance = np.array([_covariance(x, inside, lag) for lag in range(_ORDER + 1)])
    if covariance[0] <= 0:
        return np.ones(1)
    covariance[0] *= 1 + 1e-6
    best, least = np.ones(1), n * np.log(covariance[0])
    for order in range(1, min(_ORDER, n // 10) + 1):
        matrix = toeplitz(covariance[:order])  # of pairs inside only: it may be singular
        phi = np.linalg.lstsq(matrix, covariance[1 : order + 1], rcond=None)[0]
        left = covariance[0] - float(phi @ covariance[1 : order + 1])
        criterion = n * np.log(max(left, 1e-12 * covariance[0])) + order * np.log(n)
        if criterion < least:
            best, least = np.concatenate(([1.0], -phi)), criterion
    return best


def _covariance(x: Vector, inside: Flags, lag: int) -> float:
    pairs = int((inside[: x.size - lag] & inside[lag:]).sum())
    return float(x[: x.size - lag] @ x[lag:]) / max(pairs, x.size // 4)


def surprises(values: Vector, filter_: Vector) -> Vector:
    """Return how far each value lies from what its neighbours on both sides let expect.

    The estimate of an additive outlier in autoregressive noise (Chen and Liu 1993), in the
    units of the values, scaled so that all have the same variance.
    """
    order = filter_.size - 1
    innovations = np.convolve(np.concatenate((np.zeros(order), values)), filter_)[order:]
    innovations = innovations[: values.size]
    matched = np.convolve(innovations, filter_[::-1])[order : order + values.size]
    weight = np.full(values.size, float(filter_ @ filter_))
    for last in range(min(order, values.size)):
        weight[values.size - 1 - last] = float(filter_[: last + 1] @ filter_[: last + 1])
    whole = float(filter_ @ filter_)
    return np.asarray(matched / np.sqrt(weight * whole), dtype=np.float64)


class Tail(NamedTuple):
    """The law of a noise, and the size from which on deviations stand apart from it."""

    limit: float  # inf where none does
    weights: Vector

    def chance(self, z: Vector) -> Vector:
        """Return the chance that the noise lies as far out as each z, on either side."""
        return np.minimum(_chances(np.abs(z)) @ self.weights, 1.0)


def tail(z: Vector, level: float) -> Tail:
    """Return the law of robust z scores that may have outliers among them.

    The noise is an average over Student's t and generalised normal laws, weighed by how well
    they fit the bulk. Outwards from it, values join the bulk until those that are left are
    more than it lets expect, with a chance below `level`: outliers must not make their own
    excuse, and heavy tails must not look like outliers. Of those the larger ones stand apart,
    among which the noise is expected to have hardly any part (a local false discovery rate).
    """
    from scipy import stats

    size = np.sort(_peaks(np.abs(z)))
    n = size.size
    first = min(max(int(np.searchsorted(size, _BULK)), n - _rare(n), 5), n)
    weights = _weights(size, first)
    beyond = n * _chances(size[first:])  # expected
    left = n - np.arange(first, n)[:, None]
    joint = np.sum(weights[:-1] * stats.poisson.sf(left - 1, beyond), axis=1)
    apart = np.flatnonzero(joint < level)
    if not apart.size:
        return Tail(np.inf, weights[-1])
    law = Tail(np.inf, weights[apart[0]])
    alone = size[first + apart[0] :]
    expected = n * law.chance(alone) / np.arange(alone.size, 0, -1)
    alone = alone[np.maximum.accumulate(expected[::-1])[::-1] < _ALONE]
    return law._replace(limit=float(alone[0])) if alone.size else law


def _rare(n: int) -> int:
    """Return how many of n values may be outliers: a long series has fewer, in proportion."""
    return int(max(_FEW, min(_RARE * n, _MANY * np.sqrt(n))))


def _peaks(size: Vector) -> Vector:
    """Return the sizes, of each run beyond the bulk the largest alone: one event counts once."""
    beyond = size >= _BULK
    starts = beyond & ~np.concatenate(([False], beyond[:-1]))
    runs = np.maximum.reduceat(size, np.flatnonzero(starts)) if starts.any() else size[:0]
    return np.concatenate((size[~beyond], runs))


def _weights(size: Vector, first: int) -> Vector:
    """Return how well each law fits the sizes up to the first-th, and up to each one after."""
    likely = np.stack([law.logpdf(size) for law in _laws()], axis=1).cumsum(axis=0)
    inside = 1 - _chances(size[first - 1 :])  # a likelihood is cut off at its last value
    counts = np.arange(first, size.size + 1)[:, None]
    log: Vector = likely[first - 1 :] - counts * np.log(np.maximum(inside, 1e-12))
    log = _TRUST * (log + np.log([weight for _, _, weight in _LAWS]))
    weights = np.exp(log - log.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)


def _chances(size: Vector) -> Vector:
    return np.stack([2 * law.sf(size) for law in _laws()], axis=1)


@cache
def _laws() -> list[Any]:
    """Return the laws, each with the quartiles of the standard normal one."""
    from scipy import stats

    shapes = [(stats.t if name == "t" else stats.gennorm, shape) for name, shape, _ in _LAWS]
    return [law(shape, scale=0.6745 / law.isf(0.25, shape)) for law, shape in shapes]
