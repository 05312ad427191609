"""Extracted files as one DuckDB relation, its columns typed; nothing is read before it is asked."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.delimited import Layout, layout, transcode
from tasks.notation import EMPTY, Column, dated, judge, quoted, timed
from thirdshift.analyses import Analysis, Extracted, Filter, Time
from thirdshift.errors import DataInvalid
from thirdshift.records import content_hash
from thirdshift.settings import settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NUMBERS = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
    "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
)  # fmt: skip
_MOMENTS = ("DATE", "TIMESTAMP")
_JUDGED = 5000  # values of a text column that are looked at


@dataclass(frozen=True)
class Relation:
    """A table that DuckDB can select from: `sql` yields the columns as they are written.

    `typed` are the columns that `select` reads as numbers and moments.
    """

    sql: str
    columns: list[Column]
    rows: int  # about; exact for Parquet
    careful: bool = False  # read as text first, as a value did not have the type of its column
    blanks: bool = True  # whether a text can be there and yet empty; not so in CSV
    sampled: dict[str, list[str]] = field(default_factory=dict)  # of CSV: values as written

    def column(self, name: str) -> Column:
        """Return the column of that name; raises DataInvalid listing those there are."""
        for one in self.columns:
            if one.name == name:
                return one
        there = ", ".join(one.name for one in self.columns)
        raise DataInvalid(f"The data have no column {name}.", f"They have: {there}.")

    def select(self, names: Sequence[str]) -> str:
        """Return SQL that selects columns with their types; what cannot be read is NULL."""
        listed = ", ".join(f"{self.typed(name)} AS {quoted(name)}" for name in names)
        return f"SELECT {listed or '1'} FROM ({self.sql})"

    def unreadable(self, name: str) -> str:
        """Return SQL that is true for a value which is there and cannot be read."""
        column = self.column(name)
        if self._is_native(column) or column.kind == "text":
            return "false"
        text = f"lower(trim({quoted(name)}::VARCHAR))"
        empty = ", ".join(map(_text, sorted(EMPTY)))
        return f"({column.expression} IS NULL AND coalesce({text}, '') NOT IN ({empty}))"

    def typed(self, name: str) -> str:
        """Return SQL that reads a column as what it holds; what cannot be read is NULL."""
        column = self.column(name)
        return self.raw(name) if self._is_native(column) else column.expression

    def raw(self, name: str) -> str:
        """Return SQL that reads a column as it is written."""
        kind = "::VARCHAR" if self.column(name).kind == "text" or self.careful else ""
        return f"{quoted(name)}{kind}"

    def _is_native(self, column: Column) -> bool:
        return bool(column.native) and not self.careful


@contextmanager
def connected() -> "Iterator[DuckDBPyConnection]":
    """Open DuckDB with the memory of the settings; what needs more goes through the disk."""
    import duckdb

    spill = settings().run_path / "duckdb"
    spill.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{settings().analyst.memory_gb}GB'")
        connection.execute(f"SET temp_directory = {_text(str(spill))}")
        connection.execute(f"SET threads = {os.cpu_count() or 1}")
        connection.execute("SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
        yield connection


def relation(
    extracted: Extracted,
    analysis: Analysis,
    connection: "DuckDBPyConnection",
    *,
    careful: bool = False,
) -> Relation:
    """Return the extracted files as a relation; raises DataInvalid where they have no rows.

    `careful` reads all values as text first: slower, and no value stops it.
    """
    if extracted.format == "csv":
        return _delimited(extracted, analysis, careful)
    return _self_describing(extracted, analysis.time, connection, careful)


def kept(filters: Sequence[Filter]) -> str:
    """Return SQL that is true for the rows which count; empty where all do."""
    return " AND ".join(_kept(one) for one in filters)


def _kept(one: Filter) -> str:
    name = quoted(one.column)
    held = []
    if one.one_of:
        held.append(f"{name}::VARCHAR IN ({', '.join(_text(str(value)) for value in one.one_of)})")
    if one.min is not None:
        held.append(f"try_cast({name} AS DOUBLE) >= {one.min!r}")
    if one.max is not None:
        held.append(f"try_cast({name} AS DOUBLE) <= {one.max!r}")
    return f"coalesce({' AND '.join(held)}, false)"


def _delimited(extracted: Extracted, analysis: Analysis, careful: bool) -> Relation:
    groups: dict[tuple[str, int, tuple[str, ...]], list[tuple[Path, Layout]]] = defaultdict(list)
    sampled: dict[str, list[str]] = defaultdict(list)
    rows = 0
    for file in extracted.files:
        how = layout(file, extracted.dialect)
        for name, values in how.sampled.items():
            sampled[name] += values
        rows += int(file.stat().st_size / max(how.line_bytes, 1))
        names = tuple(column.name for column in how.columns)
        groups[how.delimiter, how.skip, names].append((_readable(file, how), how))
    first = next(iter(groups.values()))[0][1]
    agreed = [
        _as_text(column.name)  # a branch 007 is not 7
        if column.name in analysis.dimensions
        else _agreed(column, groups.values())
        for column in first.columns
    ]
    agreed = [_as_said(one, analysis.time, sampled[one.name]) for one in agreed]
    selects = [
        _read_csv([file for file, _ in group], group[0][1], agreed, careful)
        for group in groups.values()
    ]
    sql = " UNION ALL BY NAME ".join(selects)
    return Relation(sql, agreed, rows, careful, blanks=False, sampled=sampled)


def _agreed(column: Column, groups: Iterable[list[tuple[Path, Layout]]]) -> Column:
    """Return a column as all files can be read: as text first, where they differ in its kind."""
    twins = {
        twin
        for group in groups
        for _, how in group
        for twin in how.columns
        if twin.name == column.name
    }
    kinds = {twin.kind for twin in twins}
    if len(kinds) > 1:
        return _as_text(column.name)
    return column if len(twins) == 1 else column._replace(native="")


def _as_said(column: Column, time: Time, values: Sequence[str]) -> Column:
    """Return the column of time as the analysis says it is to be read, others as they are.

    Raises DataInvalid where nobody can tell when its values are.
    """
    if column.name != time.column or (column.kind == "moment" and not time.format):
        return column
    found = dated(time.column, time.format) if time.format else timed(time.column, values)
    if found is None and any(value.strip() for value in values):
        some = ", ".join(dict.fromkeys(value.strip() for value in values[:4]))
        raise DataInvalid(
            f"{time.column} says when, but these are no dates we can read: {some}.",
            "Name another column under `time`, or say how they are written with its `format`.",
        )
    return found or column


def _readable(file: Path, how: Layout) -> Path:
    if how.utf8:
        return file
    folder = settings().run_path / "utf-8"
    folder.mkdir(parents=True, exist_ok=True)
    known = file.stat()
    into = folder / f"{content_hash(str(file), f'{known.st_mtime_ns} {known.st_size}')}.csv"
    if not into.exists():
        return transcode(file, how.encoding, into)
    os.utime(into)  # what nothing uses for long is swept away
    return into


def _read_csv(files: Sequence[Path], how: Layout, agreed: Sequence[Column], careful: bool) -> str:
    kinds = {column.name: column for column in agreed}
    types = {
        column.name: "VARCHAR" if careful else kinds.get(column.name, column).native or "VARCHAR"
        for column in how.columns
    }
    listed = ", ".join(f"{_text(name)}: '{kind}'" for name, kind in types.items())
    return (
        f"SELECT * FROM read_csv([{', '.join(_text(str(file)) for file in files)}], "
        f"columns = {{{listed}}}, auto_detect = false, header = false, skip = {how.skip}, "
        f"delim = {_text(how.delimiter)}, quote = '\"', escape = '\"', null_padding = true, "
        f"parallel = true, max_line_size = 10000000, strict_mode = {str(not careful).lower()})"
    )


def _self_describing(
    extracted: Extracted, time: Time, connection: "DuckDBPyConnection", careful: bool
) -> Relation:
    reader = "read_parquet" if extracted.format == "parquet" else "read_json_auto"
    listed = ", ".join(_text(str(file)) for file in extracted.files)
    sql = f"SELECT * FROM {reader}([{listed}], union_by_name = true)"
    described = connection.execute(f"DESCRIBE {sql}").fetchall()
    rows = connection.execute(f"SELECT count(*) FROM ({sql})").fetchall()[0][0]
    columns = []
    for name, kind, *_ in described:
        values = [] if kind.startswith(_MOMENTS) else _values(connection, sql, name)
        columns.append(_as_said(_described(name, kind, values), time, values))
    return Relation(sql, columns, rows, careful)


def _values(connection: "DuckDBPyConnection", sql: str, name: str) -> list[str]:
    text = quoted(name)
    query = f"SELECT {text}::VARCHAR FROM ({sql}) WHERE {text} IS NOT NULL LIMIT {_JUDGED}"
    return [value.strip() for (value,) in connection.execute(query).fetchall()]


def _described(name: str, kind: str, values: Sequence[str]) -> Column:
    text = quoted(name)
    if kind.startswith(_NUMBERS):
        return Column(name, "number", "", f"{text}::DOUBLE")
    if kind.startswith(_MOMENTS):
        return Column(name, "moment", "", f"{text}::TIMESTAMP")
    if kind == "VARCHAR":
        return judge(name, values)._replace(native="")
    return Column(name, "text", "VARCHAR", text)


def _as_text(name: str) -> Column:
    return Column(name, "text", "VARCHAR", quoted(name))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
