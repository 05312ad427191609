"""Read the owner's folders into memory: what is new or changed, and nothing twice."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_table_artifact

from tasks.memory import ingestion
from tasks.memory.store import store
from tasks.runs.outcomes import accountable
from thirdshift.outcome import Outcome
from thirdshift.records import Reading
from thirdshift.settings import settings

read_files = task(name="read files")(ingestion.ingest)


@flow(flow_run_name="ingest")
@accountable
async def ingest(paths: list[str] | None = None) -> Outcome:
    """Bring files and folders into memory; without `paths` those of the settings."""
    chosen = [Path(path) for path in paths or settings().ingest.paths]
    if not chosen:
        return Outcome(status="nothing_to_do", reason="No folders are named in ingest.paths.")
    readings = await asyncio.to_thread(read_files, chosen)
    counts = Counter(reading.result for reading in readings)
    said = ", ".join(f"{count} {result}" for result, count in counts.items()) or "no files found"
    get_run_logger().info("%d files: %s.", len(readings), said)
    await _list_rejected(readings)
    fresh = [r for r in readings if r.result in ("added", "changed")]
    if not fresh and not counts["deleted"]:
        return Outcome(status="nothing_to_do", reason=f"Nothing new: {said}.")
    produced = [f"{r.path.name}: {r.result}, {r.chunks} chunks" for r in fresh]
    return Outcome.checked(f"{said}.", produced, every_file_can_be_recalled=_stored(fresh))


def _stored(readings: Sequence[Reading]) -> bool:
    paths = {str(reading.path) for reading in readings}
    rows = store().rows("chunks", "status != 'deleted'", ["uri"])["uri"].to_pylist()
    held = set(rows) | {uri.rpartition("#")[0] for uri in rows}
    return paths <= held


async def _list_rejected(readings: Sequence[Reading]) -> None:
    rejected = [r for r in readings if r.result == "rejected"]
    if rejected:
        table = [{"file": str(r.path), "reason": r.reason} for r in rejected]
        await acreate_table_artifact(table, key="unread-files", description="Files left out")
