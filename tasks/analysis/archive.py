"""The archive of reports: files, a row of the table `analyses`, a text for memory."""

import json
from collections.abc import Mapping
from pathlib import Path

from tasks.analysis.phrasing import sentence
from tasks.analysis.report import LastReport, Report, markdown
from tasks.machine.disk import write_whole
from tasks.memory.store import quoted, store
from tasks.reports.rendering import data_uri, page
from thirdshift.analysis import Analysis
from thirdshift.records import content_hash
from thirdshift.settings import settings


def last_report(name: str) -> LastReport | None:
    """Return what is kept of the last report of an analysis; None before the first."""
    columns = ["fingerprint", "findings", "report", "at"]
    rows = store().rows("analyses", f"analysis IN {quoted(name)}", columns).to_pylist()
    if not rows:
        return None
    newest_row = max(rows, key=lambda row: row["at"])
    return LastReport(
        fingerprint=newest_row["fingerprint"],
        findings=json.loads(newest_row["findings"]),
        report=newest_row["report"],
    )


def write(report: Report, drawn: Mapping[str, str]) -> Path:
    """Write Markdown, charts (`draw_charts`) and a page into a folder; return the page's path.

    Each report has a folder of its own; `newest` is a copy of the last page, and is the last
    to be written.
    """
    folder = _folder(report)
    for name, svg in drawn.items():
        write_whole(folder / f"{name}.svg", svg)
    write_whole(folder / "report.md", markdown(report, {name: f"{name}.svg" for name in drawn}))
    file = folder / "report.html"
    html = page(artifact(report, drawn), report.analysis.title, report.analysis.language)
    write_whole(file, html)
    write_whole(newest(report.analysis), html)
    return file


def artifact(report: Report, drawn: Mapping[str, str]) -> str:
    """Return the report as Markdown that carries its charts."""
    return markdown(report, {name: data_uri(svg) for name, svg in drawn.items()})


def keep(report: Report, file: Path) -> None:
    """Add the report to the table `analyses`; the same data twice are one row."""
    analysis, extracted = report.analysis, report.extracted
    findings = [finding.model_dump(mode="json") for finding in report.insights.all]
    row = {
        "id": content_hash(analysis.name, extracted.fingerprint),
        "analysis": analysis.name,
        "title": analysis.title,
        "fingerprint": extracted.fingerprint,
        "source": extracted.source,
        "rows": report.cube.rows,
        "until": report.cube.until,
        "findings": json.dumps(findings, ensure_ascii=False),
        "narrative": report.narrative.model_dump_json(),
        "report": str(file),
        "at": extracted.at,
    }
    store().upsert("analyses", [row])


def newest(analysis: Analysis) -> Path:
    """Return where the newest report of an analysis lies: what memory names as its source."""
    return settings().reports_path / "analyses" / analysis.name / "report.html"


def memory_text(report: Report) -> str:
    """Return the report in plain sentences, questions first, for memory."""
    analysis = report.analysis
    parts = [f"# {analysis.title}, {report.cube.until}"]
    for answer in report.narrative.answers:
        texts = [statement.text for statement in answer.statements]
        parts.append("\n".join([f"## {answer.question}", *texts]))
    parts.append("\n".join(takeaway.text for takeaway in report.narrative.takeaways))
    for change in report.insights.changes:
        moves = (change.total, *change.movers[:4])
        parts.append("\n".join(sentence(move, analysis) for move in moves))
    parts += [sentence(finding, analysis) for finding in report.insights.findings]
    return "\n\n".join(parts)


def _folder(report: Report) -> Path:
    stamp = report.extracted.at.astimezone(settings().zone).strftime("%Y-%m-%d-%H%M%S")
    return newest(report.analysis).parent / stamp


def title(report: Report) -> str:
    """Return the heading under which memory and Prefect know the report."""
    measures = ", ".join(measure.name for measure in report.analysis.measures)
    return f"{report.analysis.title} ({measures})"
