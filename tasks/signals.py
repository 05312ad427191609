"""What a flow tells Prefect: events at which another begins, and what its run is called."""

from typing import Any
from uuid import UUID


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
