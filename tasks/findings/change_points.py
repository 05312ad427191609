"""At which points a series takes another level: steps against noise that remembers itself.

A slow drift and a random walk move the level too, without any step. So a step must be worth
more than what the noise's own memory explains, and must stand out from a line through its
surroundings.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from tasks.findings.noise import autoregression, spread
from tasks.findings.timeseries import Vector

Matrix = NDArray[np.float64]

_BLOCKS = 1500  # a longer series is first searched by the medians of blocks
_MOST = 24  # steps looked for
_PRICE = 3.5  # log(n) that a step must save (a level and a place, chosen among many)
_AROUND = 80  # slots on each side of a step that it must stand out from
_ABRUPT = 3.5  # standard errors, there
_SHORT = 0.04  # of the series: a level that goes back sooner is an anomaly, no shift
_CLIP = 3.0


def breaks(values: Vector) -> list[int]:
    """Return the slots at which a new level begins; seasons must have been taken out."""
    if values.size < 10 or not np.ptp(values):
        return []
    whole = _calmed(values)
    size = -(-whole.size // _BLOCKS)
    coarse = _blocks(whole, size)
    found = _selected(coarse, _candidates(coarse))
    found = [_placed(whole, at * size, size) for at in found]
    found = _lasting(whole, sorted(set(found)))
    return [at for at in found if _abrupt(whole, at, found)]


def _calmed(values: Vector) -> Vector:
    """Return the values without spikes: no further from a short running median than noise."""
    from scipy.ndimage import median_filter

    middle = median_filter(values, min(11, values.size | 1), mode="nearest")
    rest = values - middle
    scale = spread(rest)
    if not scale:
        return np.asarray(middle, dtype=np.float64)
    return np.asarray((middle + np.clip(rest, -_CLIP * scale, _CLIP * scale)) / scale)


def _blocks(values: Vector, size: int) -> Vector:
    rows = values.size // size
    return np.asarray(np.median(values[: rows * size].reshape(rows, size), axis=1))


def _candidates(values: Vector) -> list[int]:
    """Return the steps of the best piecewise constant line (PELT), more than there will be."""
    import ruptures

    noise = max(spread(np.diff(values)) ** 2 / 2, 1e-12)
    search = ruptures.KernelCPD(kernel="linear", min_size=2).fit(values[:, None])
    penalty = 2 * np.log(values.size) * noise
    found = search.predict(pen=penalty)[:-1]
    while len(found) > _MOST:
        penalty *= 1.5
        found = search.predict(pen=penalty)[:-1]
    return [int(at) for at in found]


def _selected(values: Vector, candidates: list[int]) -> list[int]:
    """Return the candidates that are worth their price: drop the weakest while any is there."""
    kept, best, least = list(candidates), list[int](), np.inf
    while True:
        criterion, strengths = _fit(values, _steps(values.size, kept))
        criterion += _PRICE * np.log(values.size) * len(kept)
        if criterion < least:
            best, least = list(kept), criterion
        if not kept:
            return best
        del kept[int(np.argmin(strengths))]


def _steps(n: int, at: list[int]) -> Matrix:
    """Return the regressors: a constant, a straight line, and a step at each place."""
    line = np.arange(n) / n - 0.5
    steps = [(np.arange(n) >= place).astype(np.float64) for place in at]
    return np.stack([np.ones(n), line, *steps], axis=1)


def _fit(values: Vector, regressors: Matrix) -> tuple[float, Vector]:
    """Return n log(variance) and the |t| of each step, by least squares in coloured noise."""
    rest = values - regressors @ np.linalg.lstsq(regressors, values, rcond=None)[0]
    filter_ = autoregression(rest)
    y = np.convolve(values, filter_, mode="valid")
    x = np.stack([np.convolve(column, filter_, mode="valid") for column in regressors.T], axis=1)
    gram = np.linalg.pinv(x.T @ x)
    weights = gram @ (x.T @ y)
    variance = max(float(np.mean((y - x @ weights) ** 2)), 1e-9)
    errors = np.sqrt(np.maximum(np.diag(gram), 1e-18) * variance)
    freedom = y.size / max(y.size - x.shape[1], 1)
    criterion = y.size * np.log(variance) + np.log(y.size) * (filter_.size - 1)
    return float(criterion), np.abs(weights[2:] / errors[2:]) / np.sqrt(freedom)


def _placed(values: Vector, at: int, size: int) -> int:
    """Return the place near a step that explains its surroundings best."""
    low, high = max(at - _AROUND - 2 * size, 0), min(at + _AROUND + 2 * size, values.size)
    near = values[low:high]
    places = range(max(at - 2 * size - 1, low + 2), min(at + 2 * size + 2, high - 1))
    costs = {place: _cost(near, place - low) for place in places}
    return min(costs, key=lambda place: costs[place], default=at)


def _cost(values: Vector, at: int) -> float:
    left, right = values[:at], values[at:]
    return float(np.sum((left - left.mean()) ** 2) + np.sum((right - right.mean()) ** 2))


def _lasting(values: Vector, at: list[int]) -> list[int]:
    """Leave out pairs of steps between which the level was only away for a short time."""
    kept = list(at)
    short = max(5, int(_SHORT * values.size))
    for first, second in itertools.pairwise(at):
        if second - first <= short and first in kept and second in kept:
            before = np.median(values[max(first - short, 0) : first])
            after = np.median(values[second : second + short])
            if abs(after - before) < 0.5 * abs(np.median(values[first:second]) - before):
                kept = [place for place in kept if place not in (first, second)]
    return kept


def _abrupt(values: Vector, at: int, others: list[int]) -> bool:
    """Tell whether a step stands out from a straight line through its surroundings."""
    low = max([at - _AROUND, 0, *(place for place in others if place < at)])
    high = min([at + _AROUND, values.size, *(place for place in others if place > at)])
    near = values[low:high]
    if near.size < 8:
        return True
    _, strengths = _fit(near, _steps(near.size, [at - low]))
    return bool(strengths[0] > _ABRUPT)
