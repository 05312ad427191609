"""Extracted files as one DuckDB relation, its columns typed; nothing is read before it is asked."""

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
from thirdshift.analysis import Filter
from thirdshift.errors import DataInvalid
from thirdshift.settings import settings

if TYPE_CHECKING:
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


def kept(filters: Sequence[Filter]) -> str:
    """Return SQL that is true for the rows which count; empty where all do."""
    return " AND ".join(_kept(one) for one in filters)


def _kept(one: Filter) -> str:
    name = quoted(one.column)
    held = []
    if one.one_of:
        held.append(
            f"{name}::VARCHAR IN ({', '.join(literal(str(value)) for value in one.one_of)})"
        )
    if one.min is not None:
        held.append(f"try_cast({name} AS DOUBLE) >= {one.min!r}")
    if one.max is not None:
        held.append(f"try_cast({name} AS DOUBLE) <= {one.max!r}")
    return f"coalesce({' AND '.join(held)}, false)"
