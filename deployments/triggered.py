"""Triggered runs: those that events start; who waits for a whole shift waits for them too."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from deployments.catalogue import Deployment, catalogue
from deployments.environment import apply
from thirdshift.settings import settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

PUT_OFF = ("Deferred", "Preempted")  # it comes back by itself, perhaps at night
_LOOK = 0.5  # seconds between two looks
_PATIENCE = 900  # seconds for all of them
_QUIET = 8  # seconds without a new run after which none is on its way


def follow(since: datetime) -> Iterator["FlowRun"]:
    """Yield each run that an event started since then, once it has ended or waits for a person.

    An event becomes a run within a second or two; it is over when all runs have settled and for
    a while no other came.
    """
    apply()
    from prefect.client.orchestration import SyncPrefectClient

    triggered = [entry for entry in catalogue() if entry.trigger]
    settled: set[str] = set()
    began = calm_since = time.monotonic()
    with SyncPrefectClient(f"{settings().prefect_url}/api") as client:
        while time.monotonic() - began < _PATIENCE and time.monotonic() - calm_since < _QUIET:
            for run in (runs := _runs(client, triggered, since)):
                if _settled(run) and str(run.id) not in settled:
                    settled.add(str(run.id))
                    calm_since = time.monotonic()
                    yield run
            if len(settled) < len(runs):
                calm_since = time.monotonic()
            time.sleep(_LOOK)


def _settled(run: "FlowRun") -> bool:
    state = run.state
    return bool(state and (state.is_final() or state.is_paused() or state.name in PUT_OFF))


def _runs(
    client: "SyncPrefectClient", triggered: list[Deployment], since: datetime
) -> "list[FlowRun]":
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterName,
        FlowRunFilter,
        FlowRunFilterExpectedStartTime,
    )

    names = [entry.name for entry in triggered]
    return client.read_flow_runs(
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=names)),
        flow_run_filter=FlowRunFilter(
            expected_start_time=FlowRunFilterExpectedStartTime(after_=since)
        ),
        limit=200,
    )
