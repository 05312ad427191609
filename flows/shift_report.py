"""Say in the morning what the shift did, what it made, what it left out and why."""

import asyncio
from datetime import datetime, timedelta

from prefect import flow, task
from prefect.artifacts import acreate_markdown_artifact

from agents.brief import brief
from tasks.memory.indexing import remember
from tasks.reports import digest
from tasks.reports import shift as report
from tasks.runs.orchestrator import lost_runs
from tasks.runs.outcomes import accountable, history
from thirdshift.outcome import Outcome, Shift
from thirdshift.records import now

write_brief = task(name="write the brief")(brief)
write_report = task(name="write the report")(report.write)


@flow(flow_run_name="shift report")
@accountable
async def shift_report(hours: float = 24) -> Outcome:
    """Report on the last `hours`: Markdown and HTML with charts, an artifact, and memory."""
    until = now()
    shift = await _gather(until - timedelta(hours=hours), until)
    shift = shift.model_copy(update={"brief": await asyncio.to_thread(write_brief, shift)})
    path = await asyncio.to_thread(write_report, shift)
    await acreate_markdown_artifact(report.artifact(shift), key="shift-report")
    ids = await asyncio.to_thread(remember, [digest.note(shift, report.latest())])
    return Outcome.checked(
        f"{len(shift.runs)} runs reported.",
        [str(path)],
        the_report_is_newer_than_the_run=path.stat().st_mtime >= until.timestamp(),
        memory_knows_the_report=bool(ids),
    )


async def _gather(since: datetime, until: datetime) -> Shift:
    runs = await asyncio.to_thread(history, since, until)
    return Shift(
        since=since,
        until=until,
        runs=runs,
        lost=await lost_runs(since, {run.id for run in runs}),
        memory=await asyncio.to_thread(report.memory_figures),
    )
