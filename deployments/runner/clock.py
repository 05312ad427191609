"""Two clocks beside each other: sleep, and clocks that were set, show in the gap between them.

Nothing depends on it: what was missed is found by each poll of the runner, whatever the cause.
It only gives the cause a name, and the moment to look at the time zone again.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from thirdshift.settings import settings

EVERY = 5.0  # seconds between two readings
SLACK = 5.0  # seconds: less is a clock that is being adjusted, or a busy machine

log = logging.getLogger("prefect.runner.clock")


class Reading(NamedTuple):
    """Seconds on three clocks: the wall's, that of waking time, and the one that never stops."""

    wall: float
    awake: float
    elapsed: float


def read() -> Reading:
    """Return what the clocks show now."""
    if sys.platform == "darwin":
        awake = time.clock_gettime(time.CLOCK_UPTIME_RAW)
        elapsed = time.clock_gettime(time.CLOCK_MONOTONIC_RAW)  # goes on in sleep there
    else:
        awake = time.clock_gettime(time.CLOCK_MONOTONIC)
        elapsed = time.clock_gettime(time.CLOCK_BOOTTIME)
    return Reading(time.time(), awake, elapsed)


def happened(before: Reading, after: Reading) -> str:
    """Return in words what came between two readings, beside time; empty: nothing did."""
    asleep = (after.elapsed - before.elapsed) - (after.awake - before.awake)
    set_by = (after.wall - before.wall) - (after.elapsed - before.elapsed)
    said = []
    if asleep > SLACK:
        said.append(f"The machine slept for {_long(asleep)}.")
    if abs(set_by) > SLACK:
        said.append(f"The clock was set {'forward' if set_by > 0 else 'back'} {_long(set_by)}.")
    return " ".join(said)


async def watch(new_zone: Callable[[], Awaitable[object]]) -> None:
    """Say for ever when the machine slept or its clock was set; tell of a new time zone."""
    import tzlocal

    before, zone = read(), settings().zone.key
    while True:
        await asyncio.sleep(EVERY)
        after = read()
        if said := happened(before, after):
            log.warning(said)
        before = after
        try:
            tzlocal.reload_localzone()  # it would keep the first for ever
            if settings().zone.key != zone:
                log.warning("The time zone is now %s, no longer %s.", settings().zone.key, zone)
                await new_zone()
                zone = settings().zone.key
        except Exception as error:  # a zone half written, a server that restarts: next time
            log.warning("No look at the time zone for now: %r", error)


def _long(seconds: float) -> str:
    minutes, rest = divmod(round(abs(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
