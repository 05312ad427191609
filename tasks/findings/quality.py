"""Data quality: what is wrong with the data themselves; facts, each a count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from thirdshift.findings import Finding, Quantity

if TYPE_CHECKING:
    import pandas as pd

_UNSIGNED = 0.99  # share of a column's numbers that are not negative, to doubt the negative ones
_GAP = 1.5  # typical steps between two moments, over which some are missing


def find_quality(
    frame: pd.DataFrame, time: str | None = None, dimensions: Sequence[str] = ()
) -> list[Finding]:
    """Return missing, infinite, doubtful and constant values, duplicate rows and gaps in time.

    `method` names the check: missing, infinite, negative, constant, duplicate_rows,
    duplicate_times, gap. `count` says how many, `percent` of how many rows; a gap has `start`
    and `end`, the moments on both sides. A time is a duplicate where the dimensions are the
    same too.
    """
    findings = [each for name in frame.columns for each in _column(frame[name], str(name))]
    if len(frame):
        findings += _counted("duplicate_rows", "", int(frame.duplicated().sum()), len(frame))
    if time is not None:
        findings += _times(frame, time, dimensions)
    return sorted(findings, key=lambda finding: -finding.score)


def missing_values(counts: Mapping[str, int], rows: int) -> list[Finding]:
    """Return the findings on values that are missing, from how many are in each column."""
    findings = [
        each for name, count in counts.items() for each in _counted("missing", name, count, rows)
    ]
    return sorted(findings, key=lambda finding: -finding.score)


def _column(column: pd.Series, name: str) -> list[Finding]:
    import pandas as pd

    rows = len(column)
    findings = _counted("missing", name, int(column.isna().sum()), rows)
    present = column.dropna()
    if len(present) > 1 and present.nunique() == 1:
        findings += _counted("constant", name, len(present), rows)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = present.to_numpy(dtype=float)
        findings += _counted("infinite", name, int(np.isinf(values).sum()), rows)
        negative = int((values < 0).sum())
        if values.size and 1 - negative / values.size >= _UNSIGNED:
            findings += _counted("negative", name, negative, rows)
    return findings


def _times(frame: pd.DataFrame, name: str, dimensions: Sequence[str]) -> list[Finding]:
    column = frame[name]
    twice = frame.dropna(subset=[name]).duplicated([name, *dimensions])
    findings = _counted("duplicate_times", name, int(twice.sum()), len(column))
    moments = column.dropna().drop_duplicates().sort_values()
    steps = moments.diff()
    usual = steps.median()
    wide = np.flatnonzero((steps > _GAP * usual).to_numpy())
    for row in wide if len(moments) > 2 else []:
        missing = round(steps.iloc[row] / usual) - 1
        findings += _counted(
            "gap", name, missing, len(column), start=moments.iloc[row - 1], end=moments.iloc[row]
        )
    return findings


def _counted(
    check: str, column: str, count: int, rows: int, start: Any = None, end: Any = None
) -> list[Finding]:
    if count <= 0:
        return []
    values = (
        Quantity(name="count", value=count),
        Quantity(name="percent", value=100 * count / rows, unit="%"),
    )
    return [
        Finding(
            kind="quality",
            measure=column,
            start=start,
            end=end,
            score=count / rows,
            values=values,
            method=check,
        )
    ]
