"""Anomaly detection: points and stretches that the rest of a series does not let expect.

Seasons and level are taken out, the noise's memory too; what then lies beyond the law of the
rest is an outlier. Why each threshold: docs/log.md, "Findings: anomalies and shifts" (2026-11-24).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tasks.findings.noise import (
    autoregression,
    spread,
    surprises,
    tail,
)
from tasks.findings.recurrence import calendar, recurring
from tasks.findings.seasonality import deseasonalised, periods, smooth
from tasks.findings.timeseries import (
    Evenly,
    Flags,
    Vector,
    evenly,
)
from thirdshift.findings import Finding, Quantity

if TYPE_CHECKING:
    import pandas as pd

_FEWEST = 12
_ALPHA = 0.005  # chance of any false anomaly in a series of noise
_ROUNDS = 5
_CYCLES = 4
_FITTING = 0.7  # least correlation of swing and level
_VARIED = 0.2  # least range of the logarithm of the level, to tell how the swing goes with it
_BLOCK = 12  # slots of the shortest block: one spike does not lift it
_BLOCKS = 30  # fewest blocks to judge one of them by the others
# Chance of any false one among blocks, as seasons are never known to the last digit; this and how
# loud noise may be: docs/log.md, "Anomalies where noise is uneven" (2026-11-25).
_CALM = 0.001
_CLIP = 4.0
_PHASED, _SEEN = 100, 2000  # fewest and most values near a phase that tell how loud it is there
_NEAR = 20  # slots to either side of it, at most
_BELIEF, _LOUDEST = 0.7, 4.0  # power of what they say, and its largest effect
_FINE = 0.005  # of the usual range: noise below it is rounding
_REACH = 3  # slots without an outlier that may lie within one anomaly; or an eighth of a season
_LEAN = 1.5  # standard deviations to the same side there


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
    lengths = periods(even)
    judged = _judged(even, lengths)
    reach = max(_REACH, min(lengths, default=0) // 8)
    events = _joined(judged, reach)
    sizes = [float(judged.deviation[_peak(judged, event)]) for event in events]
    cycles = [*lengths, *calendar(even.step)]
    usual = recurring([first for first, _ in events], sizes, even.values.size, cycles)
    rare = [event for event, often in zip(events, usual, strict=True) if not often]
    return [_finding(series, even, judged, event, unit) for event in rare]


def _judged(even: Evenly, lengths: list[int]) -> Judged:
    """Judge the values, or their logarithms where swings grow with the level."""
    if not (lengths and _grows(even, max(lengths))):
        return judge_values(even.values, even.present, lengths)
    raised = even.values + even.centre / even.scale
    judged = judge_values(np.log(raised), even.present, lengths)
    return judged._replace(deviation=raised * -np.expm1(-judged.deviation))


def _grows(even: Evenly, period: int) -> bool:
    """Tell whether the swing within a season is in proportion to its level."""
    raised = even.values + even.centre / even.scale
    rows = raised.size // period
    if raised.min() <= 0 or rows < _CYCLES:
        return False
    low, middle, high = np.quantile(
        raised[: rows * period].reshape(rows, period), [0.1, 0.5, 0.9], axis=1
    )
    swing, level = np.log(np.maximum(high - low, 1e-12)), np.log(middle)
    if np.ptp(level) < _VARIED or not np.ptp(swing):
        return False
    fit = float(np.corrcoef(level, swing)[0, 1])
    return fit > _FITTING and fit * float(np.std(swing) / np.std(level)) > 0.5


def judge_values(values: Vector, present: Flags, lengths: list[int]) -> Judged:
    """Hold each value against its season, its surroundings and its neighbours."""
    rest = deseasonalised(values, present, lengths)
    longest = max(lengths, default=1)
    rest = rest - smooth(rest, 3 * longest if longest > 1 else 1)
    least = _FINE * float(np.ptp(np.quantile(values - smooth(values, 1), [0.05, 0.95])))
    loud = _loudness(rest, present, min(lengths, default=0))
    judged = _whitened(rest / loud, present, least)
    judged = judged._replace(deviation=judged.deviation * loud)
    for size in sorted({length // 4 for length in lengths} | {min(lengths, default=16) // 2}):
        if size >= _BLOCK and rest.size >= _BLOCKS * size:
            calm = np.where(judged.outlying, 0.0, rest)
            judged = _merged(judged, _in_blocks(calm, present, size, least), size)
    return judged


def _loudness(rest: Vector, present: Flags, length: int) -> Vector:
    """Return how loud the noise is at each slot's phase of a season, around 1.

    Days are louder than nights. What the steps of a few cycles show of it is taken in part.
    """
    rows = rest.size // max(length, 1)
    reach = max(min(length // 24, _NEAR), _PHASED // (2 * max(rows, 1)))
    width = 2 * reach + 1
    steps = np.abs(np.diff(rest, prepend=rest[:1]))
    whole = float(np.median(steps[present]))
    if rows < _CYCLES or width > length // 3 or not whole:
        return np.ones(rest.size)
    table = np.where(present, steps, whole)[: rows * length].reshape(rows, length)
    table = table[:: -(-rows * width // _SEEN)]
    around = np.concatenate((table[:, table.shape[1] - reach :], table, table[:, :reach]), axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(around, width, axis=1)
    ratio = np.median(windows, axis=(0, 2)) / whole
    return np.resize(np.clip(ratio**_BELIEF, 1 / _LOUDEST, _LOUDEST), rest.size)


def _in_blocks(rest: Vector, present: Flags, size: int, least: float) -> Judged:
    """Judge the means of blocks, in which a long deviation adds up and a spike does not."""
    rows = rest.size // size
    scale = spread(rest[present])
    calm = np.where(present, np.clip(rest, -_CLIP * scale, _CLIP * scale), 0.0)
    means = calm[: rows * size].reshape(rows, size).mean(axis=1)
    full = present[: rows * size].reshape(rows, size).mean(axis=1) > 0.5
    return _whitened(means, full, least, _CALM)


def _merged(judged: Judged, blocks: Judged, size: int) -> Judged:
    """Add the slots of outlying blocks, each with the judgement of its block."""
    deviation, z, p = judged.deviation.copy(), judged.z.copy(), judged.p.copy()
    outlying = judged.outlying.copy()
    for block in np.flatnonzero(blocks.outlying):
        place = slice(block * size, (block + 1) * size)
        if not judged.outlying[place].any():
            deviation[place], z[place] = blocks.deviation[block], blocks.z[block]
            p[place], outlying[place] = blocks.p[block], True
    return Judged(deviation, z, p, outlying)


def _whitened(rest: Vector, present: Flags, least: float, level: float = _ALPHA) -> Judged:
    """Judge a series without season and level; outliers found are taken out, and again."""
    clean, outlying = np.where(present, rest, 0.0), np.zeros(rest.size, dtype=bool)
    filter_ = autoregression(clean)
    for _ in range(_ROUNDS):
        surprise = surprises(clean, filter_)
        deviation = surprise + (rest - clean)
        scale = max(spread(surprise[present & ~outlying]), least)
        if not scale:
            return _unmoved(rest, present)
        z = deviation / scale
        law = tail(z[present], level)
        fresh = present & (np.abs(z) >= law.limit) & ~outlying & _tops(np.abs(z))
        if not fresh.any():
            break
        outlying |= fresh
        clean[fresh] -= surprise[fresh]
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


def _joined(judged: Judged, reach: int) -> list[tuple[int, int]]:
    """Return the stretches of outliers; two with the same lean between them are one.

    ..####.#..##......   outlying (reach 3, and what lies between leans to the same side)
    ..##########......   one stretch, as (first, last) slot: (2, 11)
    """
    joined: list[tuple[int, int]] = []
    for first, last in stretches(judged.outlying):
        if joined and first - joined[-1][1] - 1 <= reach:
            between = judged.z[joined[-1][1] + 1 : first]
            if float(np.median(between)) * np.sign(judged.z[first]) > _LEAN:
                joined[-1] = (joined[-1][0], last)
                continue
        joined.append((first, last))
    return joined


def stretches(flags: Flags) -> list[tuple[int, int]]:
    """Return the first and last slot of each run of flags."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _peak(judged: Judged, stretch: tuple[int, int]) -> int:
    """Return the most surprising slot of a stretch."""
    first, last = stretch
    return first + int(np.argmin(judged.p[first : last + 1]))


def _finding(
    series: pd.Series, even: Evenly, judged: Judged, stretch: tuple[int, int], unit: str
) -> Finding:
    peak = _peak(judged, stretch)
    observed = even.original(float(even.values[peak]))
    deviation = float(judged.deviation[peak] * even.scale)
    p_value = float(np.clip(judged.p[peak], 1e-300, 1.0))
    return Finding(
        kind="anomaly",
        measure=str(series.name or "value"),
        start=even.labels[stretch[0]],
        end=even.labels[stretch[1]],
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
