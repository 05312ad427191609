"""A real server, a real runner, real processes; the flows are in samples/sampled.py."""

import inspect
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Cancelling, Scheduled

from tests.deployments.conftest import STANDBY, Shift, ended, runner, said, start, until
from thirdshift.records import now


@pytest.fixture(scope="module")
def shift(tmp_path_factory: pytest.TempPathFactory, prefect_port: int) -> Iterator[Shift]:
    with runner(tmp_path_factory.mktemp("shift"), prefect_port, RUNNER__STANDBYS=2) as shift:
        yield shift


@pytest.mark.long
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


@pytest.mark.long
def test_a_run_logs_to_the_server(shift: Shift, client: SyncPrefectClient, to: Path) -> None:
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    shift.ready()
    run = start(client, "quick", to, number=8)
    mine = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))

    assert until(lambda: "said 8" in [log.message for log in client.read_logs(mine)])


@pytest.mark.long
def test_synchronous_flows_run_too(shift: Shift, client: SyncPrefectClient, to: Path) -> None:
    shift.ready()

    assert ended(client, start(client, "synchronous", to)) == "Completed"


@pytest.mark.long
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


@pytest.mark.long
def test_a_cancelled_run_ends_and_its_hook_is_called(
    shift: Shift, client: SyncPrefectClient, to: Path
) -> None:
    shift.ready()
    run = start(client, "patient", to)
    said(to)

    client.set_flow_run_state(run.id, Cancelling())

    assert ended(client, run) == "Cancelled"
    assert said(to, 2)[1]["hook"] == "cancelled"


@pytest.mark.long
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


@pytest.mark.long
def test_a_retry_stays_in_its_process(shift: Shift, client: SyncPrefectClient, to: Path) -> None:
    shift.ready()

    assert ended(client, start(client, "flaky", to)) == "Completed"
    first, second = said(to, 2)
    assert first["pid"] == second["pid"]


@pytest.mark.long
def test_a_flow_that_raises_is_failed(shift: Shift, client: SyncPrefectClient, to: Path) -> None:
    shift.ready()

    assert ended(client, start(client, "wrong", to)) == "Failed"


@pytest.mark.long
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


@pytest.mark.long
def test_a_run_scheduled_ahead_waits_for_its_time(
    shift: Shift, client: SyncPrefectClient, to: Path
) -> None:
    due = now() + timedelta(seconds=4)

    start(client, "quick", to, state=Scheduled(scheduled_time=due))
    start(client, "quick", to.with_name("other"))  # its event asks for a poll before the time

    said(to.with_name("other"))
    assert said(to)[0]["at"] >= due.timestamp()


@pytest.mark.long
def test_a_dead_standby_is_replaced(shift: Shift, client: SyncPrefectClient, to: Path) -> None:
    shift.ready(2)
    dead = shift.standbys()

    for standby in dead:
        standby.kill()

    shift.ready(2)
    assert not {one.pid for one in dead} & {one.pid for one in shift.standbys()}
    assert ended(client, start(client, "quick", to)) == "Completed"


@pytest.mark.long
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


@pytest.mark.long
def test_changed_code_is_what_runs(shift: Shift, client: SyncPrefectClient, to: Path) -> None:
    shift.ready(2)
    file = shift.code / "sampled.py"

    file.write_text(file.read_text().replace('WORD = "first"', 'WORD = "second"'))
    ended(client, start(client, "quick", to))

    assert said(to)[0]["word"] == "second"


def test_the_private_names_of_prefect_are_as_warm_py_needs_them() -> None:
    """The contract with Prefect 3.8.8; where it breaks, read deployments/runner/warm.py again."""
    import prefect
    from prefect._internal.control_listener import configure_from_env
    from prefect._internal.metrics import RunMetrics
    from prefect.engine import _drive_run_flow_result, handle_engine_signals
    from prefect.flow_engine import run_flow
    from prefect.runner import Runner
    from prefect.runner._control_channel import ControlChannel
    from prefect.runner._flow_run_executor import ProcessStarter
    from prefect.runner._process_manager import ProcessHandle, ProcessManager
    from prefect.runner._scheduled_run_poller import ScheduledRunPoller

    def names(function: Callable[..., Any]) -> list[str]:
        return [name for name in inspect.signature(function).parameters if name != "self"]

    assert prefect.__version__ == "3.8.8"
    assert names(ProcessStarter.start) == ["flow_run", "task_status"]
    assert names(ScheduledRunPoller.run) == []
    assert names(ScheduledRunPoller._get_and_submit_flow_runs) == ["task_group"]
    assert names(ScheduledRunPoller._get_scheduled_flow_runs) == []
    assert "await self._get_scheduled_flow_runs()" in inspect.getsource(ScheduledRunPoller)
    assert "self._submitting_flow_run_ids" in inspect.getsource(ScheduledRunPoller.__init__)
    assert names(ProcessManager.add) == ["flow_run_id", "handle"]
    assert names(ProcessManager.remove) == ["flow_run_id"]
    assert "resolve_starter" in names(ScheduledRunPoller.__init__)
    assert names(ControlChannel.register) == names(ControlChannel.unregister) == ["flow_run_id"]
    assert [field.name for field in fields(ProcessHandle)] == ["_process", "termination_scope"]
    assert {"prefetch_seconds", "query_seconds", "limit", "pause_on_shutdown"} <= {
        *names(Runner.__init__)
    }
    assert names(Runner._get_deployment_name) == ["flow_run"]
    runner = Runner()
    assert all(hasattr(runner, name) for name in ("_control_channel", "_loop", "stopping"))
    assert "self._client = " in inspect.getsource(Runner)
    assert "_scheduled_run_poller" in inspect.getsource(Runner.__aenter__)
    assert "self._scheduled_run_poller.run" in inspect.getsource(Runner.start)
    assert names(configure_from_env) == []
    assert names(handle_engine_signals) == ["flow_run_id"]
    assert names(_drive_run_flow_result) == ["flow", "run_result"]
    assert names(RunMetrics) == ["flow_run", "flow"]
    assert {"flow", "flow_run", "error_logger"} <= set(names(run_flow))
