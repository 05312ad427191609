"""What Prefect knows of runs: those that ended without telling us, and starting new ones."""

from collections.abc import Collection
from datetime import datetime

_LOST = ("CRASHED", "FAILED", "CANCELLED")


async def lost_runs(since: datetime, told: Collection[str]) -> list[str]:
    """Return a line for each run since then that ended badly and left no outcome of its own."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType

    states = filters.FlowRunFilterStateType(any_=[StateType(name) for name in _LOST])
    chosen = filters.FlowRunFilter(
        state=filters.FlowRunFilterState(type=states),
        start_time=filters.FlowRunFilterStartTime(after_=since),
    )
    async with get_client() as client:
        runs = await client.read_flow_runs(flow_run_filter=chosen, limit=100)
    return [
        f"{run.name} {run.state.type.value.lower()}: {run.state.message or 'no reason given'}"
        for run in runs
        if run.state and str(run.id) not in told
    ]
