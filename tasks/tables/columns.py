"""Type inference: what a column holds, how its numbers are written, and the SQL that reads them."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from tasks.tables import dates

Kind = Literal["number", "moment", "text"]

_PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_SOME = 2000  # values of a column that tell the decimal mark, from all over the sample
_SYMBOLS = " \u00a0\u2009\u202f'’¥￥$€£円%％"
_NO_SYMBOLS = str.maketrans("", "", _SYMBOLS)
_NEGATIVE = re.compile(r"^\((.*)\)$|^[△▲](.*)$")  # as books of account write it: (2.50), ▲200
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


def judge_column(name: str, values: Sequence[str], decimal: str = ".") -> Column:
    """Return what a column holds, from a sample of its values as text.

    "12", "", "-3.5"         number, which DuckDB reads by itself (DOUBLE)
    "1.234,5", "(2,00)"      number with the decimal mark ",": read by an expression
    "2026-03-01"             moment (TIMESTAMP);  "1.3.2026": moment with a format
    "007", "tea"             "007" is a number here; of a dimension, `loading` makes it a text
    """
    text = quoted(name)
    filled = [_narrow(value) for value in values if value.lower() not in EMPTY]
    if not filled:
        return Column(name, "text", "VARCHAR", text)
    if dates.is_iso(filled):
        return Column(name, "moment", "TIMESTAMP", f"try_cast({text} AS TIMESTAMP)")
    if format := dates.date_format(filled):
        return dated_column(name, *format)
    if decimal == "." and all(map(_PLAIN.fullmatch, filled)):
        native = "DOUBLE" if len(filled) == len(values) or "" in values else ""
        return Column(name, "number", native, number(text, decimal))
    if _share(filled, lambda value: bool(_NUMBER.fullmatch(_bare(value)))) >= _MOST:
        return Column(name, "number", "", number(text, decimal))
    return Column(name, "text", "VARCHAR", text)


def dated_column(name: str, format: str, doubtful: bool = False) -> Column:
    """Return a column whose dates are written as `format` (strptime's) says."""
    read = dates.moment(quoted(name), format)
    return Column(name, "moment", "", read, format, doubtful)


def time_column(name: str, values: Sequence[str]) -> Column | None:
    """Return a column that is known to say when: years and quarters are moments there too."""
    judged = judge_column(name, [value.strip() for value in values])
    if judged.kind == "moment":
        return judged._replace(native="")
    filled = [_narrow(value) for value in values if value.strip().lower() not in EMPTY]
    read = dates.period(quoted(name), filled)
    return Column(name, "moment", "", read) if read else None


def number(text: str, decimal: str) -> str:
    """Return SQL that reads a number: currency, blanks and grouping marks are taken away."""
    bare = f"translate({text}, '０１２３４５６７８９．，－−', '0123456789.,--')"
    bare = f"translate({bare}, {literal(_SYMBOLS)}, '')"
    bare = f"regexp_replace({bare}, '^[(](.*)[)]$', '-\\1')"
    bare = f"regexp_replace({bare}, '^[△▲]', '-')"
    grouping = "." if decimal == "," else ","
    bare = f"replace(replace({bare}, '{grouping}', ''), '{decimal}', '.')"
    return f"try_cast({bare} AS DOUBLE)"


def decimal_mark(columns: Iterable[Sequence[str]], delimiter: str) -> str:
    """Return the decimal mark of a file, from values of all its columns.

    `1.234,5` and `0,25` tell; `1,234` does not, three digits behind its only mark may be grouped:
    then it is the point, unless semicolons separate the fields, as where the comma is taken.
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


def quoted(name: str) -> str:
    """Return a column's name as SQL; it may hold anything."""
    return '"' + name.replace('"', '""') + '"'


def _narrow(value: str) -> str:
    return value if value.isascii() else value.translate(_WIDE)


def _bare(value: str) -> str:
    bare = value.translate(_NO_SYMBOLS)
    return _NEGATIVE.sub(lambda match: f"-{match[1] or match[2]}", bare)


def _share(values: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, values)) / max(len(values), 1)


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"
