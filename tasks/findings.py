"""What data say, computed: the public face of the analyst's mathematics.

Every function takes pandas objects and returns `Finding` records (thirdshift.findings).
`find_all` runs them over a frame and keeps the false discoveries of the whole report down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tasks.anomalies import find_anomalies
from tasks.correlation import find_correlations
from tasks.movers import Aggregate, explain_anomaly, find_movers
from tasks.quality import find_quality
from tasks.seasonality import find_seasonality
from tasks.shifts import find_shifts
from tasks.significance import corrected
from tasks.trend import find_trend
from thirdshift.findings import Finding

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "corrected",
    "explain_anomaly",
    "find_all",
    "find_anomalies",
    "find_correlations",
    "find_movers",
    "find_quality",
    "find_seasonality",
    "find_shifts",
    "find_trend",
]


def find_all(
    frame: pd.DataFrame,
    time: str,
    measures: Sequence[str],
    dimensions: Sequence[str] = (),
    *,
    aggregate: Aggregate = "sum",
    units: Mapping[str, str] | None = None,
    rate: float = 0.05,
) -> list[Finding]:
    """Return all findings of a frame with a row per moment and combination of dimensions.

    Each measure is aggregated over the dimensions per moment; its largest anomalies and
    movers are explained by dimension. `rate` bounds the false discoveries over all of them.
    """
    units = units or {}
    series = frame.groupby(time)[list(measures)].agg(aggregate).sort_index()
    found = [*find_quality(frame, time, dimensions), *find_correlations(series)]
    for measure in measures:
        unit = units.get(measure, "")
        for find in (find_trend, find_seasonality, find_shifts, find_anomalies):
            found += find(series[measure], unit)
        for dimension in dimensions:
            found += find_movers(frame, time, measure, dimension, aggregate=aggregate, unit=unit)
    kept = corrected(found, rate)
    return kept + _carriers(frame, kept, time, dimensions, aggregate, units)


def _carriers(
    frame: pd.DataFrame,
    findings: Sequence[Finding],
    time: str,
    dimensions: Sequence[str],
    aggregate: Aggregate,
    units: Mapping[str, str],
) -> list[Finding]:
    carriers: list[Finding] = []
    for finding in findings:
        if finding.kind == "anomaly" and dimensions:
            unit = units.get(finding.measure, "")
            carriers += explain_anomaly(
                frame, finding, time, finding.measure, dimensions, aggregate=aggregate, unit=unit
            )
    return carriers
