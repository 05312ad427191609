"""Date parsing: how moments are written, and the SQL that reads them; NULL what cannot be read.

Dates have one format a column. A year, a quarter or seconds since 1970 are a moment only in the
column that an analysis names as its time: elsewhere 1990 is a number.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache

# One way to write a date each; DuckDB and Python agree on these directives.
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%Y年%m月%d日", "%Y%m%d", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
    "%b %d %Y", "%B %d %Y", "%a, %d %b %Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%b-%y",
    "%Y-%m", "%Y/%m", "%Y年%m月", "%m/%Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y",
)  # fmt: skip
_TIMES = (
    "", " %H:%M", " %H:%M:%S", "T%H:%M:%S", "T%H:%M", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p",
)  # fmt: skip
_ISO = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_MOST = 0.9  # share of the values that one way of writing must fit
_TRIED = 6  # values from all over, of which a format must fit one before all are tried
_DIGITS = "'０１２３４５６７８９', '0123456789'"

# Ways to write a period or an instant, and SQL for its first day from their groups: `t` as text,
# `n` as numbers.
_PERIODS = (
    (r"((?:1[5-9]|20|21)\d\d)年?度?", "{n[0]} || '-01-01'"),
    (r"((?:19|20)\d\d)(0[1-9]|1[0-2])", "{n[0]} || '-' || {n[1]} || '-01'"),
    (r"(\d{4})[-/ ]?[Qq]([1-4])", "{n[0]} || '-' || (3 * {n[1]} - 2) || '-01'"),
    (r"[Qq]([1-4])[-/ ]?(\d{4})", "{n[1]} || '-' || (3 * {n[0]} - 2) || '-01'"),
    (
        r"(\d{4})[- ]?W(\d\d?)",
        "try_strptime({n[0]} || '-W' || {n[1]} || '-1', '%G-W%V-%u')::VARCHAR",
    ),
    (r"(\d{9,10})(?:\.\d+)?", "make_timestamp({n[0]} * 1000000)::VARCHAR"),
    (r"(\d{12,13})", "make_timestamp({n[0]} * 1000)::VARCHAR"),
    (r"(\d{15,16})", "make_timestamp({n[0]})::VARCHAR"),
    (r"(\d{18,19})", "make_timestamp({n[0]} // 1000)::VARCHAR"),
    (
        r"(令和|平成|昭和|大正|明治)(元|\d\d?)年(?:(\d\d?)月)?(?:(\d\d?)日)?",
        "(CASE {t[0]} WHEN '令和' THEN 2018 WHEN '平成' THEN 1988 WHEN '昭和' THEN 1925 "
        "WHEN '大正' THEN 1911 ELSE 1867 END + coalesce({n[1]}, 1)) "
        "|| '-' || coalesce({n[2]}, 1) || '-' || coalesce({n[3]}, 1)",
    ),
)


def is_iso(values: Sequence[str]) -> bool:
    """Tell whether all values are dates as ISO 8601 writes them, which DuckDB reads by itself."""
    if not all(map(_ISO.fullmatch, values)):
        return False
    try:
        datetime.fromisoformat(values[0])
    except ValueError:
        return False
    return True


def date_format(values: Sequence[str]) -> tuple[str, bool] | None:
    """Return the one format in which (nearly) all values are dates, and whether it is doubtful."""
    some = values[:: max(len(values) // _TRIED, 1)]
    if all(_PLAIN.fullmatch(value) and len(value) != 8 for value in some):  # 20260301 may be a date
        return None
    fitting = {
        date + time: share
        for time in _TIMES
        for date in _DATES
        if any(_parses(value, date + time) for value in some)
        and (share := _share(values[:2000], date + time)) >= _MOST
    }
    if not fitting:
        return None
    best = max(fitting.values())
    chosen = [format for format, share in fitting.items() if share == best]
    return chosen[0], _swapped(chosen[0]) in chosen


def moment(text: str, format: str) -> str:
    """Return SQL that reads a text written as `format` (strptime's) says."""
    escaped = format.replace("'", "''")
    return f"try_strptime(translate(trim({text}::VARCHAR), {_DIGITS}), '{escaped}')"


def period(text: str, values: Sequence[str]) -> str | None:
    """Return SQL that reads years, months, quarters, weeks, eras or instants; or None.

    A period is its first day; instants are seconds, or thousandths and so on, since 1970:
    "2026Q2", "2026-W14", "令和8年4月" and "1775001600" are all read near 2026-04-01.
    """
    texts = [re.sub(r"\.0+$", "", value.strip()) for value in values]
    for pattern, first_day in _PERIODS:
        if texts and sum(bool(re.fullmatch(pattern, t)) for t in texts) / len(texts) >= _MOST:
            return _read(text, pattern, first_day)
    return None


def _read(text: str, pattern: str, first_day: str) -> str:
    bare = f"regexp_replace(translate(trim({text}::VARCHAR), {_DIGITS}), '\\.0+$', '')"
    count = re.compile(pattern).groups
    texts = [f"regexp_extract({bare}, '^{pattern}$', {group})" for group in range(1, count + 1)]
    numbers = [f"try_cast({digits} AS BIGINT)" for digits in texts]
    start = f"try_cast({first_day.format(t=texts, n=numbers)} AS TIMESTAMP)"
    return f"CASE WHEN regexp_full_match({bare}, '{pattern}') THEN {start} END"


def _swapped(format: str) -> str:
    return format.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")


def _share(values: Sequence[str], format: str) -> float:
    return sum(_parses(value, format) for value in values) / max(len(values), 1)


def _parses(value: str, format: str) -> bool:
    if format == "%Y%m%d" and not re.fullmatch(r"(19|20)\d{6}", value):
        return False
    if any(mark not in value for mark in _marks(format)):
        return False  # strptime makes a regular expression of each format, which takes longer
    try:
        datetime.strptime(value, format)
    except ValueError:
        return False
    return True


@cache
def _marks(format: str) -> str:
    """Return what stands between a format's directives, blanks aside."""
    return re.sub(r"%.|\s", "", format)
