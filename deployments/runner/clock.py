"""Suspend and clock changes: two clocks beside each other show them in the gap between.

Nothing depends on it: what was missed is found by each poll of the runner, whatever the cause.
It only gives the cause a name, and the moment to look at the time zone again.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from tasks.text.figures import duration
from thirdshift.settings import settings

EVERY = 5.0  # seconds between two readings
SLACK = 5.0  # seconds: less is a clock that is being adjusted, or a busy machine

log = logging.getLogger("prefect.runner.clock")


class ClockReading(NamedTuple):
    """Seconds on three clocks: the wall's, that of waking time, and the one that never stops."""

    wall: float
    awake: float
    elapsed: float


def read_clocks() -> ClockReading:
    """Return what the clocks show now."""
    if sys.platform == "darwin":
        awake = time.clock_gettime(time.CLOCK_UPTIME_RAW)
        elapsed = time.clock_gettime(time.CLOCK_MONOTONIC_RAW)  # goes on in sleep there
    else:
        awake = time.clock_gettime(time.CLOCK_MONOTONIC)
        elapsed = time.clock_gettime(time.CLOCK_BOOTTIME)
    return ClockReading(time.time(), awake, elapsed)


def happened(before: ClockReading, after: ClockReading) -> str:
    """Return in words what came between two readings, beside time; empty: nothing did."""
    asleep = (after.elapsed - before.elapsed) - (after.awake - before.awake)
    set_by = (after.wall - before.wall) - (after.elapsed - before.elapsed)
    sentences = []
    if asleep > SLACK:
        sentences.append(f"The machine slept for {duration(asleep)}.")
    if abs(set_by) > SLACK:
        way = "forward" if set_by > 0 else "back"
        sentences.append(f"The clock was set {way} {duration(abs(set_by))}.")
    return " ".join(sentences)


async def watch(new_zone: Callable[[], Awaitable[object]]) -> None:
    """Say for ever when the machine slept or its clock was set; tell of a new time zone."""
    import tzlocal

    before, zone = read_clocks(), settings().zone.key
    while True:
        await asyncio.sleep(EVERY)
        after = read_clocks()
        if gap := happened(before, after):
            log.warning(gap)
        before = after
        try:
            tzlocal.reload_localzone()  # it would keep the first for ever
            if settings().zone.key != zone:
                log.warning("The time zone is now %s, no longer %s.", settings().zone.key, zone)
                await new_zone()
                zone = settings().zone.key
        except Exception as error:  # a zone half written, a server that restarts: next time
            log.warning("No look at the time zone for now: %r", error)
