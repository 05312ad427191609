"""Read the owner's folders into memory: what is new or changed, and nothing twice."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_table_artifact

from tasks.memory import ingestion
from tasks.runs.outcomes import accountable
from thirdshift.outcome import Outcome
from thirdshift.records import Ingested
from thirdshift.settings import settings

read_files = task(name="read files")(ingestion.ingest)


@flow(flow_run_name="ingest")
@accountable
async def ingest(paths: list[str] | None = None) -> Outcome:
    """Bring files and folders into memory; without `paths` those of the settings."""
    folders = [Path(path) for path in paths or settings().ingest.paths]
    if not folders:
        return Outcome(status="nothing_to_do", reason="No folders are named in ingest.paths.")
    files = await asyncio.to_thread(read_files, folders)
    counts = Counter(file.result for file in files)
    summary = ", ".join(f"{count} {result}" for result, count in counts.items()) or "no files found"
    get_run_logger().info("%d files: %s.", len(files), summary)
    await _list_rejected(files)
    fresh = [file for file in files if file.result in ("added", "changed")]
    if not fresh and not counts["deleted"]:
        return Outcome(status="nothing_to_do", reason=f"Nothing new: {summary}.")
    produced = [f"{file.path.name}: {file.result}, {file.chunks} chunks" for file in fresh]
    recalled = ingestion.are_recalled([file.path for file in fresh])
    return Outcome.checked(f"{summary}.", produced, every_file_can_be_recalled=recalled)


async def _list_rejected(files: Sequence[Ingested]) -> None:
    rejected = [file for file in files if file.result == "rejected"]
    if rejected:
        table = [{"file": str(file.path), "reason": file.reason} for file in rejected]
        await acreate_table_artifact(table, key="unread-files", description="Files left out")
