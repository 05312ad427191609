"""Insights: all that a report says of a cube, ranked, at one false discovery rate."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
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
from tasks.findings.significance import corrected_findings
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
_NAMES = ((2, "D"), (8, "W"), (32, "M"), (93, "Q"), (1e9, "Y"))  # of periods, by their days
_FIRST_WEEKS = timedelta(days=27)


class PeriodChange(Record):
    """A measure in its last whole period, held against the one before, and who moved it."""

    total: Finding
    movers: list[Finding]
    period: str  # D, W, M, Q, Y


class Insights(Record):
    """What was found, by what it is about; each list best first."""

    changes: list[PeriodChange]
    findings: list[Finding]
    carriers: list[list[Finding]]  # of each of `findings`, those that carry it

    @property
    def all(self) -> list[Finding]:
        """Every finding once: changes and their movers, the others and their carriers."""
        moves = [move for change in self.changes for move in (change.total, *change.movers)]
        carriers = [carrier for listed in self.carriers for carrier in listed]
        return [*moves, *self.findings, *carriers]


def find(cube: Cube, analysis: Analysis, quality: Sequence[Finding] = ()) -> Insights:
    """Return all findings of a cube at one false discovery rate."""
    candidates = list(quality)
    series = cube.totals.set_index(analysis.time.column)
    for measure in analysis.measures:
        for find_kind in (find_anomalies, find_shifts, find_trend, find_seasonality):
            candidates += find_kind(series[measure.column], measure.unit)
    if len(analysis.measures) > 1:
        candidates += find_correlations(series[[each.column for each in analysis.measures]])
    findings = _limited(corrected_findings(candidates))
    changes = [
        change for measure in analysis.measures for change in _changes(cube, analysis, measure)
    ]
    carriers = [
        _carriers(finding, cube, analysis) if rank < _EXPLAINED else []
        for rank, finding in zip(_ranks(findings), findings, strict=True)
    ]
    return Insights(changes=changes, findings=findings, carriers=carriers)


def _limited(findings: Iterable[Finding]) -> list[Finding]:
    """Keep the highest scores of each kind and measure."""
    best_first = sorted(findings, key=lambda finding: -finding.score)
    ranked = zip(_ranks(best_first), best_first, strict=True)
    return [finding for rank, finding in ranked if rank < _MOST.get(finding.kind, 5)]


def _ranks(findings: Sequence[Finding]) -> list[int]:
    """Number each finding, from 0, among those of its kind and measure."""
    seen: Counter[tuple[str, str]] = Counter()
    ranks = []
    for finding in findings:
        ranks.append(seen[finding.kind, finding.measure])
        seen[finding.kind, finding.measure] += 1
    return ranks


def _changes(cube: Cube, analysis: Analysis, measure: Measure) -> list[PeriodChange]:
    """Compare the last whole short period, and the longest there are six of."""
    time = analysis.time.column
    dated = cube.totals.dropna(subset=[measure.column])
    how: dict[str, Any] = {"aggregate": measure.together, "unit": measure.unit}
    changes: list[PeriodChange] = []
    for (before, after), period in _windows(dated[time]):
        how |= {"before": before, "after": after}
        totals = find_movers(dated, time, measure.column, None, **how)
        movers = [
            mover
            for dimension, part in cube.parts.items()
            for mover in find_movers(part, time, measure.column, dimension, top=_MOVERS, **how)
        ]
        movers.sort(key=lambda mover: -abs(mover.value("change")))
        if totals:
            changes.append(PeriodChange(total=totals[0], movers=movers, period=period))
    return changes


def _windows(times: "pd.Series") -> list[tuple[tuple[Window, Window], str]]:
    """Return pairs of neighbouring periods, before and after, and what such a period is called.

    Days from 5 Jan 2025 to 18 Mar 2026: the last whole weeks, 2 to 8 and 9 to 15 Mar ("W"), and
    of months, of which there are six, January and February ("M").
    """
    import pandas as pd

    moments = pd.DatetimeIndex(times.unique()).sort_values()
    if len(moments) < 2:
        return []
    step = pd.Series(moments).diff().median()
    hours = step.total_seconds() / 3600
    key = next(key for most, key in _PERIODS if hours <= most)
    period = moments.to_period(key)
    last = period[-1] if moments[-1] + step > period[-1].end_time else period[-1] - 1
    windows: list[tuple[tuple[Window, Window], str]] = []
    if last - 1 >= period[0]:
        windows.append(((_window(last - 1), _window(last)), key[0]))
    longest = last_periods(pd.Series(moments))
    if longest and (not windows or longest[1][0] != _window(last)[0]):
        days = (longest[1][1] - longest[1][0]).days
        windows.append((longest, next(name for most, name in _NAMES if days <= most)))
    return windows


def _window(period: "pd.Period") -> Window:
    return period.start_time, period.end_time.floor("D")


def _first_weeks(shift: Finding) -> Finding:
    """Return a shift that ends early: years on either side of it say little of the shift."""
    return shift.model_copy(update={"end": min(shift.end, shift.start + _FIRST_WEEKS)})


def _carriers(finding: Finding, cube: Cube, analysis: Analysis) -> list[Finding]:
    """Return who carries an anomaly or a shift, over all dimensions."""
    if finding.kind not in ("anomaly", "shift"):
        return []
    measure = next(each for each in analysis.measures if each.column == finding.measure)
    if finding.kind == "shift":
        finding = _first_weeks(finding)
        if finding.start - (finding.end - finding.start) < cube.totals.iloc[0, 0]:
            return []
    carriers = [
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
    return sorted(carriers, key=lambda carrier: -carrier.score)[:_EXPLAINED]
