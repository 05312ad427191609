"""Runners that start and stop alone: no other runner serves the same deployments meanwhile."""

from pathlib import Path

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient

from tests.deployments.conftest import Shift, ended, runner, said, start


@pytest.mark.long
def test_prefects_own_starter_takes_all_where_the_settings_say_so(
    prefect_port: int, client: SyncPrefectClient, tmp_path: Path, to: Path
) -> None:
    with runner(tmp_path, prefect_port, RUNNER__START="stock") as shift:
        ended(client, start(client, "quick", to))

        assert not shift.standbys()
        assert said(to)[0]["process"] == "prefect.engine"


@pytest.mark.long
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


@pytest.mark.long
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
