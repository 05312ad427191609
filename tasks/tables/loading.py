"""Loading: from extracted files to a relation; how they are written is judged, read lazily."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tasks.machine import disk
from tasks.tables.columns import (
    Column,
    dated_column,
    judge_column,
    literal,
    quoted,
    time_column,
)
from tasks.tables.delimited import CsvLayout, csv_layout, is_utf8, transcode
from tasks.tables.relation import Relation
from thirdshift.analysis import Analysis, Extracted, Time
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
_JUDGED = 5000  # values of a column that are looked at
_T = TypeVar("_T")


def sweep() -> int:
    """Remove copies in UTF-8 that no analysis has read for a week; return their bytes."""
    return disk.sweep(_copies().glob("*.csv"), timedelta(days=7))


def _copies() -> Path:
    return settings().run_path / "utf-8"


def carefully(work: Callable[[bool], _T]) -> _T:
    """Do work, and once more (`careful`) where a value further down stopped DuckDB's fast way.

    Raises DataInvalid for a file that is no table either way.
    """
    try:
        return work(False)
    except Exception as error:
        if not _is_of_the_data(error):
            raise
    try:
        return work(True)
    except Exception as error:
        if not _is_of_the_data(error):
            raise
        first = str(error).splitlines()[0]
        raise DataInvalid(
            f"The data cannot be read as a table: {first}",
            "Look at that place, or say how they are written: delimiter, encoding, skip_rows.",
        ) from error


def _is_of_the_data(error: Exception) -> bool:
    """Tell a value or a line that DuckDB cannot read from a disk that is full."""
    import duckdb

    known = (duckdb.ConversionException, duckdb.InvalidInputException)
    # That a line's end is within quotes, where two read at once, has no class of its own.
    return isinstance(error, known) or type(error) is duckdb.Error


def load_relation(
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


def _delimited(extracted: Extracted, analysis: Analysis, careful: bool) -> Relation:
    groups: dict[tuple[str, int, tuple[str, ...]], list[tuple[Path, CsvLayout]]] = defaultdict(list)
    sampled: dict[str, list[str]] = defaultdict(list)
    rows = 0
    for file in extracted.files:
        layout = csv_layout(file, extracted.dialect)
        for name, values in layout.sampled.items():
            sampled[name] += values
        rows += int(file.stat().st_size / max(layout.line_bytes, 1))
        names = tuple(column.name for column in layout.columns)
        copy = _readable(file, layout, careful)
        groups[layout.delimiter, layout.skip, names].append((copy, layout))
    first = next(iter(groups.values()))[0][1]
    agreed = [
        _as_text(column.name)  # a branch 007 is not 7
        if column.name in analysis.dimensions
        else _agreed(column, groups.values())
        for column in first.columns
    ]
    agreed = [_as_named(column, analysis.time, sampled[column.name]) for column in agreed]
    selects = [
        _read_csv([file for file, _ in group], group[0][1], agreed, careful)
        for group in groups.values()
    ]
    sql = " UNION ALL BY NAME ".join(selects)
    return Relation(sql, agreed, rows, careful, blanks=False, sampled=sampled)


def _agreed(column: Column, groups: Iterable[list[tuple[Path, CsvLayout]]]) -> Column:
    """Return a column as all files can be read: as text first, where they differ in its kind."""
    twins = {
        twin
        for group in groups
        for _, layout in group
        for twin in layout.columns
        if twin.name == column.name
    }
    kinds = {twin.kind for twin in twins}
    if len(kinds) > 1:
        return _as_text(column.name)
    return column if len(twins) == 1 else column._replace(native="")


def _as_named(column: Column, time: Time, values: Sequence[str]) -> Column:
    """Return the column that an analysis names as its time as a moment, others as they are.

    Raises DataInvalid where nobody can tell when its values are.
    """
    if column.name != time.column or (column.kind == "moment" and not time.format):
        return column
    if time.format:
        return dated_column(time.column, time.format)
    moments = time_column(time.column, values)
    if moments is None and any(value.strip() for value in values):
        some = ", ".join(dict.fromkeys(value.strip() for value in values[:4]))
        raise DataInvalid(
            f"{time.column} says when, but these are no dates we can read: {some}.",
            "Name another column under `time`, or say how they are written with its `format`.",
        )
    return moments or column


def _readable(file: Path, layout: CsvLayout, careful: bool) -> Path:
    """Return the file, or a copy of it in UTF-8, in which bytes that mean nothing are marked."""
    if layout.utf8 and not (careful and not is_utf8(file)):
        return file
    stat = file.stat()
    into = _copies() / f"{content_hash(str(file), f'{stat.st_mtime_ns} {stat.st_size}')}.csv"
    if not into.exists():
        return transcode(file, layout.encoding, into)
    os.utime(into)  # what nothing uses for long is swept away
    return into


def _read_csv(
    files: Sequence[Path], layout: CsvLayout, agreed: Sequence[Column], careful: bool
) -> str:
    kinds = {column.name: column for column in agreed}
    types = {
        column.name: "VARCHAR" if careful else kinds.get(column.name, column).native or "VARCHAR"
        for column in layout.columns
    }
    listed = ", ".join(f"{literal(name)}: '{kind}'" for name, kind in types.items())
    fast = str(not careful).lower()  # lines within quotes and short rows are not for two readers
    return (
        f"SELECT * FROM read_csv([{', '.join(literal(str(file)) for file in files)}], "
        f"columns = {{{listed}}}, auto_detect = false, header = false, skip = {layout.skip}, "
        f"delim = {literal(layout.delimiter)}, quote = '\"', escape = '\"', null_padding = true, "
        f"parallel = {fast}, max_line_size = 10000000, strict_mode = {fast})"
    )


def _self_describing(
    extracted: Extracted, time: Time, connection: "DuckDBPyConnection", careful: bool
) -> Relation:
    reader = "read_parquet" if extracted.format == "parquet" else "read_json_auto"
    listed = ", ".join(literal(str(file)) for file in extracted.files)
    sql = f"SELECT * FROM {reader}([{listed}], union_by_name = true)"
    described = connection.execute(f"DESCRIBE {sql}").fetchall()
    rows = connection.execute(f"SELECT count(*) FROM ({sql})").fetchall()[0][0]
    columns = []
    for name, kind, *_ in described:
        judged = kind == "VARCHAR" or (name == time.column and not kind.startswith(_MOMENTS))
        values = _values(connection, sql, name) if judged else []
        columns.append(_as_named(_described(name, kind, values), time, values))
    return Relation(sql, columns, rows, careful)


def _values(connection: "DuckDBPyConnection", sql: str, name: str) -> list[str]:
    column = quoted(name)
    query = f"SELECT {column}::VARCHAR FROM ({sql}) WHERE {column} IS NOT NULL LIMIT {_JUDGED}"
    return [value.strip() for (value,) in connection.execute(query).fetchall()]


def _described(name: str, kind: str, values: Sequence[str]) -> Column:
    if kind.startswith(_NUMBERS):
        return Column(name, "number", "", f"{quoted(name)}::DOUBLE")
    if kind.startswith(_MOMENTS):
        return Column(name, "moment", "", f"{quoted(name)}::TIMESTAMP")
    if kind == "VARCHAR":
        return judge_column(name, values)._replace(native="")
    return _as_text(name)


def _as_text(name: str) -> Column:
    return Column(name, "text", "VARCHAR", quoted(name))
