"""Cron: when a schedule falls due, the moments an expression names in the owner's zone.

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


def meant(cron: str, due: datetime, zone: ZoneInfo) -> datetime:
    """Return the occurrence a run of Prefect's is for: near a change of the clock, the nearest.

    Prefect starts an hour early what daylight saving would skip. Elsewhere a time that is none
    of ours is one the owner gave in Prefect's pages, and stands for itself.
    """
    near = between(cron, due - SHIFT, due + SHIFT, zone)
    if due in near or not near or not _clock_changes(due, zone):
        return due
    return min(near, key=lambda moment: abs(moment - due))


def _clock_changes(moment: datetime, zone: ZoneInfo) -> bool:
    before, after = (moment + hours * timedelta(hours=1) for hours in (-3, 3))
    return before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset()


def between(cron: str, after: datetime, until: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the occurrences in (after, until], in UTC; of very many those of the last weeks."""
    moments: list[datetime] = []
    moment = _next(cron, after, zone)
    while moment <= until:
        moments.append(moment)
        moment = _next(cron, moment, zone)
        if len(moments) > MANY and after < until - WINDOW:
            return between(cron, until - WINDOW, until, zone)
    return moments


@lru_cache(maxsize=4096)  # asked each second from the same mark on
def _next(cron: str, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first occurrence after a moment, in UTC."""
    from cronsim import CronSim

    # From hours before: cronsim goes by the wall, and its hour may come twice.
    for local in CronSim(cron, (after - timedelta(hours=3)).astimezone(zone)):
        if (moment := local.astimezone(UTC)) > after:
            return moment
    return datetime.max.replace(tzinfo=UTC)


def fixed(cron: str) -> bool:
    """Tell whether the expression names times of the day rather than an interval."""
    minute, hour = cron.split()[:2]
    return not minute.startswith("*") and not hour.startswith("*")


def wall(moment: datetime, zone: ZoneInfo) -> str:
    """Return what a clock on the wall shows at a moment."""
    return moment.astimezone(zone).strftime(MINUTE)
