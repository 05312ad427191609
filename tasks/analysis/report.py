"""The report of an analysis as Markdown: takeaways, answers, findings, news, method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.analysis.insights import Insights, PeriodChange
from tasks.analysis.phrasing import column_title, member_title, sentence
from tasks.reports.rendering import cell, plain
from tasks.tables.cube import Cube
from tasks.text.figures import day, figure
from thirdshift.analysis import (
    Analysis,
    Extracted,
    Narrative,
    Statement,
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
        "findings": "What was found",
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
        "findings": "発見",
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


_NEWS = 12  # sentences on what is new, and as many on what is gone


class LastReport(Record):
    """The last report of an analysis, as it was kept."""

    fingerprint: str
    findings: list[dict[str, Any]]
    report: str


@dataclass(frozen=True)
class Report:
    """All that a report says, and the cube of series it is about."""

    analysis: Analysis
    extracted: Extracted
    cube: Cube
    insights: Insights
    narrative: Narrative
    last: LastReport | None


def markdown(report: Report, images: Mapping[str, str]) -> str:
    """Return the report as Markdown; `images` maps a chart's name to its address."""
    parts = [f"# {plain(report.analysis.title)}", plain(report.analysis.why)]
    parts += [_takeaways(report), _answers(report), _series(report, images)]
    parts += [_moved(report, images), _findings(report), _news(report), _method(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _takeaways(report: Report) -> str:
    texts, takeaways = _texts(report), report.narrative.takeaways
    lines = [f"{n}. {_marked(takeaway, report)}" for n, takeaway in enumerate(takeaways, 1)]
    return "\n".join([f"## {texts['takeaways']}", "", *(lines or [texts["nothing"]])])


def _answers(report: Report) -> str:
    if not report.narrative.answers:
        return ""
    parts = [f"## {_texts(report)['questions']}"]
    for answer in report.narrative.answers:
        lines = [f"- {_marked(statement, report)}" for statement in answer.statements]
        parts.append("\n".join([f"**{plain(answer.question)}**", "", *lines]))
    return "\n\n".join(parts)


def _marked(statement: Statement, report: Report) -> str:
    """Return a sentence; where a model words the others, a plain one is marked."""
    mixed = not report.narrative.why_plain and statement.by == "plain"
    return plain(statement.text) + (f" {_texts(report)['plain']}" if mixed else "")


def _series(report: Report, images: Mapping[str, str]) -> str:
    shown = [
        f"![{plain(measure.name)}]({images[f'series-{number}']})"
        for number, measure in enumerate(report.analysis.measures)
        if f"series-{number}" in images
    ]
    return "\n\n".join(shown)


def _moved(report: Report, images: Mapping[str, str]) -> str:
    parts = [f"## {_texts(report)['moved']}"]
    for number, change in enumerate(report.insights.changes):
        parts.append(plain(sentence(change.total, report.analysis)))
        if f"movers-{number}" in images:
            name = column_title(change.total.measure, report.analysis)
            parts.append(f"![{plain(name)}]({images[f'movers-{number}']})")
        if change.movers:
            parts.append(_movers(change, report))
    return "\n\n".join(parts) if len(parts) > 1 else ""


def _movers(change: PeriodChange, report: Report) -> str:
    names = ("before", "after", "change", "change_percent", "contribution_percent")
    heads = [name.replace("_percent", ", %") for name in names]
    lines = ["| " + " | ".join(["", *heads]) + " |", "|---" * (len(names) + 1) + "|"]
    for mover in change.movers:
        shown = [figure(mover.value(name)) if mover.has(name) else "" for name in names]
        lines.append(f"| {' | '.join([cell(member_title(mover)), *shown])} |")
    return "\n".join(lines)


def _findings(report: Report) -> str:
    texts, parts, insights = _texts(report), [], report.insights
    for kind, heading in _KINDS[report.analysis.language].items():
        lines = [
            line
            for finding, carriers in zip(insights.findings, insights.carriers, strict=True)
            if finding.kind == kind
            for line in _lines(finding, carriers, report)
        ]
        if lines:
            parts.append("\n".join([f"### {heading}", "", *lines]))
    return "\n\n".join([f"## {texts['findings']}", *(parts or [texts["nothing"]])])


def _lines(finding: Finding, carriers: Sequence[Finding], report: Report) -> list[str]:
    lines = [f"- {plain(sentence(finding, report.analysis))}{_sure(finding)}"]
    return lines + [f"    - {plain(sentence(carrier, report.analysis))}" for carrier in carriers]


def _sure(finding: Finding) -> str:
    return "" if finding.q_value is None else f" (q = {finding.q_value:.2g})"


def _news(report: Report) -> str:
    texts = _texts(report)
    head = f"## {texts['news']}"
    if report.last is None:
        return f"{head}\n\n{texts['first']}"
    new, gone = news(report.insights.all, report.last, report.analysis)
    lines = [f"- {texts['new']}: {plain(line)}" for line in new]
    lines += [f"- {texts['gone']}: {plain(line)}" for line in gone]
    return "\n".join([head, "", *(lines or [texts["same"]])])


def news(
    findings: Sequence[Finding], last: LastReport, analysis: Analysis
) -> tuple[list[str], list[str]]:
    """Return what is found now and was not, and what was found and is no more, as sentences."""
    before = [Finding.model_validate(finding) for finding in last.findings]
    known, still = set(map(_key, before)), set(map(_key, findings))
    new = [sentence(finding, analysis) for finding in findings if _key(finding) not in known]
    gone = [sentence(finding, analysis) for finding in before if _key(finding) not in still]
    return new[:_NEWS], gone[:_NEWS]


def _key(finding: Finding) -> tuple[str, ...]:
    """Return what makes two findings the same one; a trend that grew by a day is no news."""
    dated = finding.kind in ("anomaly", "shift", "mover", "carrier", "quality")
    when = day(finding.start) if dated else ""
    what = finding.method if finding.kind == "quality" else finding.direction
    return (finding.kind, finding.measure, when, what, *map(str, finding.members))


def _method(report: Report) -> str:
    analysis, cube = report.analysis, report.cube
    methods = sorted({each.method for each in report.insights.all if each.kind != "quality"})
    measures = [f"{each.name}: {each.aggregate} of {each.of}" for each in analysis.measures]
    lines = [
        f"Source: {report.extracted.source}; {cube.rows:,} rows, up to {cube.until}.",
        f"Steps of time: {cube.frequency}. {'; '.join(measures)}.",
        *(f"{note[0].upper()}{note[1:]}." for note in cube.notes),
        f"Methods: {'; '.join(methods)}." if methods else "",
        "Findings are computed; tests are corrected together for a false discovery rate of 5 %.",
        report.narrative.why_plain or "A model worded the takeaways; each number was checked.",
    ]
    return "\n".join([f"## {_texts(report)['method']}", "", *(f"- {plain(x)}" for x in lines if x)])


def _texts(report: Report) -> dict[str, str]:
    return _TEXTS[report.analysis.language]
