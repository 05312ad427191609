"""The orchestrator: what Prefect is asked of runs, and told by them.

Runs that ended badly, events at which another begins, what a run is called.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

_LOST = ("CRASHED", "FAILED", "CANCELLED")


async def lost_runs(since: datetime, reported: Collection[str]) -> list[str]:
    """Return a line for each run since then that ended badly and is not among those `reported`."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType

    states = filters.FlowRunFilterStateType(any_=[StateType(name) for name in _LOST])
    ended_badly = filters.FlowRunFilter(
        state=filters.FlowRunFilterState(type=states),
        start_time=filters.FlowRunFilterStartTime(after_=since),
    )
    async with get_client() as client:
        runs = await client.read_flow_runs(flow_run_filter=ended_badly, limit=100)
    return [
        f"{run.name} {run.state.type.value.lower()}: {run.state.message or 'no reason given'}"
        for run in runs
        if run.state and str(run.id) not in reported
    ]


async def tell(name: str, about: str, **payload: Any) -> None:
    """Emit an event and wait until the server has it: a run may end right after."""
    from prefect.events import Event
    from prefect.events.clients import get_events_client

    resource = {"prefect.resource.id": about}
    async with get_events_client(checkpoint_every=1) as client:
        await client.emit(event=Event(event=name, resource=resource, payload=payload))


async def call_run(name: str) -> None:
    """Call the run under way what people know it by; before, only an id may be known."""
    from prefect.client.orchestration import get_client
    from prefect.runtime import flow_run

    if flow_run.id:
        async with get_client() as client:
            await client.update_flow_run(UUID(flow_run.id), name=name)
