"""Paired bootstrap: is a difference more than chance? Seeded, by groups where there are some."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from thirdshift.evaluation import Interval
from thirdshift.settings import settings

_RESAMPLES = 5000
_SEED = 0


def interval(changes: Sequence[float], groups: Sequence[Hashable] = ()) -> Interval:
    """Return the mean of paired changes with its percentile interval.

    Items of one group (a cluster) are not independent: each group counts once, with its mean.
    Raises ValueError where there is nothing.
    """
    values = _by_group(changes, groups) if groups else np.asarray(changes, dtype=float)
    if not values.size:
        raise ValueError("There are no changes to judge.")
    low, high = _bounds(values)
    return Interval(mean=float(values.mean()), low=low, high=high, n=int(values.size))


def _by_group(changes: Sequence[float], groups: Sequence[Hashable]) -> NDArray[np.float64]:
    gathered: dict[Hashable, list[float]] = {}
    for change, group in zip(changes, groups, strict=True):
        gathered.setdefault(group, []).append(change)
    return np.array([np.mean(members) for members in gathered.values()])


def _bounds(values: NDArray[np.float64]) -> tuple[float, float]:
    if values.size < 2 or np.ptp(values) == 0:  # scipy has no interval for these
        return float(values.min()), float(values.max())
    from scipy.stats import bootstrap

    bounds = bootstrap(
        (values,),
        np.mean,
        n_resamples=_RESAMPLES,
        confidence_level=settings().judging.confidence,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return float(bounds.low), float(bounds.high)
