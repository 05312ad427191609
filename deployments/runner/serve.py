"""The runner process: registers every deployment of the catalogue, then runs them."""

import asyncio
import functools
import json
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from deployments.catalogue import TAG, Deployment, catalogue, prefect_deployment
from deployments.environment import apply
from tasks.machine.disk import write_whole
from tasks.machine.lifeline import end_with_parent
from tasks.runs import admission
from thirdshift.errors import CatalogueInvalid, PrefectUnavailable
from thirdshift.settings import settings

if TYPE_CHECKING:
    from deployments.runner.warm import WarmRunner

NAME = "third-shift"
PATIENCE = 120.0  # seconds the server may take to answer
STOP = 40.0  # seconds running flows have to end

log = logging.getLogger("prefect.runner.serve")


def main() -> None:
    """Serve the catalogue until TERM, or until the supervisor is gone."""
    end_with_parent(grace=STOP)
    apply()
    settings().run_path.mkdir(parents=True, exist_ok=True)
    ready_file().unlink(missing_ok=True)
    # Two runners would start every run twice; a dying predecessor may need a moment.
    with FileLock(settings().run_path / "runner.lock", timeout=STOP + 5):
        asyncio.run(serve(catalogue()))


async def serve(entries: Iterable[Deployment]) -> None:
    """Register `entries` with the server and run them."""
    from deployments.runner.reconcile import watch_heartbeats
    from deployments.runner.warm import WarmRunner

    wanted = settings().runner
    standbys = wanted.standbys if wanted.start == "standby" else 0
    runner = WarmRunner(NAME, standbys, wanted.limit)
    await server_answers(PATIENCE)
    broken = await _register(runner, entries)
    runner.renew = functools.partial(_register, runner, entries)
    await watch_heartbeats()
    await _forget_others([entry.name for entry in entries])
    report = {"pid": os.getpid(), "deployments": len(runner.entrypoints), "broken": broken}
    write_whole(ready_file(), json.dumps(report))
    await runner.start()


def ready_file() -> Path:
    """Return the file in which a runner says that it has registered its deployments."""
    return settings().run_path / "runner.json"


async def server_answers(patience: float) -> None:
    """Wait until Prefect's API is healthy; raises PrefectUnavailable after `patience` seconds."""
    import httpx

    deadline = time.monotonic() + patience
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < deadline:
            try:
                answer = await client.get(f"{settings().prefect_url}/api/health", timeout=2)
                if answer.status_code == 200:
                    return
            except httpx.HTTPError:
                pass  # not yet
            await asyncio.sleep(0.2)
    raise PrefectUnavailable(
        f"Prefect does not answer at {settings().prefect_url}.", "Start it: thirdshift up."
    )


async def _register(runner: "WarmRunner", entries: Iterable[Deployment]) -> list[str]:
    broken, terms = [], {}
    for entry in entries:
        try:
            identity = await runner.register(prefect_deployment(entry), entry)
            terms[str(identity)] = entry.terms
        except CatalogueInvalid as error:  # one flow that does not load must not stop the others
            log.error("%s", error, exc_info=error.__cause__)
            broken.append(str(error))
    admission.publish(terms)
    return broken


async def _forget_others(names: list[str]) -> None:
    """Remove deployments of ours which the catalogue no longer lists; their runs stay."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    async with get_client() as client:
        for deployment in await client.read_deployments(deployment_filter=ours):
            if deployment.name not in names:
                await client.delete_deployment(deployment.id)


if __name__ == "__main__":
    main()
