"""History: what ran, was dropped, put off, caught up or lost, by the ledger and by Prefect."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from deployments.environment import apply
from tasks.runs.outcomes import history
from tasks.runs.schedule import TOLERANCE
from thirdshift.errors import NotFound
from thirdshift.outcome import Ran
from thirdshift.records import Record, now

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LOST = {"CRASHED": "crashed", "CANCELLED": "cancelled", "FAILED": "failed"}


class Happening(Record):
    """One line of the history. `status` is an outcome's, or crashed or cancelled."""

    at: datetime
    flow: str
    run: str
    status: str
    reason: str
    seconds: float = 0
    joules: float | None = None
    caught_up: bool = False


def period(text: str) -> timedelta:
    """Return the length of time in `90m`, `24h`, `7d` or `2w`; raises NotFound for other text."""
    parts = re.fullmatch(r"(\d+)([mhdw])", text.strip())
    if not parts:
        raise NotFound(f"{text!r} is no length of time.", "Say 90m, 24h, 7d or 2w.")
    return timedelta(**{UNITS[parts[2]]: int(parts[1])})


def happenings(since: timedelta) -> tuple[list[Happening], bool]:
    """Return what happened since, oldest first, and whether Prefect answered.

    Without Prefect it is the ledger alone: what crashed or was cancelled is then missing.
    """
    begin = now() - since
    runs = _prefects(begin)
    return merge(history(begin), runs or []), runs is not None


def merge(ledger: Iterable[Ran], runs: Iterable["FlowRun"]) -> list[Happening]:
    """Return the ledger's rows, and Prefect's runs that ended badly without leaving one."""
    known = {str(run.id): run for run in runs}
    kept_runs = [_from_ledger(ran, known) for ran in ledger]
    ids = {ran.id.partition("@")[0] for ran in ledger}
    lost = [_from_prefect(run) for name, run in known.items() if name not in ids and _is_lost(run)]
    return sorted([*kept_runs, *lost], key=lambda line: line.at)


def _from_ledger(ran: Ran, runs: Mapping[str, "FlowRun"]) -> Happening:
    run = runs.get(ran.id.partition("@")[0])
    late = _lateness(run) if run else ""
    return Happening(
        at=ran.started_at,
        flow=ran.flow,
        run=ran.run_name,
        status=ran.outcome.status,
        reason=f"{late}{ran.outcome.reason}",
        seconds=ran.seconds,
        joules=ran.joules,
        caught_up=bool(late),
    )


def _from_prefect(run: "FlowRun") -> Happening:
    state: Any = run.state
    return Happening(
        at=run.start_time or run.end_time or state.timestamp,
        flow=str(run.name) if not run.deployment_id else _flow(run),
        run=str(run.name),
        status=LOST[state.type.value],
        reason=f"{_lateness(run)}{state.message or 'No reason was given.'}",
        seconds=run.total_run_time.total_seconds() if run.total_run_time else 0,
        caught_up=bool(_lateness(run)),
    )


def _is_lost(run: "FlowRun") -> bool:
    """Tell whether a run ended badly; one that the policy dropped is in the ledger already."""
    return bool(run.state and run.state.type.value in LOST and run.state.name != "Skipped")


def _lateness(run: "FlowRun") -> str:
    from deployments.runner.effects import CAUGHT_UP

    if CAUGHT_UP in run.tags:
        return "Caught up. "
    if not (run.auto_scheduled and run.start_time and run.expected_start_time):
        return ""
    late = run.start_time - run.expected_start_time
    return f"Caught up, {late.total_seconds() / 3600:.1f} h late. " if late > TOLERANCE else ""


def _flow(run: "FlowRun") -> str:
    return str(run.labels.get("prefect.flow.name", run.name)).replace("-", "_")


def _prefects(since: datetime) -> "list[FlowRun] | None":
    """Return the runs that ended since; None where no server answers."""
    apply()
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters

    ended = filters.FlowRunFilter(end_time=filters.FlowRunFilterEndTime(after_=since))
    runs: list[FlowRun] = []
    try:
        with get_client(sync_client=True) as client:
            while page := client.read_flow_runs(flow_run_filter=ended, limit=200, offset=len(runs)):
                runs += page
    except (httpx.HTTPError, RuntimeError):
        return None
    return runs
