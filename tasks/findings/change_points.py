"""Change-point detection: at which points a series takes another level and keeps it.

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
    steps = _selected(coarse, _candidates(coarse))
    steps = [_placed(whole, step * size, size) for step in steps]
    steps = _lasting(whole, sorted(set(steps)))
    return [step for step in steps if _abrupt(whole, step, steps)]


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
    ends = search.predict(pen=penalty)
    while len(ends) - 1 > _MOST:  # the last end is that of the series
        penalty *= 1.5
        ends = search.predict(pen=penalty)
    return [int(end) for end in ends[:-1]]


def _selected(values: Vector, candidates: list[int]) -> list[int]:
    """Return the candidates that are worth their price: drop the weakest while any is there."""
    steps, best, least = list(candidates), list[int](), np.inf
    while True:
        criterion, strengths = _fit(values, _regressors(values.size, steps))
        criterion += _PRICE * np.log(values.size) * len(steps)
        if criterion < least:
            best, least = list(steps), criterion
        if not steps:
            return best
        del steps[int(np.argmin(strengths))]


def _regressors(n: int, steps: list[int]) -> Matrix:
    """Return a constant, a straight line, and a step (0 before, 1 from there) at each place."""
    line = np.arange(n) / n - 0.5
    columns = [(np.arange(n) >= step).astype(np.float64) for step in steps]
    return np.stack([np.ones(n), line, *columns], axis=1)


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


def _placed(values: Vector, step: int, size: int) -> int:
    """Return the place near a step that explains its surroundings best."""
    low, high = max(step - _AROUND - 2 * size, 0), min(step + _AROUND + 2 * size, values.size)
    near = values[low:high]
    places = range(max(step - 2 * size - 1, low + 2), min(step + 2 * size + 2, high - 1))
    costs = {place: _cost(near, place - low) for place in places}
    return min(costs, key=lambda place: costs[place], default=step)


def _cost(values: Vector, step: int) -> float:
    left, right = values[:step], values[step:]
    return float(np.sum((left - left.mean()) ** 2) + np.sum((right - right.mean()) ** 2))


def _lasting(values: Vector, steps: list[int]) -> list[int]:
    """Leave out pairs of steps between which the level was only away for a short time.

    ____|‾‾|________|‾‾‾‾‾‾‾‾‾‾   steps at 4, 7 and 16
    ________________|‾‾‾‾‾‾‾‾‾‾   the first two are an anomaly; 16 lasts
    """
    lasting = list(steps)
    short = max(5, int(_SHORT * values.size))
    for first, second in itertools.pairwise(steps):
        if second - first <= short and first in lasting and second in lasting:
            before = np.median(values[max(first - short, 0) : first])
            after = np.median(values[second : second + short])
            if abs(after - before) < 0.5 * abs(np.median(values[first:second]) - before):
                lasting = [step for step in lasting if step not in (first, second)]
    return lasting


def _abrupt(values: Vector, step: int, others: list[int]) -> bool:
    """Tell whether a step stands out from a straight line through its surroundings."""
    low = max([step - _AROUND, 0, *(other for other in others if other < step)])
    high = min([step + _AROUND, values.size, *(other for other in others if other > step)])
    near = values[low:high]
    if near.size < 8:
        return True
    _, strengths = _fit(near, _regressors(near.size, [step - low]))
    return bool(strengths[0] > _ABRUPT)
