"""When a schedule falls due: the moments a cron expression names in the owner's zone.

They are told by cronsim as Debian's cron does: what falls into the hour that daylight saving
skips comes once, right after it; what names a time of the hour that is repeated comes once, the
first time. Prefect counts otherwise there, so each of its runs is laid to the occurrence it was
meant for.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MANY = 3000  # occurrences; of more, only those of the last WINDOW are told
WINDOW = timedelta(days=35)
SHIFT = timedelta(minutes=90)  # daylight saving moves no clock further
MINUTE = "%Y-%m-%d %H:%M"


def meant(cron: str, at: datetime, zone: ZoneInfo) -> datetime:
    """Return the occurrence a run of Prefect's is for: near a change of the clock, the nearest.

    Prefect starts an hour early what daylight saving would skip. Elsewhere a time that is none
    of ours is one the owner gave in Prefect's pages, and stands for itself.
    """
    near = between(cron, at - SHIFT, at + SHIFT, zone)
    if at in near or not near or not _clock_changes(at, zone):
        return at
    return min(near, key=lambda one: abs(one - at))


def _clock_changes(at: datetime, zone: ZoneInfo) -> bool:
    before, after = (at + hours * timedelta(hours=1) for hours in (-3, 3))
    return before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset()


def between(cron: str, after: datetime, until: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the occurrences in (after, until], in UTC; of very many those of the last weeks."""
    found: list[datetime] = []
    at = _next(cron, after, zone)
    while at <= until:
        found.append(at)
        at = _next(cron, at, zone)
        if len(found) > MANY and after < until - WINDOW:
            return between(cron, until - WINDOW, until, zone)
    return found


@lru_cache(maxsize=4096)  # asked each second from the same mark on
def _next(cron: str, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first occurrence after a moment, in UTC."""
    from cronsim import CronSim

    # From hours before: cronsim goes by the wall, and its hour may come twice.
    for moment in CronSim(cron, (after - timedelta(hours=3)).astimezone(zone)):
        if (at := moment.astimezone(UTC)) > after:
            return at
    return datetime.max.replace(tzinfo=UTC)


def fixed(cron: str) -> bool:
    """Tell whether the expression names times of the day rather than an interval."""
    minute, hour = cron.split()[:2]
    return not minute.startswith("*") and not hour.startswith("*")


def wall(at: datetime, zone: ZoneInfo) -> str:
    """Return what a clock on the wall shows at a moment."""
    return at.astimezone(zone).strftime(MINUTE)
