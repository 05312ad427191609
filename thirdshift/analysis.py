"""Records of an analysis: its definition (a YAML file), the data extracted for it, its words."""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, field_validator, model_validator

from thirdshift.data_sources import Dialect, Source
from thirdshift.records import Record
from thirdshift.settings import settings

Frequency = Literal["auto", "hour", "day", "week", "month", "quarter", "year"]
ROWS = "(rows)"  # what a count is of, and the column of its series
_PREFIX = "expect_"


class Time(Record):
    """The column that says when."""

    column: str
    format: str = ""  # strptime's, where the dates can be read in two ways
    frequency: Frequency = "auto"


class Measure(Record):
    """A column of numbers that is followed over time, or the number of rows."""

    column: str = ROWS
    title: str = ""
    unit: str = Field("", max_length=12)
    aggregate: Literal["sum", "mean", "count"] = "sum"

    @model_validator(mode="after")
    def _counts_rows(self) -> "Measure":
        if (self.column == ROWS) != (self.aggregate == "count"):
            raise ValueError("count is of rows and has no column; a sum or a mean has one")
        return self

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.title or self.of

    @property
    def of(self) -> str:
        """The column, or rows."""
        return "rows" if self.column == ROWS else self.column

    @property
    def together(self) -> Literal["sum", "mean"]:
        """How steps of time are taken together."""
        return "mean" if self.aggregate == "mean" else "sum"


class Filter(Record):
    """Rows that count: those whose column has one of the values, or lies within bounds."""

    column: str
    one_of: list[str | int | float | bool] = Field(default_factory=list)
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Filter":
        if not self.one_of and self.min is None and self.max is None:
            raise ValueError("a filter needs one_of, min or max")
        return self


class Expectation(Record):
    """An expectation of Great Expectations: its name, and its arguments."""

    expect: str = Field(pattern=r"^[a-z_]+$")
    arguments: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _arguments_beside_the_name(cls, keys: Any) -> Any:
        """Take `{expect: x, column: y}`, as people write it, for `{expect, arguments}`."""
        if not isinstance(keys, dict) or "arguments" in keys:
            return keys
        return {
            "expect": keys.get("expect"),
            "arguments": {key: value for key, value in keys.items() if key != "expect"},
        }

    @field_validator("expect")
    @classmethod
    def _with_prefix(cls, value: str) -> str:
        return value if value.startswith(_PREFIX) else _PREFIX + value


class Analysis(Record):
    """One analysis; datasets/analyses/shop-sales.yaml explains every key."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")  # that of its file
    folder: Path  # its file's: what paths are relative to
    title: str = Field(min_length=1)
    why: str = ""
    source: Source
    schedule: str | None = None
    gate: dict[str, Any] = Field(default_factory=dict)
    time: Time
    measures: list[Measure] = Field(min_length=1)
    dimensions: list[str] = Field(default_factory=list)
    filters: list[Filter] = Field(default_factory=list)
    expectations: list[Expectation] = Field(default_factory=list)
    suite: Path | None = None
    unreadable: float = Field(0.01, ge=0, le=1)
    questions: list[str] = Field(default_factory=list)
    language: Literal["en", "ja"] = "en"

    @model_validator(mode="after")
    def _each_column_once(self) -> "Analysis":
        names = [self.time.column, *(measure.column for measure in self.measures)]
        names += self.dimensions
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"columns named more than once: {', '.join(twice)}")
        return self

    @property
    def columns(self) -> list[str]:
        """The columns that reports are about: time, measures, dimensions."""
        return [self.time.column, *self.numbers, *self.dimensions]

    @property
    def numbers(self) -> list[str]:
        """The columns whose numbers are followed."""
        return [measure.column for measure in self.measures if measure.column != ROWS]

    @property
    def data_folder(self) -> Path:
        """The folder of what was fetched for it, and of what failed a check."""
        return settings().analyses_path / "data" / self.name

    def resolve(self, path: Path) -> Path:
        """Return a path of the analysis, which is relative to its file."""
        return (self.folder / path).resolve()

    @property
    def unexplored(self) -> list[str]:
        """The columns that only filters name."""
        return sorted({condition.column for condition in self.filters} - set(self.columns))


class Extracted(Record):
    """The data as files on this machine, and what tells them from the last ones."""

    files: list[Path]
    format: Literal["csv", "parquet", "json"]
    dialect: Dialect = Dialect()
    fingerprint: str
    unchanged: bool = False
    source: str  # what a person would call it: a path, an address, a query's database
    at: datetime


class Failure(Record):
    """An expectation that does not hold."""

    expectation: str
    column: str
    reason: str  # what was expected, and how many rows break it
    rows: list[int] = Field(default_factory=list)  # numbers of some, the first row of data is 1
    values: list[str] = Field(default_factory=list)


class Statement(Record):
    """A sentence of a report, who worded it, and the findings it says."""

    text: str
    by: Literal["model", "plain"]


class Answered(Record):
    """A question of the analysis, and what the findings say to it."""

    question: str
    statements: list[Statement] = Field(
        validation_alias=AliasChoices("statements", "said")  # as it was kept before
    )


class Narrative(Record):
    """The words of a report. `why_plain` says why no model worded them, where none did."""

    takeaways: list[Statement]
    answers: list[Answered] = Field(default_factory=list)
    why_plain: str = ""
