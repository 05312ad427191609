"""A real server, a real runner, real processes; the flows are in samples/sampled.py."""

import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Scheduled

from thirdshift.records import now

SAMPLES = Path(__file__).parent / "samples"
FLOWS = ["quick", "synchronous", "patient", "flaky", "wrong", "suspended"]
STANDBY = "deployments.standby"


class Shift:
    """A runner under test: its process, its code, its home."""

    def __init__(self, folder: Path, port: int, **keys: object) -> None:
        self.home, self.code = folder / "home", folder / "code"
        if not self.code.exists():
            shutil.copytree(SAMPLES, self.code)
        given = {f"THIRDSHIFT_{key}": str(value) for key, value in keys.items()}
        own = {"THIRDSHIFT_HOME": str(self.home), "THIRDSHIFT_PORTS__PREFECT": str(port)}
        self.log = folder / "log"
        variables = os.environ | own | given | {"PYTHONPATH": str(self.code)}
        command = [sys.executable, "-P", "-m", "serve_sampled", *FLOWS]
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


@pytest.fixture(scope="module")
def shift(tmp_path_factory: pytest.TempPathFactory, prefect_port: int) -> Iterator[Shift]:
    with runner(tmp_path_factory.mktemp("shift"), prefect_port, RUNNER__STANDBYS=2) as shift:
        yield shift


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


@pytest.mark.slow
def test_a_run_passes_through_all_states_in_a_standby(
    shift: Shift, client: SyncPrefectClient, to: Path
) -> None:
    shift.ready()

    run = start(client, "quick", to, number=7)

    assert ended(client, run) == "Completed"
    (line,) = said(to)
    assert line["process"] == STANDBY
    assert line["number"] == 7
    assert line["started"] == str(run.id)
    states = [state.name for state in client.read_flow_run_states(run.id)]
    assert states == ["Scheduled", "Pending", "Submitting", "Running", "Completed"]


@pytest.mark.slow
def test_a_run_logs_to_the_server(shift: Shift, client: SyncPrefectClient, to: Path) -> None:
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    shift.ready()
    run = start(client, "quick", to, number=8)
    mine = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))

    until(lambda: "said 8" in [log.message for log in client.read_logs(mine)])


@pytest.mark.slow
def test_synchronous_flows_run_too(shift: Shift, client: SyncPrefectClient, to: Path) -> None:
    shift.ready()

    assert ended(client, start(client, "synchronous", to)) == "Completed"


@pytest.mark.slow
def test_a_burst_beyond_the_standbys_runs_each_in_its_own_process(
    shift: Shift, client: SyncPrefectClient, to: Path
) -> None:
    shift.ready(2)

    runs = [start(client, "quick", to, number=number) for number in range(4)]

    assert [ended(client, run) for run in runs] == ["Completed"] * 4
    lines = said(to, 4)
    assert sorted(line["number"] for line in lines) == [0, 1, 2, 3]
    assert len({line["pid"] for line in lines}) == 4
    assert {line["process"] for line in lines} == {STANDBY, "prefect.engine"}


@pytest.mark.slow
def test_a_cancelled_run_ends_and_its_hook_is_called(
    shift: Shift, client: SyncPrefectClient, to: Path
) -> None:
    shift.ready()
    run = start(client, "patient", to)
    said(to)

    client.set_flow_run_state(run.id, Cancelling())

    assert ended(client, run) == "Cancelled"
    assert said(to, 2)[1]["hook"] == "cancelled"


@pytest.mark.slow
def test_a_killed_run_crashes_and_its_sibling_goes_on(
    shift: Shift, client: SyncPrefectClient, to: Path, tmp_path: Path
) -> None:
    shift.ready(2)
    run, sibling = start(client, "patient", to), start(client, "patient", tmp_path / "other")
    said(tmp_path / "other")

    os.kill(said(to)[0]["pid"], signal.SIGKILL)

    assert ended(client, run) == "Crashed"
    assert said(to, 2)[1]["hook"] == "crashed"
    (tmp_path / "other.go").touch()
    assert ended(client, sibling) == "Completed"


@pytest.mark.slow
def test_a_retry_stays_in_its_process(shift: Shift, client: SyncPrefectClient, to: Path) -> None:
    shift.ready()

    assert ended(client, start(client, "flaky", to)) == "Completed"
    first, second = said(to, 2)
    assert first["pid"] == second["pid"]


@pytest.mark.slow
def test_a_flow_that_raises_is_failed(shift: Shift, client: SyncPrefectClient, to: Path) -> None:
    shift.ready()

    assert ended(client, start(client, "wrong", to)) == "Failed"


@pytest.mark.slow
def test_a_suspended_run_resumes_in_a_new_standby(
    shift: Shift, client: SyncPrefectClient, to: Path
) -> None:
    shift.ready(2)
    run = start(client, "suspended", to)
    first = said(to)[0]["pid"]
    until(lambda: client.read_flow_run(run.id).state.is_paused())  # type: ignore[union-attr]
    until(lambda: not psutil.pid_exists(first))

    client.resume_flow_run(run.id)

    assert ended(client, run) == "Completed"
    second = said(to, 3)[1]
    assert second["pid"] != first
    assert second["process"] == STANDBY


@pytest.mark.slow
def test_a_run_scheduled_ahead_waits_for_its_time(
    shift: Shift, client: SyncPrefectClient, to: Path
) -> None:
    due = now() + timedelta(seconds=4)

    start(client, "quick", to, state=Scheduled(scheduled_time=due))
    start(client, "quick", to.with_name("other"))  # its event asks for a poll before the time

    said(to.with_name("other"))
    assert said(to)[0]["at"] >= due.timestamp()


