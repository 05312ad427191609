"""How numbers and dates are written in a column, and the SQL that reads them."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Literal, NamedTuple

Kind = Literal["number", "moment", "text"]

# One way to write a date each; DuckDB and Python agree on these directives.
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%Y年%m月%d日", "%Y%m%d", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
    "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%Y-%m", "%Y/%m", "%Y年%m月",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", "T%H:%M")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_SOME = 2000  # values of a column that tell the decimal mark, from all over the sample
_SYMBOLS = " \u00a0\u2009\u202f'’¥￥$€£円%％"
_NO_SYMBOLS = str.maketrans("", "", _SYMBOLS)
_NEGATIVE = re.compile(r"^\((.*)\)$|^[△▲](.*)$")
_NUMBER = re.compile(r"[+-]?(\d{1,3}([.,]\d{3})+|\d+)([.,]\d+)?")
EMPTY = {"", "-", "–", "—", "n/a", "na", "null", "none", "nan", "#n/a", "欠測", "なし", "..", "?"}
_WIDE = str.maketrans("０１２３４５６７８９．，－−", "0123456789.,--")
_MOST = 0.9  # share of a column's values that must be of a kind


class Column(NamedTuple):
    """A column: its name, what it holds, and how DuckDB reads it.

    `native` is the type that DuckDB can read by itself; empty where the text must be changed
    first, as `expression` says: SQL over the column as text, NULL where it cannot be read.
    """

    name: str
    kind: Kind
    native: str
    expression: str
    format: str = ""
    doubtful: bool = False  # the dates could also be read with day and month exchanged


def judge(name: str, values: Sequence[str], decimal: str = ".") -> Column:
    """Return what a column holds, from a sample of its values as text."""
    text = quoted(name)
    given = [_narrow(value) for value in values if value.lower() not in EMPTY]
    if not given:
        return Column(name, "text", "VARCHAR", text)
    if all(map(_ISO.fullmatch, given)) and _parsed(given):
        return Column(name, "moment", "TIMESTAMP", f"try_cast({text} AS TIMESTAMP)")
    if date := dates(given):
        return moments(name, *date)
    if decimal == "." and all(map(_PLAIN.fullmatch, given)):
        native = "DOUBLE" if len(given) == len(values) or "" in values else ""
        return Column(name, "number", native, number(text, decimal))
    if _share(given, lambda value: bool(_NUMBER.fullmatch(_bare(value)))) >= _MOST:
        return Column(name, "number", "", number(text, decimal))
    return Column(name, "text", "VARCHAR", text)


def moments(name: str, format: str, doubtful: bool = False) -> Column:
    """Return a column whose dates are written as `format` (strptime's) says."""
    text = f"translate(trim({quoted(name)}), '０１２３４５６７８９', '0123456789')"
    read = f"try_strptime({text}, '{format.replace(chr(39), chr(39) * 2)}')"
    return Column(name, "moment", "", read, format, doubtful)


def number(text: str, decimal: str) -> str:
    """Return SQL that reads a number: currency, blanks and grouping marks are taken away."""
    bare = f"translate({text}, '０１２３４５６７８９．，－−', '0123456789.,--')"
    bare = f"translate({bare}, {_literal(_SYMBOLS)}, '')"
    bare = f"regexp_replace({bare}, '^[(](.*)[)]$', '-\\1')"
    bare = f"regexp_replace({bare}, '^[△▲]', '-')"
    grouping = "." if decimal == "," else ","
    bare = f"replace(replace({bare}, '{grouping}', ''), '{decimal}', '.')"
    return f"try_cast({bare} AS DOUBLE)"


def decimal_mark(columns: Iterable[Sequence[str]], delimiter: str) -> str:
    """Return the decimal mark of a file, from values of all its columns.

    `1.234,5` and `0,25` tell; `1,234` does not: then it is the point, unless semicolons
    separate the fields, as they do where the comma is taken.
    """
    comma = point = unsure = 0
    for values in columns:
        for value in values[:: max(len(values) // _SOME, 1)]:
            narrow = _narrow(value)
            marked = "." in narrow or "," in narrow
            if not marked or not _NUMBER.fullmatch(bare := _bare(narrow)):
                continue
            last = max(bare.rfind(","), bare.rfind("."))
            other = "." if bare[last] == "," else ","
            grouped = len(bare) - last == 4 and bare.count(bare[last]) >= 1 and other not in bare
            if grouped and not bare.lstrip("+-").startswith("0"):
                unsure += bare[last] == ","
            elif bare[last] == ",":
                comma += 1
            else:
                point += 1
    if comma or point:
        return "," if comma > point else "."
    return "," if unsure and delimiter == ";" else "."


def dates(values: Sequence[str]) -> tuple[str, bool] | None:
    """Return the one format in which (nearly) all values are dates, and whether it is doubtful."""
    number = _PLAIN.fullmatch(values[0]) and len(values[0]) != 8  # 20260301 may be a date
    if number or not any(re.search(r"\d", value) for value in values[:20]):
        return None
    fitting = [
        date + time
        for time in _TIMES
        for date in _DATES
        if _parses(values[0], date + time)
        and _share(values[:2000], lambda value, f=date + time: _parses(value, f)) >= _MOST  # type: ignore[misc]
    ]
    best = [one for one in fitting if all(_parses(value, one) for value in values[:2000])]
    chosen = best or fitting
    if not chosen:
        return None
    return chosen[0], _swapped(chosen[0]) in chosen


def quoted(name: str) -> str:
    """Return a column's name as SQL; it may hold anything."""
    return '"' + name.replace('"', '""') + '"'


def _swapped(format: str) -> str:
    return format.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")


def _narrow(value: str) -> str:
    return value if value.isascii() else value.translate(_WIDE)


def _bare(value: str) -> str:
    bare = value.translate(_NO_SYMBOLS)
    return _NEGATIVE.sub(lambda found: f"-{found[1] or found[2]}", bare)


def _share(values: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, values)) / max(len(values), 1)


def _parsed(values: Sequence[str]) -> bool:
    try:
        datetime.fromisoformat(values[0])
    except ValueError:
        return False
    return True


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


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
