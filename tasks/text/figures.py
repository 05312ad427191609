"""Figures: how numbers and dates are written in what people read."""

from datetime import date, datetime
from typing import Any


def figure(value: float, unit: str = "", language: str = "en") -> str:
    """Return a number as reports show it: four digits at least, its unit behind it."""
    size = abs(value)
    if size >= 1000 or value == int(value):
        shown = f"{value:,.0f}"
    else:
        shown = f"{value:.4g}" if size >= 1e-4 else f"{value:.2e}"
    gap = "" if language == "ja" or not unit else " "
    return f"{shown}{gap}{unit}"


def day(moment: Any) -> str:
    """Return a moment as an ISO date, with its time of day where it has one."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment) if "-" in moment else moment
    if isinstance(moment, datetime):
        shown = moment.strftime("%Y-%m-%d %H:%M")
        return shown.removesuffix(" 00:00").removesuffix(" 23:59")
    return moment.isoformat() if isinstance(moment, date) else str(moment)


def duration(seconds: float) -> str:
    """Return a length of time as people say it: 12.3 s, 4 min 05 s, 2 h 07 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if rest else f"{minutes} min"
