"""Start latency: from a run's trigger to the first line of its body, standby and stock.

Everything is real and apart from the owner's: a Prefect server and a runner of their own, in a
temporary home, on free ports. Needs nothing but this package.
"""

import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.environment import apply, for_child
from thirdshift.errors import PrefectUnavailable

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

# The one flow: its body notes the time and nothing else.
FLOW = """
import time
from pathlib import Path
from prefect import flow

@flow
async def noted(file: str) -> None:
    Path(file).write_text(str(time.time()))
"""
SERVE = """
import asyncio
from deployments.runner import serve
from deployments.catalogue import Deployment
from deployments.environment import apply
apply()
serve.settings().run_path.mkdir(parents=True, exist_ok=True)
entry = Deployment(name="noted", why="-", entrypoint="bench_flows.noted")
asyncio.run(serve.serve([entry]))
"""
PATIENCE = 120.0  # seconds
REFILL = 4.0  # seconds of CPU one standby takes to import everything, generously


def measure_start(n: int, burst: int) -> dict[str, Any]:
    """Return latencies in seconds of `n` single starts and of one burst, for both starters.

    `{"standby": {"median", "min", "max", "n", "burst": [...]}, "stock": {…}}`; the burst lists
    the time from its first trigger to each body.
    """
    apply()
    figures: dict[str, Any] = {}
    for start in ("standby", "stock"):
        with tempfile.TemporaryDirectory() as name, _shift(Path(name), start, burst) as trigger:
            trigger(1)  # the first is not counted: connections, caches
            _settle(start, 1)
            singles = [_single(trigger, start) for _ in range(n)]
            _settle(start, burst)
            figures[start] = {
                "median": statistics.median(singles),
                "min": min(singles),
                "max": max(singles),
                "n": n,
                "burst": sorted(trigger(burst)),
            }
    return figures


def _single(trigger: Callable[[int], list[float]], start: str) -> float:
    (seconds,) = trigger(1)
    _settle(start, 1)
    return seconds


def _settle(start: str, used: int) -> None:
    """Let the standbys be made again; random, so as not to march in step with the poll."""
    time.sleep(random.uniform(1, 2) + (used * REFILL if start == "standby" else 0))


@contextmanager
def _shift(folder: Path, start: str, burst: int) -> Iterator[Callable[[int], list[float]]]:
    (folder / "bench_flows.py").write_text(FLOW)
    port = _free_port()
    variables = for_child(
        THIRDSHIFT_HOME=str(folder / "home"),
        THIRDSHIFT_PORTS__PREFECT=str(port),
        THIRDSHIFT_RUNNER__START=start,
        THIRDSHIFT_RUNNER__STANDBYS=str(burst),
        THIRDSHIFT_RUNNER__LIMIT=str(2 * burst),
        PYTHONPATH=str(folder),
    )
    with (folder / "log").open("w") as log:
        children = [
            subprocess.Popen([sys.executable, "-P", *what], env=variables, stdout=log, stderr=log)
            for what in (["-m", "deployments.services.server"], ["-c", SERVE])
        ]
        try:
            _wait(lambda: (folder / "home" / "run" / "runner.json").exists(), folder / "log")
            _settle(start, burst)
            yield _trigger(port, folder)
        finally:
            for child in reversed(children):
                child.terminate()
                child.wait()


def _trigger(port: int, folder: Path) -> Callable[[int], list[float]]:
    from prefect.client.orchestration import SyncPrefectClient

    client = SyncPrefectClient(f"http://127.0.0.1:{port}/api")

    def runs(number: int) -> list[float]:
        return _runs(client, folder, number)

    return runs


def _runs(client: "SyncPrefectClient", folder: Path, number: int) -> list[float]:
    deployment = client.read_deployment_by_name("noted/noted").id
    began = time.time()
    files = [folder / f"{began}-{index}" for index in range(number)]
    for file in files:
        client.create_flow_run_from_deployment(deployment, parameters={"file": str(file)})
    _wait(lambda: all(file.exists() and file.read_text() for file in files), folder / "log")
    return [float(file.read_text()) - began for file in files]


def _wait(holds: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise PrefectUnavailable("The measured runs did not start.", log.read_text()[-2000:])
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
