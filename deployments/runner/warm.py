"""Warm start: a Prefect runner whose runs start in 0.2 s, in processes that already wait.

Stock Prefect takes 3 s to start a process and import itself, and up to 1 s to notice a run.
Here every run still has a process of its own, but one of the standbys (`standby`), and a run's
Scheduled event asks for a poll at once. Whatever goes wrong with a standby before it took the
run, Prefect's own starter takes it.

Every poll's runs pass `catchup` first: so start, wake and a clock that jumped are one path.
Beside the polls `reconcile` looks for runs whose process is gone.

It rests on private names of Prefect 3.8.8: tests/deployments/runner/test_warm.py holds that.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.runner import Runner
from prefect.runner._flow_run_executor import ProcessStarter
from prefect.runner._process_manager import ProcessHandle

from deployments.catalogue import Deployment
from deployments.runner import clock
from deployments.runner.catchup import CatchUp, Marks, policy_of
from deployments.runner.effects import PrefectEffects
from deployments.runner.pool import Pool
from deployments.runner.processes import Processes
from deployments.runner.reconcile import Patience, Reconciler
from tasks.runs.schedule import Policy
from thirdshift.records import now
from thirdshift.settings import settings

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
        self._runner.processes.note(flow_run.id, standby.process.pid)  # now: it may begin at once
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
        self.schedules: dict[UUID, Policy] = {}  # by deployment, as the next two
        self.retries: dict[UUID, int] = {}
        self.processes = Processes()
        self.renew: Callable[[], Awaitable[object]] = _nothing  # registers all of it again
        self._told = asyncio.Event()
        self.pool = Pool(standbys, lambda: sorted(set(self.entrypoints.values())))

    async def register(
        self, deployment: "RunnerDeployment", entry: Deployment | None = None
    ) -> UUID:
        """Register a deployment with the server; its runs start here, as its `entry` says."""
        identity = await self.aadd_deployment(deployment)
        if deployment.entrypoint and ":" not in deployment.entrypoint:
            self.entrypoints[identity] = deployment.entrypoint
        if entry and (policy := policy_of(entry)):
            self.schedules[identity] = policy
        elif entry:
            await _unschedule(identity)
        self.retries[identity] = entry.retries if entry else 0
        return identity

    async def __aenter__(self) -> "WarmRunner":
        """Put our starter and our loops where Prefect looks for its own."""
        await super().__aenter__()
        poller = self._scheduled_run_poller
        stock, poll = poller._resolve_starter, poller.run
        reconciler = Reconciler(
            self._client, self.processes, lambda: poller._submitting_flow_run_ids
        )
        reconciler.retries = self.retries
        self._sift()
        self._note_processes()

        def resolve(flow_run: "FlowRun") -> ProcessStarter:
            return WarmStarter(self, stock(flow_run)) if self.pool.size else stock(flow_run)

        async def run() -> None:
            async with anyio.create_task_group() as loops:
                loops.start_soon(poll)
                loops.start_soon(self.pool.keep_full)
                loops.start_soon(self._listen)
                loops.start_soon(self._poll_when_told)
                loops.start_soon(reconciler.keep_looking)
                loops.start_soon(clock.watch, self._renew)

        poller._resolve_starter = resolve
        poller.run = run  # type: ignore[method-assign]
        return self

    def _sift(self) -> None:
        """Let each poll's runs pass the policy of their deployments."""
        poller = self._scheduled_run_poller
        listed = poller._get_scheduled_flow_runs
        catch_up = CatchUp(PrefectEffects(self._client), Marks())
        catch_up.policies = self.schedules

        async def sifted() -> "list[FlowRun]":
            return await catch_up.sift(await listed(), now(), settings().zone)

        poller._get_scheduled_flow_runs = sifted  # type: ignore[method-assign]

    def _note_processes(self) -> None:
        """Note each run's process for the runner that comes after this one."""
        manager = self._process_manager
        add, remove = manager.add, manager.remove

        async def noted(flow_run_id: UUID, handle: ProcessHandle) -> None:
            if handle.pid:
                self.processes.note(flow_run_id, handle.pid)
            await add(flow_run_id, handle)

        async def forgotten(flow_run_id: UUID) -> None:
            self.processes.forget(flow_run_id)
            await remove(flow_run_id)

        manager.add = noted  # type: ignore[method-assign]
        manager.remove = forgotten  # type: ignore[method-assign]

    async def _renew(self) -> None:
        await self.renew()

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
        patience = Patience("Listening for events")
        while True:
            try:
                async with get_events_subscriber(filter=SCHEDULED) as events:
                    patience.worked()
                    self._told.set()
                    async for _ in events:
                        self._told.set()
            except Exception as error:  # whatever breaks the stream, the 1 s poll goes on
                patience.failed(error)
            await asyncio.sleep(1)

    async def _poll_when_told(self) -> None:
        """Poll once for all the events that came meanwhile: a burst costs two polls, not six."""
        patience = Patience("Polling for runs")
        while True:
            await self._told.wait()
            self._told.clear()
            try:
                await self._scheduled_run_poller._get_and_submit_flow_runs()
                patience.worked()
            except Exception as error:  # the server restarts; the 1 s poll goes on, and counts
                patience.failed(error)


async def _nothing() -> None:
    return


async def _unschedule(deployment: UUID) -> None:
    """Remove the schedules that Prefect still has from an older catalogue; it keeps them itself."""
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        for schedule in await client.read_deployment_schedules(deployment):
            await client.delete_deployment_schedule(deployment, schedule.id)
