"""Recurring events: what a series does again and again, so that it is no anomaly.

A nightly backup is a spike each time. Why these parts: docs/log.md, "What a series does anyway"
(2026-11-25).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.findings.timeseries import Flags, Vector

_DAY, _WEEK = 86_400.0, 604_800.0  # seconds
_SHORTEST = 7  # slots of a cycle
_JITTER = 24  # parts of a cycle, by one of which an event may come earlier or later
_CYCLES = 4  # in which something came at its time, at least, to be usual there
_USUAL = 0.4  # part of the cycles
_ALIKE = 0.15  # part of its size by which events of one kind may differ
_OFTEN = 8  # others of one kind, with which nobody would call an event unusual


def recurring(
    starts: Sequence[int], deviations: Sequence[float], size: int, cycles: Sequence[int]
) -> Flags:
    """Tell which of the events in a series of `size` slots are what it does anyway.

    Such an event has its time in one of the cycles (lengths in slots). Or it is of a kind: many
    others, at no such time either, have its direction and its size.

    |..^....|..^....|..^.v..|..^....|..^....   five cycles of 7 slots, a spike in each of them
    |..#....|..#....|..#....|..#....|..#....   usual; the fall v came once, and is not
    """
    slots = np.asarray(starts, dtype=np.float64)
    deviation = np.asarray(deviations, dtype=np.float64)
    usual = np.zeros(slots.size, dtype=bool)
    for cycle in cycles:
        if cycle >= _SHORTEST and size >= _CYCLES * cycle:
            usual |= _at_its_time(slots, deviation > 0, cycle, size)
    usual[~usual] = _of_one_kind(deviation[~usual])
    return usual


def calendar(step: float) -> list[int]:
    """Return the day and the week in slots of `step` seconds, where slots fit into them."""
    return [round(length / step) for length in (_DAY, _WEEK) if step and length % step == 0]


def _at_its_time(slots: Vector, up: Flags, cycle: int, size: int) -> Flags:
    """Tell which came, in the same direction and near the same time, in many of the cycles."""
    turns = (slots[None, :] - slots[:, None]) / cycle  # a whole number: the same time
    near = np.abs(turns - np.rint(turns)) <= (cycle // _JITTER) / cycle
    alike = near & (up[None, :] == up[:, None])
    came = [np.unique(np.rint(row[same])).size for row, same in zip(turns, alike, strict=True)]
    return np.asarray(np.array(came) >= max(_CYCLES, _USUAL * size / cycle), dtype=bool)


def _of_one_kind(deviation: Vector) -> Flags:
    apart = np.abs(deviation[:, None] - deviation[None, :])
    others = (apart <= _ALIKE * np.abs(deviation)[:, None]).sum(axis=1) - 1
    return np.asarray(others >= _OFTEN, dtype=bool)
