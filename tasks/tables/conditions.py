"""Expectations over a table too large for memory: conditions in SQL that one scan counts."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tasks.tables.expectations import SHOWN, said
from tasks.tables.relation import Relation
from thirdshift.analysis import Analysis, Expectation, Failure
from thirdshift.errors import AnalysisInvalid

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Streamed:
    """Expectations as conditions that a scan counts, and what the counts say."""

    def __init__(
        self, table: Relation, analysis: Analysis, expectations: Sequence[Expectation]
    ) -> None:
        unknown = [one.expect for one in expectations if one.expect not in {*_BROKEN, *_TABLE}]
        if unknown:
            raise AnalysisInvalid(
                f"{analysis.name}: {', '.join(unknown)} cannot be checked in a table this large.",
                f"While it streams these can: {', '.join([*_BROKEN, *_TABLE])}.",
            )
        self._table, self._analysis = table, analysis
        self._rowwise = [one for one in expectations if one.expect in _BROKEN]
        self._whole = [one for one in expectations if one.expect in _TABLE]
        self._read = [analysis.time.column, *analysis.numbers]

    @property
    def conditions(self) -> dict[str, str]:
        """SQL by name: rows that break an expectation, rows it judges, values nobody can read."""
        made = {f"unreadable {name}": self._table.unreadable(name) for name in self._read}
        for at, one in enumerate(self._rowwise):
            value = self._value(one)
            judged = "true" if one.expect == _NOT_NULL else f"{value} IS NOT NULL"
            broken = _BROKEN[one.expect](value, one.arguments)
            made[f"broken {at}"] = f"coalesce({judged} AND {broken}, false)"
            made[f"judged {at}"] = judged
        return made

    def failures(
        self, counts: dict[str, int], rows: int, connection: "DuckDBPyConnection"
    ) -> list[Failure]:
        """Return what does not hold, by the counts of the scan; only then rows are looked up."""
        failures = []
        for name in self._read:
            count = counts[f"unreadable {name}"]
            if count > self._analysis.unreadable * rows:
                told = f"it can be read; {count:,} of {rows:,} values cannot"
                failures.append(self._failure("value is readable", name, told, connection))
        for at, one in enumerate(self._rowwise):
            broken, judged = counts[f"broken {at}"], counts[f"judged {at}"]
            if judged and broken / judged > 1 - float(one.arguments.get("mostly", 1)) + 1e-12:
                arguments = {key: v for key, v in one.arguments.items() if key != "column"}
                told = f"{said(one.expect, arguments)}; {broken:,} of {rows:,} rows are not so"
                name = str(one.arguments["column"])
                failures.append(self._failure(one.expect, name, told, connection, at))
        return failures + [_count(one, rows) for one in self._whole if _wrong(one, rows)]

    def _value(self, one: Expectation) -> str:
        return self._table.typed(str(one.arguments.get("column", "")))

    def _failure(
        self,
        name: str,
        column: str,
        told: str,
        connection: "DuckDBPyConnection",
        at: int | None = None,
    ) -> Failure:
        key = f"unreadable {column}" if at is None else f"broken {at}"
        value = self._table.raw(column) if at is None else self._value(self._rowwise[at])
        query = (
            f"SELECT n, v FROM (SELECT row_number() OVER () AS n, {value} AS v, "
            f"{self.conditions[key]} AS broken FROM ({self._table.sql})) "
            f"WHERE broken LIMIT {SHOWN}"
        )
        connection.execute("SET preserve_insertion_order = true")  # or numbers of rows mean nothing
        shown = sorted(connection.execute(query).fetchall())
        return Failure(
            expectation=name,
            column=column,
            said=told,
            rows=[row for row, _ in shown],
            values=[str(value) for _, value in shown],
        )


def _wrong(one: Expectation, rows: int) -> bool:
    least, most = one.arguments.get("min_value"), one.arguments.get("max_value")
    return (least is not None and rows < least) or (most is not None and rows > most)


def _count(one: Expectation, rows: int) -> Failure:
    told = f"{said(one.expect, one.arguments)}; it is {rows}"
    return Failure(expectation=one.expect, column="", said=told)


def _literal(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return repr(value).lower()
    return "'" + str(value).replace("'", "''") + "'"


def _outside(value: str, given: dict[str, Any]) -> str:
    said = []
    if (least := given.get("min_value")) is not None:
        said.append(f"{value} {'<=' if given.get('strict_min') else '<'} {_literal(least)}")
    if (most := given.get("max_value")) is not None:
        said.append(f"{value} {'>=' if given.get('strict_max') else '>'} {_literal(most)}")
    return f"({' OR '.join(said) or 'false'})"


def _among(value: str, given: dict[str, Any]) -> str:
    listed = ", ".join(_literal(one) for one in given.get("value_set", []))
    return f"{value} IN ({listed})" if listed else "false"


_BROKEN: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "expect_column_values_to_not_be_null": lambda value, _: f"{value} IS NULL",
    "expect_column_values_to_be_between": _outside,
    "expect_column_values_to_be_in_set": lambda value, given: f"NOT {_among(value, given)}",
    "expect_column_values_to_not_be_in_set": _among,
    "expect_column_values_to_match_regex": lambda value, given: (
        f"NOT regexp_matches({value}, {_literal(given.get('regex', ''))})"
    ),
    "expect_column_value_lengths_to_be_between": lambda value, given: _outside(
        f"length({value})", given
    ),
}
_NOT_NULL = "expect_column_values_to_not_be_null"
_TABLE = ["expect_table_row_count_to_be_between"]
