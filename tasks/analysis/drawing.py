"""Charts of a report: a series a measure with its findings marked, and the movers of a change."""

from typing import Any

from tasks.analysis.phrasing import member_title
from tasks.analysis.report import Report
from tasks.reports import charts
from thirdshift.findings import Finding


def draw_charts(report: Report) -> dict[str, str]:
    """Return the report's charts as SVG by name: `series-0` a measure, `movers-0` a change."""
    analysis, drawn = report.analysis, {}
    for number, measure in enumerate(analysis.measures):
        own = [each for each in report.insights.findings if each.measure == measure.column]
        marks = charts.Marks(
            anomalies=[
                moment
                for finding in own
                if finding.kind == "anomaly"
                for moment in _inside(finding, report)
            ],
            shifts=[finding.start for finding in own if finding.kind == "shift"],
            trend=any(finding.kind == "trend" for finding in own),
        )
        series = report.cube.totals.set_index(analysis.time.column)[measure.column]
        drawn[f"series-{number}"] = charts.series(series, marks, measure.unit)
    for number, change in enumerate(report.insights.changes):
        moved = {member_title(mover): mover.value("change") for mover in change.movers[:10]}
        if moved:
            drawn[f"movers-{number}"] = charts.changes(moved, change.total.unit)
    return drawn


def _inside(finding: Finding, report: Report) -> list[Any]:
    times = report.cube.totals[report.analysis.time.column]
    return list(times[(times >= finding.start) & (times <= finding.end)])
