"""All that a report says of an analysis' series: findings, ranked, honest about their number."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tasks.findings import (
    find_anomalies,
    find_movers,
    find_seasonality,
    find_shifts,
    find_trend,
)
from tasks.findings.correlation import find_correlations
from tasks.findings.movers import Window, explain_anomaly, last_periods
from tasks.findings.significance import corrected
from tasks.tables.cube import Cube
from thirdshift.analysis import Analysis, Measure
from thirdshift.findings import Finding
from thirdshift.records import Record

if TYPE_CHECKING:
    import pandas as pd

_MOST = {"anomaly": 5, "shift": 3, "correlation": 3, "quality": 5, "seasonality": 2, "trend": 1}
_EXPLAINED = 3  # anomalies and shifts of a measure, that are explained by dimension
_MOVERS = 4  # members of a dimension
_PERIODS = ((2, "D"), (36, "W-SUN"), (240, "M"), (1000, "M"), (3000, "Q"), (1e9, "Y"))  # by hours


class Change(Record):
    """A measure in its last whole period, held against the one before, and who moved it."""

    total: Finding
    movers: list[Finding]
    period: str  # D, W, M, Q, Y


class Insights(Record):
    """What was found, by what it is about; each list best first."""

    changes: list[Change]
    findings: list[Finding]
    carriers: list[list[Finding]]  # of each of `findings`, those that carry it

    @property
    def all(self) -> list[Finding]:
        """Every finding once: changes and their movers, the others and their carriers."""
        moved = [one for change in self.changes for one in (change.total, *change.movers)]
        return [*moved, *self.findings, *(one for some in self.carriers for one in some)]


def find(cube: Cube, analysis: Analysis, quality: Sequence[Finding] = ()) -> Insights:
    """Return all findings of a cube at one false discovery rate."""
    time, found = analysis.time.column, list(quality)
    series = cube.totals.set_index(time)
    for measure in analysis.measures:
        for look in (find_anomalies, find_shifts, find_trend, find_seasonality):
            found += look(series[measure.column], measure.unit)
    if len(analysis.measures) > 1:
        found += find_correlations(series[[one.column for one in analysis.measures]])
    kept = _limited(corrected(found))
    changes = [
        change for measure in analysis.measures for change in _changes(cube, analysis, measure)
    ]
    carriers = [_carriers(one, cube, analysis, at) for at, one in _numbered(kept)]
    return Insights(changes=changes, findings=kept, carriers=carriers)


def _limited(findings: Iterable[Finding]) -> list[Finding]:
    """Keep the highest scores of each kind and measure."""
    kept: list[Finding] = []
    for one in sorted(findings, key=lambda finding: -finding.score):
        alike = [k for k in kept if k.kind == one.kind and k.measure == one.measure]
        if len(alike) < _MOST.get(one.kind, 5):
            kept.append(one)
    return kept


def _changes(cube: Cube, analysis: Analysis, measure: Measure) -> list[Change]:
    """Compare the last whole short period, and the longest there are six of."""
    time = analysis.time.column
    dated = cube.totals.dropna(subset=[measure.column])
    changes: list[Change] = []
    for windows, period in _windows(dated[time]):
        before, after = windows
        given: dict[str, Any] = {
            "before": before,
            "after": after,
            "aggregate": measure.together,
            "unit": measure.unit,
        }
        whole = find_movers(dated, time, measure.column, None, **given)
        movers = [
            mover
            for dimension, part in cube.parts.items()
            for mover in find_movers(part, time, measure.column, dimension, top=_MOVERS, **given)
        ]
        movers.sort(key=lambda one: -abs(one.value("change")))
        if whole:
            changes.append(Change(total=whole[0], movers=movers, period=period))
    return changes


def _windows(times: "pd.Series") -> list[tuple[tuple[Window, Window], str]]:
    import pandas as pd

    moments = pd.DatetimeIndex(times.unique()).sort_values()
    if len(moments) < 2:
        return []
    step = pd.Series(moments).diff().median()
    hours = step.total_seconds() / 3600
    key = next(key for most, key in _PERIODS if hours <= most)
    period = moments.to_period(key)
    last = period[-1] if moments[-1] + step > period[-1].end_time else period[-1] - 1
    found = []
    if last - 1 >= period[0]:
        short = tuple((one.start_time, one.end_time.floor("D")) for one in (last - 1, last))
        found.append((short, key[0]))
    longest = last_periods(pd.Series(moments))
    if longest and (not found or longest[1][0] != found[0][0][1][0]):
        length = (longest[1][1] - longest[1][0]).days
        found.append((longest, _named(length)))
    return found  # type: ignore[return-value]


def _named(days: int) -> str:
    return next(
        key for most, key in ((2, "D"), (8, "W"), (32, "M"), (93, "Q"), (1e9, "Y")) if days <= most
    )


def _numbered(findings: Sequence[Finding]) -> list[tuple[int, Finding]]:
    """Number each finding among those of its kind and measure."""
    seen: dict[tuple[str, str], int] = {}
    numbered = []
    for one in findings:
        at = seen.get((one.kind, one.measure), 0)
        seen[one.kind, one.measure] = at + 1
        numbered.append((at, one))
    return numbered


def _first_weeks(shift: Finding) -> Finding:
    """Return a shift that ends early: years on either side of it say little of the shift."""
    from datetime import timedelta

    return shift.model_copy(update={"end": min(shift.end, shift.start + timedelta(days=27))})


def _carriers(finding: Finding, cube: Cube, analysis: Analysis, at: int) -> list[Finding]:
    if finding.kind not in ("anomaly", "shift") or at >= _EXPLAINED:
        return []
    measure = next(one for one in analysis.measures if one.column == finding.measure)
    if finding.kind == "shift":
        finding = _first_weeks(finding)
        if finding.start - (finding.end - finding.start) < cube.totals.iloc[0, 0]:
            return []
    found = [
        carrier
        for dimension, part in cube.parts.items()
        for carrier in explain_anomaly(
            part,
            finding,
            analysis.time.column,
            finding.measure,
            [dimension],
            aggregate=measure.together,
            unit=measure.unit,
        )
    ]
    return sorted(found, key=lambda carrier: -carrier.score)[:_EXPLAINED]
