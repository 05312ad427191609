"""The energy ledger: joules of the machine while a run is under way, and of a whole night."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise

from tasks.machine import sensors
from tasks.machine.probes import Absent, Counter, Machine
from tasks.runs import hours
from tasks.runs.ledger import history
from thirdshift.outcome import Ran
from thirdshift.records import Sensed
from thirdshift.settings import settings

_LOOK = 120.0  # seconds; RAPL's counters wrap after 262 kJ, a quarter of an hour at 300 W


class Meter:
    """Joules the machine took since this was made, or None where nothing counts them.

    A counter does not know who used the energy: runs that overlap are each given all of it,
    and `spent` takes care not to count it twice.
    """

    def __init__(self, on: Machine | None = None) -> None:
        self._machine = on or sensors.machine()
        self._turn = threading.Lock()
        self._joules = 0.0
        self._last = self._read()

    def joules(self) -> float | None:
        """Return the joules so far; to be called more often than a counter wraps."""
        with self._turn:
            now = self._read()
            if self._last is None or now is None or now.keys() != self._last.keys():
                self._last = None  # a meter that failed once would give too little
                return None
            self._joules += sum(_between(self._last[part], now[part]) for part in now)
            self._last = now
            return self._joules

    @property
    def wraps(self) -> bool:
        """Whether a counter starts again from 0 some day."""
        return any(counter.wraps_at for counter in (self._last or {}).values())

    def _read(self) -> dict[str, Counter] | None:
        try:
            return {counter.part: counter for counter in self._machine.counters()[0]}
        except (Absent, OSError, ValueError):
            return None  # `thirdshift sensors` says why


def _between(last: Counter, now: Counter) -> float:
    rise = now.joules - last.joules
    return rise + (now.wraps_at or 0) if rise < 0 else rise


@contextmanager
def metering(on: Machine | None = None) -> Iterator[Meter]:
    """Meter what happens meanwhile, looking often enough that no counter wraps unseen."""
    meter, over = Meter(on), threading.Event()

    def look() -> None:
        while not over.wait(_LOOK):
            meter.joules()

    if meter.wraps:
        threading.Thread(target=look, name="energy meter", daemon=True).start()
    try:
        yield meter
    finally:
        over.set()


def spent(runs: Sequence[Ran]) -> float | None:
    """Return the joules these runs took together, or None where none was metered.

    The meter is the machine's: where runs overlap, the one with the highest mean power
    speaks for that time, so that no joule is counted twice:

        run a     |=== 10 W ===|
        run b           |=== 20 W ===|
        counted   |10 W |    20 W    |
    """
    metered = [run for run in runs if run.joules is not None and run.seconds > 0]
    if not metered:
        return None
    spans = [(run.started_at, _end(run), _watts(run)) for run in metered]
    edges = sorted({edge for start, end, _ in spans for edge in (start, end)})
    total = 0.0
    for left, right in pairwise(edges):
        watts = [power for start, end, power in spans if start <= left and right <= end]
        total += max(watts, default=0.0) * (right - left).total_seconds()
    return total


def night_spent(moment: datetime, on: Machine | None = None) -> Sensed:
    """Return what the runs of this night took so far, in kJ."""
    energy = sensors.sense(["energy"], on)["energy"]
    if energy.value is None:
        return Sensed(sensor="night", why=energy.why)
    since, until = hours.night(moment, settings().zone)
    kilojoules = (spent(history(since, until)) or 0.0) / 1e3
    return Sensed(sensor="night", value=kilojoules, unit="kJ", source=energy.source)


def _end(run: Ran) -> datetime:
    return run.started_at + timedelta(seconds=run.seconds)


def _watts(run: Ran) -> float:
    return (run.joules or 0.0) / run.seconds
