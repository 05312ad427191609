"""Validation while streaming: expectations of a large table as SQL conditions one scan counts."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tasks.tables.columns import literal
from tasks.tables.expectations import SHOWN, in_words
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
        names = [expectation.expect for expectation in expectations]
        unknown = [name for name in names if name not in {*_BROKEN, *_TABLE}]
        if unknown:
            raise AnalysisInvalid(
                f"{analysis.name}: {', '.join(unknown)} cannot be checked in a table this large.",
                f"While it streams these can: {', '.join([*_BROKEN, *_TABLE])}.",
            )
        self._table, self._analysis = table, analysis
        self._rowwise = [each for each in expectations if each.expect in _BROKEN]
        self._whole = [each for each in expectations if each.expect in _TABLE]
        self._read = [analysis.time.column, *analysis.numbers]

    @property
    def conditions(self) -> dict[str, str]:
        """SQL by name: rows that break an expectation, rows it judges, values nobody can read."""
        conditions = {f"unreadable {name}": self._table.unreadable(name) for name in self._read}
        for number, expectation in enumerate(self._rowwise):
            value = self._value(expectation)
            judged = "true" if expectation.expect == _NOT_NULL else f"{value} IS NOT NULL"
            broken = _BROKEN[expectation.expect](value, expectation.arguments)
            conditions[f"broken {number}"] = f"coalesce({judged} AND {broken}, false)"
            conditions[f"judged {number}"] = judged
        return conditions

    def unreadable(self, counts: dict[str, int]) -> dict[str, int]:
        """Return how many values of each column that is followed nobody can read."""
        return {name: counts[f"unreadable {name}"] for name in self._read}

    def failures(
        self, counts: dict[str, int], rows: int, connection: "DuckDBPyConnection"
    ) -> list[Failure]:
        """Return what does not hold, by the counts of the scan; only then rows are looked up."""
        failures = []
        for name, count in self.unreadable(counts).items():
            if count > self._analysis.unreadable * rows:
                reason = f"it can be read; {count:,} of {rows:,} values cannot"
                failures.append(self._failure("value is readable", name, reason, connection))
        for number, expectation in enumerate(self._rowwise):
            broken, judged = counts[f"broken {number}"], counts[f"judged {number}"]
            arguments = dict(expectation.arguments)
            name = str(arguments.pop("column", ""))
            if judged and broken / judged > 1 - float(arguments.get("mostly", 1)) + 1e-12:
                words = in_words(expectation.expect, arguments)
                reason = f"{words}; {broken:,} of {rows:,} rows are not so"
                failure = self._failure(expectation.expect, name, reason, connection, number)
                failures.append(failure)
        return failures + [_count(each, rows) for each in self._whole if _is_wrong(each, rows)]

    def _value(self, expectation: Expectation) -> str:
        return self._table.typed(str(expectation.arguments.get("column", "")))

    def _failure(
        self,
        name: str,
        column: str,
        reason: str,
        connection: "DuckDBPyConnection",
        number: int | None = None,
    ) -> Failure:
        """Look up rows that fail; without a `number` they are those nobody can read."""
        if number is None:
            key, value = f"unreadable {column}", self._table.raw(column)
        else:
            key, value = f"broken {number}", self._value(self._rowwise[number])
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
            reason=reason,
            rows=[row for row, _ in shown],
            values=[str(value) for _, value in shown],
        )


def _is_wrong(count: Expectation, rows: int) -> bool:
    least, most = count.arguments.get("min_value"), count.arguments.get("max_value")
    return (least is not None and rows < least) or (most is not None and rows > most)


def _count(expectation: Expectation, rows: int) -> Failure:
    reason = f"{in_words(expectation.expect, expectation.arguments)}; it is {rows}"
    return Failure(expectation=expectation.expect, column="", reason=reason)


def _literal(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return repr(value).lower()
    return literal(str(value))


def _outside(value: str, arguments: dict[str, Any]) -> str:
    bounds = []
    if (least := arguments.get("min_value")) is not None:
        bounds.append(f"{value} {'<=' if arguments.get('strict_min') else '<'} {_literal(least)}")
    if (most := arguments.get("max_value")) is not None:
        bounds.append(f"{value} {'>=' if arguments.get('strict_max') else '>'} {_literal(most)}")
    return f"({' OR '.join(bounds) or 'false'})"


def _among(value: str, arguments: dict[str, Any]) -> str:
    listed = ", ".join(map(_literal, arguments.get("value_set", [])))
    return f"{value} IN ({listed})" if listed else "false"


# SQL that is true for a value which breaks an expectation.
_BROKEN: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "expect_column_values_to_not_be_null": lambda value, _: f"{value} IS NULL",
    "expect_column_values_to_be_between": _outside,
    "expect_column_values_to_be_in_set": lambda value, among: f"NOT {_among(value, among)}",
    "expect_column_values_to_not_be_in_set": _among,
    "expect_column_values_to_match_regex": lambda value, arguments: (
        f"NOT regexp_matches({value}, {_literal(arguments.get('regex', ''))})"
    ),
    "expect_column_value_lengths_to_be_between": lambda value, bounds: _outside(
        f"length({value})", bounds
    ),
}
_NOT_NULL = "expect_column_values_to_not_be_null"
_TABLE = ["expect_table_row_count_to_be_between"]
