"""Time series at even steps: a pandas series as numbers that the mathematics can work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]

_DAY = 86_400.0
_CALENDAR = {"M": (28, 31), "Q": (90, 92), "Y": (365, 366)}  # days of a step
_SPARSE = 3.0  # slots per value, over which moments count as irregular


class Evenly(NamedTuple):
    """Numbers at even steps. Gaps are filled by straight lines and not `present`."""

    values: Vector  # centred at the median; times `unit` they are the series' own
    present: Flags
    labels: Any  # the index label of each slot; of the value before, in a gap
    step: float  # seconds between two slots; 0 where the index is no time
    centre: float
    scale: float

    def original(self, value: float) -> float:
        """Return a value of `values` in the units of the series."""
        return float(value * self.scale + self.centre)


def evenly(series: pd.Series) -> Evenly:
    """Return the finite values of a series at even steps, in the order of its index.

    00:00 4, 01:00 6, 02:00 8, 03:00 9, 05:00 7   most steps are an hour
    4 6 8 9 8 7                                   values, before they are centred and scaled
    # # # # . #                                   present
    """
    clean = _clean(series)
    slots, step = _slots(clean.index)
    size = int(slots[-1]) + 1 if len(slots) else 0
    present = np.zeros(size, dtype=bool)
    present[slots] = True
    raw = clean.to_numpy(dtype=np.float64)
    centre, scale = _location(raw)
    scaled = np.interp(np.arange(size), slots, raw / scale) - centre / scale if size else raw
    owner = np.maximum.accumulate(_filled(slots, size)) if size else slots
    return Evenly(scaled, present, clean.index[owner], step, centre, scale)


def _clean(series: pd.Series) -> pd.Series:
    values = np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    clean: pd.Series = series[np.isfinite(values) & ~np.asarray(series.index.isna())].astype(
        np.float64
    )
    if not clean.index.is_monotonic_increasing:
        clean = clean.sort_index(kind="stable")
    return clean


def _location(raw: Vector) -> tuple[float, float]:
    """Return the median, and a scale that keeps squares of the largest numbers finite."""
    if not raw.size:
        return 0.0, 1.0
    largest = float(np.max(np.abs(raw)))
    scale = 2.0 ** np.floor(np.log2(largest)) if largest > 0 else 1.0  # exact in binary
    return float(np.median(raw / scale) * scale), float(scale)


def _filled(slots: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    owner = np.zeros(size, dtype=np.int64)
    owner[slots] = np.arange(len(slots))
    return owner


def _slots(index: pd.Index) -> tuple[NDArray[np.int64], float]:
    """Return the slot of each label, and the step in seconds."""
    import pandas as pd

    places = np.arange(len(index), dtype=np.int64)
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if not isinstance(index, pd.DatetimeIndex) or len(index) < 3:
        return places, 0.0
    moments = index.tz_localize(None) if index.tz is None else index.tz_convert(None)
    seconds = (moments - moments[0]).total_seconds().to_numpy()
    steps = np.diff(seconds)
    step = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    if not step or (step == _DAY and not (moments.day_of_week >= 5).any()):
        return places, step
    slots = _calendar(moments, step / _DAY)
    slots = np.round(seconds / step).astype(np.int64) if slots is None else slots
    crowded = np.unique(slots).size < slots.size
    return (places, step) if crowded or slots[-1] > _SPARSE * len(slots) else (slots, step)


def _calendar(moments: pd.DatetimeIndex, days: float) -> NDArray[np.int64] | None:
    for length, (least, most) in _CALENDAR.items():
        if least <= days <= most:
            ordinals = np.asarray(moments.to_period(length).astype("int64"), dtype=np.int64)
            return np.asarray(ordinals - ordinals[0])
    return None
