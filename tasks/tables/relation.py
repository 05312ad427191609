"""A DuckDB relation: extracted files as one table of typed columns, read when it is asked."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.tables.columns import (
    EMPTY,
    Column,
    literal,
    quoted,
)
from thirdshift.analysis import Analysis, Filter, Time
from thirdshift.errors import DataInvalid
from thirdshift.settings import settings

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection


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
        for column in self.columns:
            if column.name == name:
                return column
        there = ", ".join(column.name for column in self.columns)
        raise DataInvalid(f"The data have no column {name}.", f"They have: {there}.")

    def frame(self, connection: "DuckDBPyConnection") -> "pd.DataFrame":
        """Return all rows and columns in memory, with Arrow types, in their order."""
        import pandas as pd

        connection.execute("SET preserve_insertion_order = true")
        names = [column.name for column in self.columns]
        arrow = connection.sql(self.select(names)).to_arrow_table()
        frame: pd.DataFrame = arrow.to_pandas(types_mapper=pd.ArrowDtype)
        return frame

    def notes(self, time: Time) -> list[str]:
        """Return how the dates were read, and whether that is in doubt, for people."""
        column = self.column(time.column)
        notes = [f"dates read as {column.format}"] if column.format else []
        if column.doubtful and not time.format:
            notes.append("day and month could be the other way round: say `format` in the analysis")
        return notes

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
        empty = ", ".join(map(literal, sorted(EMPTY)))
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
        connection.execute(f"SET temp_directory = {literal(str(spill))}")
        connection.execute(f"SET threads = {os.cpu_count() or 1}")
        connection.execute("SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
        yield connection


def numpy_columns(frame: "pd.DataFrame", analysis: Analysis) -> "pd.DataFrame":
    """Return the columns that an analysis is about, with NumPy's types instead of Arrow's."""
    kinds: dict[str, str] = dict.fromkeys(analysis.numbers, "float64")
    kinds[analysis.time.column] = "datetime64[us]"
    kinds |= dict.fromkeys(analysis.dimensions, "object")
    return frame[analysis.columns].astype(kinds)


def filter_condition(filters: Sequence[Filter]) -> str:
    """Return SQL that is true for the rows which count; empty where all do."""
    return " AND ".join(map(_condition, filters))


def _condition(filter_: Filter) -> str:
    name = quoted(filter_.column)
    tests = []
    if filter_.one_of:
        members = ", ".join(literal(str(value)) for value in filter_.one_of)
        tests.append(f"{name}::VARCHAR IN ({members})")
    if filter_.min is not None:
        tests.append(f"try_cast({name} AS DOUBLE) >= {filter_.min!r}")
    if filter_.max is not None:
        tests.append(f"try_cast({name} AS DOUBLE) <= {filter_.max!r}")
    return f"coalesce({' AND '.join(tests)}, false)"
