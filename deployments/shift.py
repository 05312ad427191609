"""One whole shift, now: every nightly deployment in its order, through the real server."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments import triggered
from deployments.catalogue import Deployment, catalogue, find
from deployments.environment import apply
from deployments.services import supervise
from thirdshift.errors import PrefectUnavailable, ThirdShiftError
from thirdshift.outcome import Ran
from thirdshift.paths import DATASETS
from thirdshift.records import now
from thirdshift.settings import settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import State
    from rich.console import Console

Say = Callable[[str], None]

_LOOK = 0.1  # seconds between two looks at a run
_READY = 180  # seconds until a slow machine's server answers


def run_shift(paths: Sequence[Path], out: "Console") -> int:
    """Run the nightly deployments one after another; return 1 if anything failed, else 0.

    Starts the processes where they do not run, and stops those it started. Without `paths`
    and without ingest.paths in the settings it reads the samples.
    """
    began = now()
    started_here = not supervise.running()
    try:
        if started_here:
            out.print("Starting Prefect, the runner and the engine …")
            supervise.up(needed_programs(), foreground=False)
        supervise.wait_ready(_READY, lambda line: out.print(f"  {line}", markup=False))
        for name in nightly():
            started = now()
            state = run_deployment(name, _parameters(name, paths), lambda _: None)
            out.print(f"  {name}: {state.name}. {state.message or ''}", markup=False)
            if name == "monitor-sources" and state.name == "Done":
                _follow_stories(started, out)
    finally:
        if started_here:
            supervise.down()
    return _close(began, out)


def nightly() -> list[str]:
    """Return the scheduled deployments in the order of their times, the last before the report.

    What runs many times a day takes its last turn before the last of the others: a monitor that
    looks every hour looks once, just before the report.
    """
    scheduled = [entry for entry in catalogue() if entry.schedule]
    end = max(times[0] for entry in scheduled if len(times := _times(entry)) == 1)
    last = {entry.name: _last(entry, end) for entry in scheduled}
    return sorted(last, key=lambda name: last[name])


def _last(entry: Deployment, end: datetime) -> datetime:
    return max(moment for moment in _times(entry) if moment <= end)


def needed_programs() -> list[str]:
    """Return the processes this machine needs: the engine only where no Ollama answers."""
    from tasks.models.runtime import runtime

    engine = ["engine"] if runtime().name == "embedded" else []
    return ["server", *engine, "runner"]


def run_deployment(name: str, parameters: dict[str, Any], say: Say) -> "State[Any]":
    """Start a deployment through Prefect, follow it to its end, return its last state.

    Raises NotFound for an unknown name, PrefectUnavailable where no server answers.
    """
    entry = find(name)
    apply()
    import httpx
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.exceptions import ObjectNotFound

    try:
        with SyncPrefectClient(f"{settings().prefect_url}/api") as client:
            deployment = client.read_deployment_by_name(entry.path)
            run = client.create_flow_run_from_deployment(deployment.id, parameters=parameters)
            return _follow(client, run.id, say)
    except (httpx.ConnectError, ObjectNotFound, RuntimeError) as error:
        raise PrefectUnavailable(
            f"Prefect at {settings().prefect_url} does not know {name}, or does not answer.",
            "Start it with `thirdshift up`.",
        ) from error


def _follow(client: "SyncPrefectClient", run_id: Any, say: Say) -> "State[Any]":
    seen = None
    while True:
        state = client.read_flow_run(run_id).state
        if state and state.name != seen:
            seen = state.name
            say(seen or "")
        if state and (state.is_final() or state.is_paused() or state.name in triggered.PUT_OFF):
            return state
        time.sleep(_LOOK)


def _times(entry: Deployment) -> list[datetime]:
    """Return when a deployment runs on a day on which it does."""
    from cronsim import CronSim

    minute, hour = str(entry.schedule).split()[:2]
    day = datetime(2000, 1, 1)
    coming = CronSim(f"{minute} {hour} * * *", day - timedelta(minutes=1))
    return list(takewhile(lambda moment: moment < day + timedelta(days=1), coming))


def _follow_stories(since: datetime, out: "Console") -> None:
    """Wait for research and drafts of what was found; a draft that waits is one more success."""
    for run in triggered.follow(since):
        state = run.state
        line = f"{state.name}. {state.message or ''}" if state else ""
        out.print(f"    {run.name}: {line}", markup=False)


def _parameters(name: str, paths: Sequence[Path]) -> dict[str, Any]:
    """Return what a deployment is called with: samples where the owner has nothing of his own."""
    if name == "ingest":
        return {"paths": _read_from(paths)}
    if name == "monitor-sources" and not settings().sources_file.exists():
        return {"sources": str(samples().parent / "sources.yaml")}
    return {}


def _read_from(paths: Sequence[Path]) -> list[str]:
    chosen = list(paths) or list(settings().ingest.paths) or [samples()]
    return [str(path.resolve()) for path in chosen]


def samples() -> Path:
    """Return the folder of sample documents in the checkout."""
    folder = DATASETS / "samples"
    if not folder.is_dir():
        raise ThirdShiftError(
            "There are no samples here.", "Name your folders: `thirdshift shift PATH …`."
        )
    return folder


def _close(began: datetime, out: "Console") -> int:
    from tasks.runs.outcomes import history

    runs = history(began - timedelta(seconds=1))
    failed = [run for run in runs if run.outcome.status == "failed"]
    reported = {run.flow for run in runs}
    missing = [name for name in nightly() if _flow(name) not in reported]
    for name in missing:
        out.print(f"[red]{name} left no outcome.[/]")
    out.print(f"Report: {_report(runs)}", markup=False, soft_wrap=True)
    return int(bool(failed or missing))


def _flow(name: str) -> str:
    return find(name).flow.replace("-", "_")


def _report(runs: Sequence[Ran]) -> str:
    reports = [run for run in runs if run.flow == "shift_report" and run.outcome.produced]
    return reports[-1].outcome.produced[0] if reports else "none was written"
