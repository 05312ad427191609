"""What the report of an analysis says, as Markdown: takeaways, answers, findings, news, method."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.analysis.insights import Change, Insights
from tasks.analysis.sentences import named, sentence
from tasks.reports import charts
from tasks.reports.rendering import cell, plain
from tasks.tables.cube import Cube
from tasks.text.figures import day, figure
from thirdshift.analysis import (
    Analysis,
    Extracted,
    Narrative,
    Told,
)
from thirdshift.findings import Finding
from thirdshift.records import Record

_TEXTS = {
    "en": {
        "takeaways": "Takeaways",
        "questions": "Questions",
        "news": "Since the last report",
        "first": "This is the first report.",
        "same": "No finding is new, and none is gone.",
        "new": "New",
        "gone": "No longer found",
        "moved": "What moved",
        "found": "What was found",
        "method": "How this was made",
        "nothing": "Nothing stands out.",
        "plain": "*(plain)*",
    },
    "ja": {
        "takeaways": "要点",
        "questions": "質問",
        "news": "前回からの変化",
        "first": "最初のレポートです。",
        "same": "新しい発見も、消えた発見もありません。",
        "new": "新規",
        "gone": "見られなくなったもの",
        "moved": "動いたもの",
        "found": "発見",
        "method": "作成方法",
        "nothing": "目立つものはありません。",
        "plain": "*（定型文）*",
    },
}
_KINDS = {
    "en": {
        "anomaly": "Unusual",
        "shift": "Changes of level",
        "trend": "Trend",
        "seasonality": "Patterns",
        "correlation": "What goes together",
        "quality": "The data themselves",
    },
    "ja": {
        "anomaly": "異常値",
        "shift": "水準の変化",
        "trend": "傾向",
        "seasonality": "周期",
        "correlation": "関係",
        "quality": "データの品質",
    },
}


class Last(Record):
    """The last report of an analysis."""

    fingerprint: str
    findings: list[dict[str, Any]]
    report: str


class Report(Record):
    """All that a report says."""

    analysis: Analysis
    extracted: Extracted
    insights: Insights
    narrative: Narrative
    last: Last | None
    rows: int
    frequency: str
    until: str
    notes: list[str]


def draw(report: Report, cube: Cube) -> dict[str, str]:
    """Return the report's charts by name: a series a measure, the movers of each change."""
    analysis, drawn = report.analysis, {}
    for at, measure in enumerate(analysis.measures):
        own = [one for one in report.insights.findings if one.measure == measure.column]
        marks = charts.Marks(
            anomalies=[
                moment
                for one in own
                if one.kind == "anomaly"
                for moment in _inside(one, cube, analysis)
            ],
            shifts=[one.start for one in own if one.kind == "shift"],
            trend=any(one.kind == "trend" for one in own),
        )
        series = cube.totals.set_index(analysis.time.column)[measure.column]
        drawn[f"series-{at}"] = charts.series(series, marks, measure.unit)
    for at, change in enumerate(report.insights.changes):
        moved = {_member(one): one.value("change") for one in change.movers[:10]}
        if moved:
            drawn[f"movers-{at}"] = charts.changes(moved, change.total.unit)
    return drawn


