"""Reconciliation: finds runs whose process is gone, puts right what Prefect believes of them.

The runner notes the process of each run in a file (`Processes`), so that the next runner knows
the runs of a killed one. What it does then:

    Prefect says   the process lives                 the process is gone
    Pending        left, watched                     scheduled again: its body has not begun
    Running        left, watched: it is adopted      Crashed, and started anew where the
                                                     catalogue grants `retries`
    Cancelling     ended                             Cancelled
    Crashed *      Running again

    * by the heartbeat automation: the machine slept, or the process was stopped for a while

The automation is there for when no runner looks; it takes 90 s, a runner that looks 10 to 15.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from deployments.runner.processes import Processes, end
from thirdshift.records import now

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, State

EVERY = 5.0  # seconds between two looks
SURE = 8.0  # seconds a run has to look lost before it is: its end may be on its way
SILENCE = timedelta(seconds=90)  # three heartbeats
AUTOMATION = "Third Shift: a run without heartbeat has crashed"
SILENT = "No heartbeat for 90 s: the process is gone, or it does not run."
RETRY = "retry"
LASTS = 12  # failures in a row that are no restart of the server

log = logging.getLogger("prefect.runner.reconcile")


class Patience:
    """Counts failures in a row: a server that restarts is not worth a word, what lasts is."""

    def __init__(self, what: str) -> None:
        self._what, self._failures = what, 0

    def failed(self, error: Exception) -> None:
        """Note a failure; it is told once, when it has lasted."""
        self._failures += 1
        level = logging.WARNING if self._failures == LASTS else logging.DEBUG
        log.log(level, "%s failed %d times in a row: %r", self._what, self._failures, error)

    def worked(self) -> None:
        """Begin anew."""
        self._failures = 0


class Reconciler:
    """Looks every few seconds, as long as the runner runs."""

    def __init__(
        self, client: "PrefectClient", processes: Processes, mine: Callable[[], Collection[UUID]]
    ) -> None:
        self.retries: dict[UUID, int] = {}  # by deployment, of all of ours
        self._client = client
        self._processes = processes
        self._mine = mine  # the runs this very runner sees to
        self._suspects: dict[UUID, float] = {}  # since when they look lost, on the clock of waking
        self._adopted: set[UUID] = set()
        self._retried: set[UUID] = set()

    async def keep_looking(self) -> None:
        """Look again and again, for ever."""
        patience = Patience("Looking for runs without a process")
        while True:
            try:
                await self.look()
                patience.worked()
            except Exception as error:  # the server restarts; the next look finds the same
                patience.failed(error)
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Look once at every run that is under way, and at those that crashed."""
        under_way = [
            run
            for run in await self._runs("PENDING", "RUNNING", "CANCELLING")
            if run.id not in self._mine()
        ]
        lost = [run for run in under_way if not await self._lives(run)]
        known = {run.id for run in lost}
        self._suspects = {run: since for run, since in self._suspects.items() if run in known}
        for run in lost:
            if time.monotonic() - self._suspects.setdefault(run.id, time.monotonic()) >= SURE:
                await self._lose(run)
        crashed = await self._runs("CRASHED", after=now() - timedelta(days=1))
        for run in crashed:
            await self._look_at_crashed(run)
        self._processes.sweep()

    async def _lives(self, run: "FlowRun") -> bool:
        """Tell whether the run's process lives, and end it where it is to be cancelled."""
        from prefect.states import Cancelled

        process = self._processes.find(run.id)
        if process is None:
            return False
        if run.state and run.state.is_cancelling():
            # First the state: a flow that is ended by a mere signal would call itself Crashed.
            await self._client.set_flow_run_state(run.id, Cancelled(message="By the owner."))
            await asyncio.to_thread(end, process)
            return True
        if run.id not in self._adopted:
            self._adopted.add(run.id)
            log.warning("Run %s goes on in process %d; adopted.", run.name, process.pid)
        return True

    async def _lose(self, run: "FlowRun") -> None:
        from prefect.states import Cancelled, Crashed, Scheduled

        was = run.state
        reason = f"Its process is gone ({self._processes.described(run.id)})."
        if was and was.is_cancelling():
            state: State[Any] = Cancelled(message=reason)
        elif was and was.is_pending():
            state = Scheduled(name="Rescheduled", message=f"{reason} It had not begun.")
        else:
            state = Crashed(message=reason)
        log.warning("Run %s was %s: %s", run.name, was.name if was else "?", reason)
        await self._client.set_flow_run_state(run.id, state)  # no force: it may have ended
        self._suspects.pop(run.id)

    async def _look_at_crashed(self, run: "FlowRun") -> None:
        from prefect.states import Running

        if self._processes.find(run.id):
            if run.state and run.state.message == SILENT:
                alive: State[Any] = Running(message="It had only been silent; its process lives.")
                await self._client.set_flow_run_state(run.id, alive, force=True)
        elif run.deployment_id and run.id not in self._retried:
            await self._retry(run, run.deployment_id)
            self._retried.add(run.id)

    async def _retry(self, run: "FlowRun", deployment: UUID) -> None:
        """Start a crashed run anew, once; its tags say of which run, and the how manieth it is."""
        from prefect.states import Scheduled

        tried = max((int(tag.rpartition("-")[2]) for tag in run.tags if _counts(tag)), default=0)
        if tried >= self.retries.get(deployment, 0):
            return
        log.warning("Run %s crashed; started anew.", run.name)
        await self._client.create_flow_run_from_deployment(
            deployment,
            parameters=run.parameters,
            state=Scheduled(message=f"Anew, for run {run.name}, which crashed."),
            tags=[RETRY, f"retry-{tried + 1}", f"retry-of:{run.id}"],
            idempotency_key=f"{RETRY} {run.id}",
        )

    async def _runs(self, *types: str, after: Any = None) -> "list[FlowRun]":
        from prefect.client.schemas import filters
        from prefect.client.schemas.objects import StateType

        if not self.retries:
            return []
        states = filters.FlowRunFilterStateType(any_=[StateType(name) for name in types])
        return await self._client.read_flow_runs(
            flow_run_filter=filters.FlowRunFilter(
                state=filters.FlowRunFilterState(type=states),
                end_time=filters.FlowRunFilterEndTime(after_=after) if after else None,
            ),
            deployment_filter=filters.DeploymentFilter(
                id=filters.DeploymentFilterId(any_=list(self.retries))
            ),
            limit=200,
        )


async def watch_heartbeats() -> None:
    """Have Prefect call a run Crashed that has been silent for 90 s; the second time: nothing.

    Any event of the run ends the watch until its next heartbeat, so a run that was put off,
    suspended or paused is not meant.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import StateType
    from prefect.events import AutomationCore, EventTrigger, Posture
    from prefect.events.actions import ChangeFlowRunState

    automation = AutomationCore(
        name=AUTOMATION,
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=SILENT)],
    )
    async with get_client() as client:
        there = await client.read_automations_by_name(AUTOMATION)
        if there:
            await client.update_automation(there[0].id, automation)
        else:
            await client.create_automation(automation)


def _counts(tag: str) -> bool:
    return tag.startswith("retry-") and tag.rpartition("-")[2].isdigit()
