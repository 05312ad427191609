"""A real server, real runners that are killed, real processes."""

import os
import signal
import time
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Crashed, Pending, Scheduled

from deployments.runner import processes, reconcile
from deployments.runner.processes import Processes
from tests.deployments.conftest import Shift, ended, runner, said, start, until
from thirdshift.records import now

pytestmark = pytest.mark.long


def state(client: SyncPrefectClient, run: FlowRun) -> str:
    found = client.read_flow_run(run.id).state
    return str(found and found.name)


def message(client: SyncPrefectClient, run: FlowRun) -> str:
    found = client.read_flow_run(run.id).state
    return str(found and found.message)


def begun(client: SyncPrefectClient, shift: Shift, to: Path) -> tuple[FlowRun, int]:
    """Start a run that waits, and return it with its process."""
    shift.ready()
    run = start(client, "patient", to)
    return run, int(said(to)[0]["pid"])


def test_a_killed_runners_run_goes_on_and_is_seen_to_by_the_next(
    prefect: str, prefect_port: int, client: SyncPrefectClient, tmp_path: Path, to: Path
) -> None:
    first = Shift(tmp_path, prefect_port, RUNNER__STANDBYS=1)
    run, _ = begun(client, first, to)
    first.process.kill()
    first.process.wait()

    with runner(tmp_path, prefect_port, RUNNER__STANDBYS=1) as second:
        until(lambda: "adopted" in second.log.read_text())
        Path(f"{to}.go").touch()

        assert ended(client, run) == "Completed"
    assert [line.get("ended") for line in said(to)] == [None, True]


def test_an_adopted_run_can_be_cancelled(
    prefect: str, prefect_port: int, client: SyncPrefectClient, tmp_path: Path, to: Path
) -> None:
    first = Shift(tmp_path, prefect_port, RUNNER__STANDBYS=1)
    run, pid = begun(client, first, to)
    first.process.kill()
    first.process.wait()

    with runner(tmp_path, prefect_port, RUNNER__STANDBYS=1):
        client.set_flow_run_state(run.id, Cancelling())

        assert ended(client, run) == "Cancelled"
        until(lambda: not psutil.pid_exists(pid))


def test_a_run_killed_with_its_runner_crashes_and_starts_anew_as_often_as_allowed(
    prefect: str,
    prefect_port: int,
    client: SyncPrefectClient,
    tmp_path: Path,
    to: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SAMPLED_RETRIES", "1")
    first = Shift(tmp_path, prefect_port, RUNNER__STANDBYS=1)
    run, pid = begun(client, first, to)
    for process in (first.process.pid, pid):
        os.kill(process, signal.SIGKILL)
    first.process.wait()

    with runner(tmp_path, prefect_port, RUNNER__STANDBYS=1):
        assert ended(client, run) == "Crashed"
        assert message(client, run) == f"Its process is gone (process {pid})."
        again = said(to, 2)[1]
        os.kill(again["pid"], signal.SIGKILL)
        time.sleep(2 * reconcile.EVERY + 2)
    assert len([line for line in said(to) if "hook" not in line]) == 2


def test_a_run_that_was_handed_to_nobody_runs_after_all(
    prefect: str, prefect_port: int, client: SyncPrefectClient, tmp_path: Path, to: Path
) -> None:
    with runner(tmp_path, prefect_port, RUNNER__STANDBYS=1):
        run = start(client, "quick", to, state=Scheduled(scheduled_time=now().replace(year=2100)))
        client.set_flow_run_state(run.id, Pending(), force=True)

        assert ended(client, run) == "Completed"
    assert len(said(to)) == 1


def test_a_run_called_silent_while_its_process_lives_is_running_again(
    prefect: str, prefect_port: int, client: SyncPrefectClient, tmp_path: Path, to: Path
) -> None:
    with runner(tmp_path, prefect_port, RUNNER__STANDBYS=1) as shift:
        run, _ = begun(client, shift, to)
        client.set_flow_run_state(run.id, Crashed(message=reconcile.SILENT), force=True)

        until(lambda: state(client, run) == "Running")
        Path(f"{to}.go").touch()

        assert ended(client, run) == "Completed"


def test_without_any_runner_a_silent_run_crashes_and_a_deferred_one_does_not(
    prefect: str, prefect_port: int, client: SyncPrefectClient, tmp_path: Path, to: Path
) -> None:
    shift = Shift(tmp_path, prefect_port, RUNNER__STANDBYS=2)
    run, pid = begun(client, shift, to)
    put_off, other = begun(client, shift, to.with_name("other"))
    later = Scheduled(name="Deferred", scheduled_time=now().replace(year=2100))
    for process in (shift.process.pid, pid, other):
        os.kill(process, signal.SIGKILL)
    shift.process.wait()
    client.set_flow_run_state(put_off.id, later, force=True)

    until(lambda: state(client, run) == "Crashed", 150)

    assert message(client, run) == reconcile.SILENT
    time.sleep(10)  # the other was as silent
    assert state(client, put_off) == "Deferred"


async def test_the_automation_is_there_once(prefect: str, client: SyncPrefectClient) -> None:
    await reconcile.watch_heartbeats()
    await reconcile.watch_heartbeats()

    found = client.request("POST", "/automations/filter", json={}).json()

    assert [one["name"] for one in found].count(reconcile.AUTOMATION) == 1


def test_a_process_id_given_out_again_is_not_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    notes, run = Processes(), uuid4()
    notes.note(run, os.getpid())

    assert notes.find(run)
    monkeypatch.setattr(processes, "_born", lambda pid: "another moment")
    assert notes.find(run) is None
    assert notes.described(run) == f"process {os.getpid()}"


def test_a_torn_note_is_no_process() -> None:
    notes, run = Processes(), uuid4()
    notes.note(run, os.getpid())
    next(notes._folder.iterdir()).write_text("{")

    assert notes.find(run) is None
    notes.forget(run)
    assert notes.described(run) == "none was noted"