@pytest.mark.slow
def test_a_dead_standby_is_replaced(shift: Shift, client: SyncPrefectClient, to: Path) -> None:
    shift.ready(2)
    dead = shift.standbys()

    for standby in dead:
        standby.kill()

    shift.ready(2)
    assert not {one.pid for one in dead} & {one.pid for one in shift.standbys()}
    assert ended(client, start(client, "quick", to)) == "Completed"


@pytest.mark.slow
def test_prefects_own_starter_takes_a_run_no_standby_takes(
    shift: Shift, client: SyncPrefectClient, to: Path
) -> None:
    shift.ready(2)
    for standby in shift.standbys():
        standby.suspend()

    run = start(client, "quick", to)

    assert ended(client, run) == "Completed"
    assert said(to)[0]["process"] == "prefect.engine"
    until(
        lambda: all(one.status() != psutil.STATUS_STOPPED or one.kill() for one in shift.standbys())
    )


@pytest.mark.slow
def test_changed_code_is_what_runs(shift: Shift, client: SyncPrefectClient, to: Path) -> None:
    shift.ready(2)
    file = shift.code / "sampled.py"

    file.write_text(file.read_text().replace('WORD = "first"', 'WORD = "second"'))
    ended(client, start(client, "quick", to))

    assert said(to)[0]["word"] == "second"


@pytest.mark.slow
def test_prefects_own_starter_takes_all_where_the_settings_say_so(
    prefect_port: int, client: SyncPrefectClient, tmp_path: Path, to: Path
) -> None:
    with runner(tmp_path, prefect_port, RUNNER__START="stock") as shift:
        ended(client, start(client, "quick", to))

        assert not shift.standbys()
        assert said(to)[0]["process"] == "prefect.engine"


@pytest.mark.slow
def test_a_run_goes_on_when_its_runner_is_killed_and_idle_standbys_end(
    prefect_port: int, client: SyncPrefectClient, tmp_path: Path, to: Path
) -> None:
    shift = Shift(tmp_path, prefect_port, RUNNER__STANDBYS=2)
    shift.ready(2)
    run = start(client, "patient", to)
    pid = said(to)[0]["pid"]
    idle = [one for one in shift.standbys() if one.pid != pid]

    shift.process.kill()
    shift.process.wait()

    psutil.wait_procs(idle, timeout=30)
    assert not [one for one in idle if one.is_running()]
    to.with_name("said.go").touch()
    assert ended(client, run) == "Completed"


@pytest.mark.slow
def test_a_stopped_runner_cancels_its_runs_and_leaves_nothing(
    prefect_port: int, client: SyncPrefectClient, tmp_path: Path, to: Path
) -> None:
    shift = Shift(tmp_path, prefect_port, RUNNER__STANDBYS=1)
    shift.ready()
    run = start(client, "patient", to)
    said(to)
    family = psutil.Process(shift.process.pid).children()

    shift.stop()

    assert shift.process.returncode == 0
    assert ended(client, run) == "Cancelled"
    assert not psutil.wait_procs(family, timeout=30)[1]


def test_the_private_names_of_prefect_are_as_warm_py_needs_them() -> None:
    """The contract with Prefect 3.8.8; where it breaks, read deployments/warm.py again."""
    import prefect
    from prefect._internal.control_listener import configure_from_env
    from prefect._internal.metrics import RunMetrics
    from prefect.engine import _drive_run_flow_result, handle_engine_signals
    from prefect.flow_engine import run_flow
    from prefect.runner import Runner
    from prefect.runner._control_channel import ControlChannel
    from prefect.runner._flow_run_executor import ProcessStarter
    from prefect.runner._process_manager import ProcessHandle
    from prefect.runner._scheduled_run_poller import ScheduledRunPoller

    def names(function: Callable[..., Any]) -> list[str]:
        return [name for name in inspect.signature(function).parameters if name != "self"]

    assert prefect.__version__ == "3.8.8"
    assert names(ProcessStarter.start) == ["flow_run", "task_status"]
    assert names(ScheduledRunPoller.run) == []
    assert names(ScheduledRunPoller._get_and_submit_flow_runs) == ["task_group"]
    assert "resolve_starter" in names(ScheduledRunPoller.__init__)
    assert names(ControlChannel.register) == names(ControlChannel.unregister) == ["flow_run_id"]
    assert [field.name for field in fields(ProcessHandle)] == ["_process", "termination_scope"]
    assert {"prefetch_seconds", "query_seconds", "limit", "pause_on_shutdown"} <= {
        *names(Runner.__init__)
    }
    assert names(Runner._get_deployment_name) == ["flow_run"]
    runner = Runner()
    assert all(hasattr(runner, name) for name in ("_control_channel", "_loop", "stopping"))
    assert "_scheduled_run_poller" in inspect.getsource(Runner.__aenter__)
    assert "self._scheduled_run_poller.run" in inspect.getsource(Runner.start)
    assert names(configure_from_env) == []
    assert names(handle_engine_signals) == ["flow_run_id"]
    assert names(_drive_run_flow_result) == ["flow", "run_result"]
    assert names(RunMetrics) == ["flow_run", "flow"]
    assert {"flow", "flow_run", "error_logger"} <= set(names(run_flow))
