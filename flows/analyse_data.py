"""Look at one analysis' data at night: fetch, check, count, find, word, report."""

import asyncio

from prefect import flow, task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE

from agents.narrative import narrate
from tasks.analysis import archive, definitions, insights
from tasks.analysis.drawing import draw_charts
from tasks.analysis.examination import examine
from tasks.analysis.extraction.extract import extract
from tasks.analysis.report import Report
from tasks.memory.indexing import remember
from tasks.runs.outcomes import accountable
from thirdshift.analysis import Analysis
from thirdshift.outcome import Outcome
from thirdshift.records import Note, now

fetch_data = task(name="fetch the data")(extract)
examine_data = task(name="check and count", cache_policy=NO_CACHE)(examine)
find_findings = task(name="find", cache_policy=NO_CACHE)(insights.find)
word_findings = task(name="word the findings")(narrate)
write_report = task(name="write the report", cache_policy=NO_CACHE)(archive.write)


@flow(flow_run_name="analyse {analysis}")
@accountable
async def analyse_data(analysis: str) -> Outcome:
    """Analyse what `analysis` names: unchanged data are nothing to do, invalid ones a failure.

    Outcomes: `done` with the page, the row and the memory of it; `nothing_to_do` where data and
    analysis are those of the last report. Raises Quarantined; the last report stands then.
    """
    definition, began = definitions.find(analysis), now()
    last = await asyncio.to_thread(archive.last_report, definition.name)
    extracted = await asyncio.to_thread(fetch_data, definition, last.fingerprint if last else "")
    if extracted.unchanged:
        reason = f"{definition.title}: the data are those of the last report."
        return Outcome(status="nothing_to_do", reason=reason)
    cube, quality = await asyncio.to_thread(examine_data, extracted, definition)
    findings = await asyncio.to_thread(find_findings, cube, definition, quality)
    narrative = await asyncio.to_thread(word_findings, findings, definition)
    report = Report(definition, extracted, cube, findings, narrative, last)
    drawn = await asyncio.to_thread(draw_charts, report)
    file = await asyncio.to_thread(write_report, report, drawn)
    ids = await asyncio.to_thread(_remember, report)
    await asyncio.to_thread(archive.keep, report, file)
    await acreate_markdown_artifact(archive.artifact(report, drawn), key=_key(definition))
    row = await asyncio.to_thread(archive.last_report, definition.name)
    return Outcome.checked(
        f"{definition.title}: {cube.rows:,} rows, {len(findings.all)} findings.",
        [str(file)],
        the_report_is_newer_than_the_run=file.stat().st_mtime >= began.timestamp() - 1,
        memory_knows_the_report=bool(ids),
        the_table_has_its_row=row is not None and row.fingerprint == extracted.fingerprint,
    )


def _remember(report: Report) -> list[str]:
    note = Note(
        text=archive.memory_text(report),
        title=archive.title(report),
        source=str(archive.newest(report.analysis)),
        provenance="derived",
    )
    return remember([note])


def _key(analysis: Analysis) -> str:
    return f"analysis-{analysis.name}"
