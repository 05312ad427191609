"""Time windows: hours of the day in the owner's zone, across midnight and clock changes."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


def parse(text: str) -> tuple[time, time]:
    """Return the two times of `22:00-07:00`; raises ValueError where it is not such."""
    first, dash, last = text.partition("-")
    try:
        start, end = time.fromisoformat(first.strip()), time.fromisoformat(last.strip())
    except ValueError as error:
        raise ValueError("not two times of day, as in 22:00-07:00") from error
    if not dash or start == end or start.tzinfo or end.tzinfo:
        raise ValueError("not two different times of day, as in 22:00-07:00")
    return start, end


def within(text: str, moment: datetime, zone: ZoneInfo) -> bool:
    """Tell whether the moment lies in the hours; an empty text is all day."""
    return not text or any(start <= moment < end for start, end in _windows(text, moment, zone))


def opening(text: str, moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the first time, `moment` or later, that lies in the hours."""
    if within(text, moment, zone):
        return moment
    return min(start for start, end in _windows(text, moment, zone) if start > moment)


def night(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the noon before and the noon after: what an energy budget is for."""
    local = moment.astimezone(zone)
    day = local.date() if local.hour >= 12 else local.date() - _DAY
    noons = (datetime.combine(date, time(12), zone) for date in (day, day + _DAY))
    start, end = (noon.astimezone(UTC) for noon in noons)
    return start, end


def _windows(text: str, moment: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Yield the window that began yesterday, and those of today and the two days after, in UTC.

    An hour that comes twice in autumn begins with its first and ends with its second
    occurrence; one that spring leaves out is read as the clock before the change would.
    """
    opens, closes = parse(text)
    today = moment.astimezone(zone).date()
    for date in (today + _DAY * shift for shift in (-1, 0, 1, 2)):
        last = date if opens < closes else date + _DAY
        start = datetime.combine(date, opens, zone).astimezone(UTC)
        ends = (datetime.combine(last, closes.replace(fold=fold), zone) for fold in (0, 1))
        yield start, max(end.astimezone(UTC) for end in ends)
