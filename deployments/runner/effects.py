"""Effects: what the decisions of `deployments.runner.catchup` do to Prefect and to our ledger."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tasks.runs.schedule import Policy, Skip
from thirdshift.records import content_hash, now
from thirdshift.settings import settings

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

CAUGHT_UP = "caught-up"  # the tag of runs that stand for a missed time


class PrefectEffects:
    """Cancels and creates runs with a client, and keeps skips in the ledger."""

    def __init__(self, client: "PrefectClient") -> None:
        self._client = client

    async def active(self, deployment: UUID) -> bool:
        """Tell whether neither the deployment nor its schedules are paused."""
        entry = await self._client.read_deployment(deployment)
        return not entry.paused and any(schedule.active for schedule in entry.schedules)

    async def cancel(self, run: str, reason: str) -> None:
        """Cancel a scheduled run, as Skipped."""
        from prefect.exceptions import ObjectNotFound
        from prefect.states import Cancelled

        try:
            await self._client.set_flow_run_state(
                UUID(run), Cancelled(name="Skipped", message=reason)
            )
        except ObjectNotFound:
            return  # the owner deleted it

    async def create(self, deployment: UUID, occurrence: datetime) -> None:
        """Create a run for an occurrence that has none; its key makes the second time nothing."""
        from prefect.states import Scheduled

        local = occurrence.astimezone(settings().zone)
        message = f"For {local:%a %d %b %H:%M}, which passed without a run."
        await self._client.create_flow_run_from_deployment(
            deployment,
            state=Scheduled(message=message),
            tags=[CAUGHT_UP],
            idempotency_key=f"{CAUGHT_UP} {deployment} {occurrence.isoformat()}",
        )

    async def tell(self, policy: Policy, skip: Skip) -> None:
        """Keep in the ledger what was dropped."""
        await asyncio.to_thread(_keep, policy, skip)


def _keep(policy: Policy, skip: Skip) -> None:
    from tasks.runs import ledger
    from thirdshift.outcome import Outcome, Ran

    first, last = (at.astimezone(settings().zone) for at in (skip.first, skip.last))
    times = f"{last:%a %d %b %H:%M}"
    if skip.count > 1:
        times = f"{skip.count} times from {first:%a %d %b %H:%M} to {times}"
    ran = Ran(
        id=content_hash("skip", policy.name, skip.first.isoformat(), skip.last.isoformat()),
        flow=policy.name.replace("-", "_"),
        run_name=f"{policy.name}, {times}",
        started_at=now(),
        seconds=0,
        outcome=Outcome(status="skipped", reason=f"Due {times}. {skip.reason}"),
    )
    ledger.keep(ran)