def markdown(report: Report, images: Mapping[str, str]) -> str:
    """Return the report as Markdown; `images` maps a chart's name to its address."""
    parts = [f"# {plain(report.analysis.title)}", plain(report.analysis.why)]
    parts += [_takeaways(report), _answers(report), _series(report, images)]
    parts += [_moved(report, images), _found(report), _news(report), _method(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _takeaways(report: Report) -> str:
    said = _texts(report)
    lines = [f"{n}. {_told(one, report)}" for n, one in enumerate(report.narrative.takeaways, 1)]
    return "\n".join([f"## {said['takeaways']}", "", *(lines or [said["nothing"]])])


def _answers(report: Report) -> str:
    if not report.narrative.answers:
        return ""
    parts = [f"## {_texts(report)['questions']}"]
    for answer in report.narrative.answers:
        lines = [f"- {_told(one, report)}" for one in answer.said]
        parts.append("\n".join([f"**{plain(answer.question)}**", "", *lines]))
    return "\n\n".join(parts)


def _told(told: Told, report: Report) -> str:
    """Return a sentence; where a model words the others, a plain one is marked."""
    mixed = not report.narrative.why_plain and told.by == "plain"
    return plain(told.text) + (f" {_texts(report)['plain']}" if mixed else "")


def _series(report: Report, images: Mapping[str, str]) -> str:
    shown = [
        f"![{plain(measure.name)}]({images[f'series-{at}']})"
        for at, measure in enumerate(report.analysis.measures)
        if f"series-{at}" in images
    ]
    return "\n\n".join(shown)


def _moved(report: Report, images: Mapping[str, str]) -> str:
    parts = [f"## {_texts(report)['moved']}"]
    for at, change in enumerate(report.insights.changes):
        parts.append(plain(sentence(change.total, report.analysis)))
        if f"movers-{at}" in images:
            name = named(change.total.measure, report.analysis)
            parts.append(f"![{plain(name)}]({images[f'movers-{at}']})")
        if change.movers:
            parts.append(_movers(change, report))
    return "\n\n".join(parts) if len(parts) > 1 else ""


def _movers(change: Change, report: Report) -> str:
    names = ("before", "after", "change", "change_percent", "contribution_percent")
    heads = [name.replace("_percent", ", %") for name in names]
    lines = ["| " + " | ".join(["", *heads]) + " |", "|---" * (len(names) + 1) + "|"]
    for mover in change.movers:
        shown = [figure(mover.value(name)) if mover.has(name) else "" for name in names]
        lines.append(f"| {' | '.join([cell(_member(mover)), *shown])} |")
    return "\n".join(lines)


def _found(report: Report) -> str:
    said, parts = _texts(report), []
    pairs = list(zip(report.insights.findings, report.insights.carriers, strict=True))
    for kind, heading in _KINDS[report.analysis.language].items():
        lines = [line for one in pairs if one[0].kind == kind for line in _lines(*one, report)]
        if lines:
            parts.append("\n".join([f"### {heading}", "", *lines]))
    return "\n\n".join([f"## {said['found']}", *(parts or [said["nothing"]])])


def _lines(finding: Finding, carriers: Sequence[Finding], report: Report) -> list[str]:
    lines = [f"- {plain(sentence(finding, report.analysis))}{_sure(finding)}"]
    return lines + [f"    - {plain(sentence(one, report.analysis))}" for one in carriers]


def _sure(finding: Finding) -> str:
    return "" if finding.q_value is None else f" (q = {finding.q_value:.2g})"


def _news(report: Report) -> str:
    said = _texts(report)
    head = f"## {said['news']}"
    if report.last is None:
        return f"{head}\n\n{said['first']}"
    new, gone = news(report.insights.all, report.last, report.analysis)
    lines = [f"- {said['new']}: {plain(line)}" for line in new]
    lines += [f"- {said['gone']}: {plain(line)}" for line in gone]
    return "\n".join([head, "", *(lines or [said["same"]])])


def news(
    findings: Sequence[Finding], last: Last, analysis: Analysis
) -> tuple[list[str], list[str]]:
    """Return what is found now and was not, and what was found and is no more, as sentences."""
    before = [Finding.model_validate(one) for one in last.findings]
    known, still = {_key(one) for one in before}, {_key(one) for one in findings}
    new = [sentence(one, analysis) for one in findings if _key(one) not in known]
    gone = [sentence(one, analysis) for one in before if _key(one) not in still]
    return new[:12], gone[:12]


def _key(finding: Finding) -> tuple[str, ...]:
    """Return what makes two findings the same one; a trend that grew by a day is no news."""
    dated = finding.kind in ("anomaly", "shift", "mover", "carrier", "quality")
    when = day(finding.start) if dated else ""
    what = finding.method if finding.kind == "quality" else finding.direction
    return (finding.kind, finding.measure, when, what, *map(str, finding.members))


def _method(report: Report) -> str:
    analysis, extracted = report.analysis, report.extracted
    methods = sorted({one.method for one in report.insights.all if one.kind != "quality"})
    lines = [
        f"Source: {extracted.source}; {report.rows:,} rows, up to {report.until}.",
        f"Steps of time: {report.frequency}. "
        + "; ".join(f"{one.name}: {one.aggregate} of {one.of}" for one in analysis.measures)
        + ".",
        *(f"{note[0].upper()}{note[1:]}." for note in report.notes),
        f"Methods: {'; '.join(methods)}." if methods else "",
        "Findings are computed; tests are corrected together for a false discovery rate of 5 %.",
        report.narrative.why_plain or "A model worded the takeaways; each number was checked.",
    ]
    return "\n".join([f"## {_texts(report)['method']}", "", *(f"- {plain(x)}" for x in lines if x)])


def _inside(finding: Finding, cube: Cube, analysis: Analysis) -> list[Any]:
    times = cube.totals[analysis.time.column]
    return list(times[(times >= finding.start) & (times <= finding.end)])


def _member(finding: Finding) -> str:
    return ", ".join(f"{dimension} {member}" for dimension, member in finding.members)


def _texts(report: Report) -> dict[str, str]:
    return _TEXTS[report.analysis.language]
