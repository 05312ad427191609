"""A real runner process over the flows of samples/sampled.py, and what is asked of it."""

import inspect
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun

SAMPLES = Path(__file__).parent / "samples"
FLOWS = ["quick", "synchronous", "patient", "flaky", "wrong", "suspended"]
STANDBY = "deployments.runner.standby"


class Shift:
    """A runner under test: its process, its code, its home."""

    serves = ("serve_sampled", *FLOWS)

    def __init__(self, folder: Path, port: int, **keys: object) -> None:
        self.home, self.code = folder / "home", folder / "code"
        if not self.code.exists():
            shutil.copytree(SAMPLES, self.code)
        given = {f"THIRDSHIFT_{key}": str(value) for key, value in keys.items()}
        own = {"THIRDSHIFT_HOME": str(self.home), "THIRDSHIFT_PORTS__PREFECT": str(port)}
        self.log = folder / "log"
        variables = os.environ | own | given | {"PYTHONPATH": str(self.code)}
        command = [sys.executable, "-P", "-m", *self.serves]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
        until(lambda: (self.home / "run" / "runner.json").exists())

    def standbys(self) -> list[psutil.Process]:
        """Return the standbys, and those that have become runs."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if is_standby(child)]

    def ready(self, number: int = 1) -> None:
        """Wait until so many standbys have imported everything, and sleep."""
        until(lambda: len([one for one in self.standbys() if waits(one)]) >= number)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def is_standby(process: psutil.Process) -> bool:
    try:
        return STANDBY in process.cmdline()
    except psutil.NoSuchProcess:  # or a zombie
        return False


def waits(process: psutil.Process) -> bool:
    """Tell whether a standby has imported everything: its importing thread has ended."""
    try:
        return process.cpu_times().user > 0.5 and process.num_threads() == 1
    except psutil.NoSuchProcess:
        return False


def until(holds: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (result := holds()):
        assert time.monotonic() < deadline, inspect.getsource(holds)
        time.sleep(0.05)
    return result


@contextmanager
def runner(folder: Path, port: int, **keys: object) -> Iterator[Shift]:
    shift = Shift(folder, port, **keys)
    try:
        yield shift
    finally:
        shift.stop()


@pytest.fixture
def client(prefect: str) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "said"


def start(client: SyncPrefectClient, name: str, to: Path, **more: Any) -> FlowRun:
    deployment = client.read_deployment_by_name(f"{name}/{name}")
    state = more.pop("state", None)
    return client.create_flow_run_from_deployment(
        deployment.id, parameters={"to": str(to)} | more, state=state
    )


def said(to: Path, number: int = 1) -> list[dict[str, Any]]:
    """Wait for so many lines and return them."""

    def lines() -> list[str]:
        return to.read_text().splitlines() if to.exists() else []

    until(lambda: len(lines()) >= number)
    return [json.loads(line) for line in lines()]


def ended(client: SyncPrefectClient, run: FlowRun) -> str:
    """Wait until the run is over and return the name of its state."""

    def over() -> str | None:
        state = client.read_flow_run(run.id).state
        return state.name if state and state.is_final() else None

    return str(until(over))
