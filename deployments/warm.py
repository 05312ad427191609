"""A Prefect runner whose runs start in 0.2 s: in processes that are already waiting.

Stock Prefect takes 3 s to start a process and import itself, and up to 1 s to notice a run.
Here every run still has a process of its own, but one of the standbys (`deployments.standby`),
and a run's Scheduled event asks for a poll at once. Whatever goes wrong with a standby before
it took the run, Prefect's own starter takes it.

It rests on private names of Prefect 3.8.8; tests/deployments/test_warm.py holds that contract.
"""

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.runner import Runner
from prefect.runner._flow_run_executor import ProcessStarter
from prefect.runner._process_manager import ProcessHandle

from deployments.pool import Pool

if TYPE_CHECKING:
    from anyio.abc import TaskStatus
    from prefect.client.schemas.objects import FlowRun
    from prefect.deployments.runner import RunnerDeployment

SCHEDULED = EventFilter(event=EventNameFilter(name=["prefect.flow-run.Scheduled"]))

log = logging.getLogger("prefect.runner.warm")


class WarmStarter:
    """Prefect's ProcessStarter: a standby takes the run, the stock starter where none does."""

    def __init__(self, runner: "WarmRunner", stock: ProcessStarter) -> None:
        self._runner = runner
        self._stock = stock

    async def start(
        self,
        flow_run: "FlowRun",
        task_status: "TaskStatus[ProcessHandle]" = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Start the run, report its process, and wait for its end."""
        process = await self._hand_over(flow_run)
        if process is None:
            await self._stock.start(flow_run, task_status=task_status)
            return
        task_status.started(ProcessHandle(process))  # type: ignore[arg-type]  # as anyio's
        await process.wait()

    async def _hand_over(self, flow_run: "FlowRun") -> asyncio.subprocess.Process | None:
        entrypoint = self._runner.entrypoints.get(flow_run.deployment_id)
        standby = self._runner.pool.take() if entrypoint else None
        if standby is None:
            return None
        order = {
            "entrypoint": entrypoint,
            "env": self._runner.environment_of(flow_run),
            "flow_run": flow_run.model_dump(mode="json"),
        }
        if await standby.take(order):
            return standby.process
        log.warning("A standby did not take run %s; Prefect's starter does.", flow_run.name)
        self._runner._control_channel.unregister(flow_run.id)
        return None


class WarmRunner(Runner):
    """A Runner with standbys, told of runs by their event; the poll stays as the safety net."""

    def __init__(self, name: str, standbys: int, limit: int) -> None:
        # No prefetch: a run that is due in 8 s stays Scheduled, and can be put off, till then.
        super().__init__(
            name, query_seconds=1, prefetch_seconds=0, limit=limit, pause_on_shutdown=False
        )
        self.entrypoints: dict[UUID | None, str] = {}  # by deployment
        self._told = asyncio.Event()
        self.pool = Pool(standbys, lambda: sorted(set(self.entrypoints.values())))

    async def register(self, deployment: "RunnerDeployment") -> UUID:
        """Register a deployment with the server; its runs start here."""
        identity = await self.aadd_deployment(deployment)
        if deployment.entrypoint and ":" not in deployment.entrypoint:
            self.entrypoints[identity] = deployment.entrypoint
        return identity

    async def __aenter__(self) -> "WarmRunner":
        """Put our starter and our loops where Prefect looks for its own."""
        await super().__aenter__()
        poller = self._scheduled_run_poller
        stock, poll = poller._resolve_starter, poller.run

        def resolve(flow_run: "FlowRun") -> ProcessStarter:
            return WarmStarter(self, stock(flow_run)) if self.pool.size else stock(flow_run)

        async def run() -> None:
            async with anyio.create_task_group() as loops:
                loops.start_soon(poll)
                loops.start_soon(self.pool.keep_full)
                loops.start_soon(self._listen)
                loops.start_soon(self._poll_when_told)

        poller._resolve_starter = resolve
        poller.run = run  # type: ignore[method-assign]
        return self

    def environment_of(self, flow_run: "FlowRun") -> dict[str, str]:
        """Return the variables Prefect's own starters give a run's process."""
        registry = self._deployment_registry
        name = (
            registry.get_deployment_name(flow_run.deployment_id) if flow_run.deployment_id else ""
        )
        env = {
            "PREFECT__FLOW_RUN_ID": str(flow_run.id),
            "PREFECT__DEPLOYMENT_NAME": name or "",
            "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS": "false",  # the runner calls them
        }
        try:
            port, token = self._control_channel.register(flow_run.id)
        except RuntimeError:  # no loopback port was to be had: cancelling then kills
            return env
        return {**env, "PREFECT__CONTROL_PORT": str(port), "PREFECT__CONTROL_TOKEN": token}

    def handle_sigterm(self, *_: Any) -> None:
        """Stop in order, cancelling runs; Prefect's own leaves the event loop by force."""
        if self.stopping:
            return
        if not self.started or self._loop is None:
            sys.exit(0)  # nothing runs yet
        self._loop.call_soon_threadsafe(lambda: asyncio.ensure_future(self.astop()))

    async def _listen(self) -> None:
        while True:
            try:
                async with get_events_subscriber(filter=SCHEDULED) as events:
                    self._told.set()
                    async for _ in events:
                        self._told.set()
            except Exception as error:  # whatever breaks the stream, the 1 s poll goes on
                log.debug("No events for now: %r", error)
            await asyncio.sleep(1)

    async def _poll_when_told(self) -> None:
        """Poll once for all the events that came meanwhile: a burst costs two polls, not six."""
        while True:
            await self._told.wait()
            self._told.clear()
            try:
                await self._scheduled_run_poller._get_and_submit_flow_runs()
            except Exception as error:  # the server restarts; the 1 s poll goes on, and counts
                log.debug("No poll for now: %r", error)
