"""Series made up with a seed, whose anomalies and shifts are known; no data of anyone."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class Made(NamedTuple):
    series: pd.Series
    at: list[int]  # the positions that were planted
    kind: str


def autoregressive(rng: Generator, n: int, phi: float = 0.7) -> Vector:
    x = rng.normal(size=n)
    for at in range(1, n):
        x[at] += phi * x[at - 1]
    return x


NOISES: dict[str, Callable[[Generator, int], Vector]] = {
    "white": lambda rng, n: rng.normal(size=n),
    "autoregressive": lambda rng, n: autoregressive(rng, n, rng.uniform(0.3, 0.9)),
    "walk": lambda rng, n: np.cumsum(rng.normal(size=n)),
    "student": lambda rng, n: rng.standard_t(rng.choice([3, 4, 5]), size=n),
    "counts": lambda rng, n: rng.poisson(rng.choice([0.5, 3, 20, 200]), size=n) * 1.0,
    "lognormal": lambda rng, n: np.exp(0.5 * rng.normal(size=n)),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "uniform": lambda rng, n: rng.uniform(size=n),
    "moving_average": lambda rng, n: np.convolve(rng.normal(size=n + 2), [0.3, 0.6, 1], "valid"),
}


def index(rng: Generator, n: int) -> pd.Index:
    step = rng.choice(["range", "h", "D", "5min", "MS"])
    if step == "range":
        return pd.RangeIndex(n)
    return pd.date_range("2000-01-01", periods=n, freq=str(step))


def season(rng: Generator, n: int, period: int) -> Vector:
    turns = np.arange(n) / period
    return np.asarray(
        np.sin(2 * np.pi * (turns + rng.random()))
        + 0.4 * np.sin(4 * np.pi * (turns + rng.random()))
    )


def noise(seed: int) -> Made:
    rng = np.random.default_rng(10_000 + seed)
    kind = list(NOISES)[seed % len(NOISES)]
    n = int(rng.choice([100, 300, 1000]))
    return Made(pd.Series(NOISES[kind](rng, n), index(rng, n)), [], kind)


ANOMALOUS = ("plain", "trend", "season", "two_seasons", "growing", "memory", "shift", "drift")


def anomalous(seed: int) -> Made:
    """Plant spikes of 6 to 12 standard deviations, up or down, in 0.5 to 2 % of the points."""
    rng = np.random.default_rng(seed)
    kind = ANOMALOUS[seed % len(ANOMALOUS)]
    n = 1000 if kind == "two_seasons" else int(rng.choice([200, 400, 1000]))
    labels = index(rng, n)
    x = rng.normal(size=n)
    if kind == "trend":
        x += np.linspace(0, rng.uniform(-50, 50), n)
    if kind in ("season", "shift"):
        x += rng.uniform(3, 10) * season(rng, n, rng.choice([7, 12, 24]))
    if kind == "two_seasons":
        labels = pd.date_range("2024-01-01", periods=n, freq="h")
        x += 5 * season(rng, n, 24) + 3.0 * (np.arange(n) // 24 % 7 >= 5)
    if kind == "memory":
        x = autoregressive(rng, n, rng.uniform(0.3, 0.7))
    if kind == "shift":
        x[int(n * rng.uniform(0.3, 0.7)) :] += rng.uniform(5, 10)
    if kind == "drift":
        x += 8 * np.sin(2 * np.pi * np.linspace(0, rng.uniform(0.5, 2), n))
    planted = rng.choice(np.arange(5, n - 5), max(2, int(n * rng.choice([0.005, 0.01, 0.02]))))
    planted = np.unique(planted)
    planted = planted[np.concatenate(([True], np.diff(planted) > 3))]
    x[planted] += rng.uniform(6, 12, planted.size) * rng.choice([-1, 1], planted.size)
    if kind == "growing":
        swing = 1 + 0.3 * season(rng, n, 12) / 1.4
        x = 100 * np.exp(np.linspace(0, rng.uniform(0.5, 1.5), n)) * swing * (1 + 0.03 * x)
    return Made(pd.Series(x, labels), [int(at) for at in planted], kind)


SHIFTED = ("plain", "season", "memory", "trend", "counts", "outliers", "two", "student")


def shifted(seed: int) -> Made:
    """Plant one or two new levels, 4 to 10 standard deviations away."""
    rng = np.random.default_rng(20_000 + seed)
    kind = SHIFTED[seed % len(SHIFTED)]
    n = int(rng.choice([100, 200, 400, 1000]))
    labels, x = index(rng, n), rng.normal(size=n)
    at = [int(n * rng.uniform(0.2, 0.4)), int(n * rng.uniform(0.6, 0.8))]
    at = at if kind == "two" else at[seed // len(SHIFTED) % 2 :][:1]
    if kind == "season":
        x += 5 * season(rng, n, rng.choice([7, 12, 24]))
    if kind == "memory":
        x = autoregressive(rng, n, 0.5)
    if kind == "trend":
        x += np.linspace(0, rng.uniform(-10, 10), n)
    if kind == "student":
        x = rng.standard_t(4, size=n)
    if kind == "outliers":
        x[rng.choice(n, max(1, n // 100))] += 10
    for place in at:
        x[place:] += rng.choice([-1, 1]) * rng.uniform(4, 10)
    if kind == "counts":
        x = rng.poisson(np.where(np.arange(n) < at[0], 10, 30)) * 1.0
    return Made(pd.Series(x, labels), at, kind)
