"""Events of ours in Prefect: what one flow tells so that another begins."""

from typing import Any


async def tell(name: str, about: str, **payload: Any) -> None:
    """Emit an event and wait until the server has it: a run may end right after."""
    from prefect.events import Event
    from prefect.events.clients import get_events_client

    resource = {"prefect.resource.id": about}
    async with get_events_client(checkpoint_every=1) as client:
        await client.emit(event=Event(event=name, resource=resource, payload=payload))
