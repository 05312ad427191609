"""What was found in data: numbers with units, a method and a significance, and no prose."""

from datetime import date
from typing import Any, Literal

from pydantic import Field, field_serializer

from thirdshift.records import Record

Kind = Literal[
    "anomaly",  # points or stretches that the rest of the series does not let expect
    "shift",  # a change of level that stays
    "trend",
    "seasonality",
    "mover",  # a member of a dimension and its part in the change between two periods
    "carrier",  # a member of a dimension and its part in an anomaly
    "correlation",
    "quality",  # something wrong with the data themselves
]
Direction = Literal["up", "down", "none"]


class Quantity(Record):
    """A number that a narrative may state, with its unit ("" where there is none)."""

    name: str  # "observed", "expected", "change", "share", …
    value: float
    unit: str = ""  # "%" for parts of a hundred


class Finding(Record):
    """One thing found in data.

    `start` and `end` are labels of the index, both inside; a single point has both the same.
    Scores rank within a kind, higher is more surprising, and compare across series.
    """

    kind: Kind
    measure: str
    start: Any = None
    end: Any = None
    score: float
    direction: Direction = "none"
    values: tuple[Quantity, ...] = ()
    unit: str = ""  # of the measure
    members: tuple[tuple[str, str], ...] = ()  # (dimension, member), where it is about one
    method: str
    p_value: float | None = Field(default=None, ge=0, le=1)
    q_value: float | None = Field(default=None, ge=0, le=1)  # corrected over one report
    interval: tuple[float, float] | None = None  # 95 %, of the first value
    caveats: tuple[str, ...] = ()  # "few_points", "common_trend", … ; a closed set per kind

    def value(self, name: str) -> float:
        """Return one of the values by name; KeyError where it has none of that name."""
        return self._quantities()[name].value

    def has(self, name: str) -> bool:
        """Tell whether there is a value of that name."""
        return name in self._quantities()

    def _quantities(self) -> dict[str, Quantity]:
        return {quantity.name: quantity for quantity in self.values}

    @field_serializer("start", "end", when_used="json")
    def _plain(self, label: Any) -> str | int | float | None:
        if label is None or isinstance(label, str | int | float):
            return label
        if isinstance(label, date):
            return label.isoformat()
        return label.item() if hasattr(label, "item") else str(label)
