"""Gates in real runs: a real server and runner; the power supply is a folder of the test."""

import os
import signal
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling

from tasks.ledger import history
from tests.deployments.conftest import Shift, ended, said, start, until
from thirdshift.outcome import Ran
from thirdshift.records import now

pytestmark = pytest.mark.long


class Gated(Shift):
    """A runner whose machine has a plug."""

    serves = ("serve_gated",)

    def plug(self, online: bool) -> None:
        supply = self.home / "root/sys/class/power_supply/AC"
        supply.mkdir(parents=True, exist_ok=True)
        (supply / "type").write_text("Mains\n")
        part = supply / "online.part"
        part.write_text(f"{int(online)}\n")
        part.replace(supply / "online")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, prefect_port: int) -> Iterator[Gated]:
    machine = Gated(tmp_path_factory.mktemp("gated"), prefect_port, RUNNER__STANDBYS=2)
    yield machine
    machine.stop()


@pytest.fixture
def shift(machine: Gated) -> Gated:
    machine.plug(True)
    return machine


@pytest.fixture
def ledger(machine: Gated, override: Callable[..., None]) -> Callable[[FlowRun], list[Ran]]:
    """Return what the ledger of the runner's home says of a run, oldest first."""
    began = now()

    def rows(run: FlowRun) -> list[Ran]:
        override(HOME=machine.home)
        return [ran for ran in history(began) if ran.id.startswith(str(run.id))]

    return rows


def state(client: SyncPrefectClient, run: FlowRun) -> Any:
    return client.read_flow_run(run.id).state


def steps(to: Path) -> list[int]:
    return [line["step"] for line in said(to)]


def test_a_run_whose_gate_is_closed_is_deferred_and_starts_by_itself_when_it_opens(
    shift: Gated,
    client: SyncPrefectClient,
    to: Path,
    ledger: Callable[[FlowRun], list[Ran]],
) -> None:
    shift.plug(False)
    run = start(client, "gated", to)

    until(lambda: state(client, run).name == "Deferred")
    deferred = state(client, run)
    assert deferred.is_scheduled()
    assert "power: battery, wanted ac. Next try" in deferred.message
    assert not to.exists()
    shift.plug(True)

    assert ended(client, run) == "Done"
    *tries, last = [ran.outcome.status for ran in ledger(run)]
    assert set(tries) == {"deferred"}
    assert last == "done"


def test_a_run_by_hand_need_not_be_idle_but_one_that_came_of_itself_must(
    shift: Gated, client: SyncPrefectClient, to: Path
) -> None:
    deployment = client.read_deployment_by_name("idle/idle")

    by_itself = client.create_flow_run_from_deployment(
        deployment.id, parameters={"to": f"{to}"}, idempotency_key=f"{to}"
    )

    assert ended(client, start(client, "idle", to, number=1)) == "Done"
    until(lambda: state(client, by_itself).name == "Deferred")
    assert "wanted at least 3600 s" in state(client, by_itself).message
    assert [line["number"] for line in said(to)] == [1]


def test_a_deferred_run_holds_no_process(shift: Gated, client: SyncPrefectClient, to: Path) -> None:
    shift.plug(False)
    start(client, "gated", to)
    run = start(client, "gated", to)
    until(lambda: state(client, run).name == "Deferred")

    def alive() -> list[int]:
        return [one.pid for one in psutil.Process(shift.process.pid).children()]

    def only_standbys() -> bool:
        return len(alive()) <= 2

    until(only_standbys)
    shift.plug(True)
    assert ended(client, run) == "Done"


def test_a_preempted_run_goes_on_where_it_was_with_no_step_twice(
    shift: Gated,
    client: SyncPrefectClient,
    to: Path,
    ledger: Callable[[FlowRun], list[Ran]],
) -> None:
    run = start(client, "walk", to, steps=60)
    said(to, 3)

    shift.plug(False)
    until(lambda: state(client, run).name in ("Preempted", "Deferred"))
    first = said(to)
    until(lambda: not psutil.pid_exists(first[0]["pid"]))
    shift.plug(True)

    assert ended(client, run) == "Done"
    assert steps(to) == [*range(60)]
    assert 3 <= len(first) < 60
    assert said(to, 60)[-1]["pid"] != first[0]["pid"]
    names = [one.name for one in client.read_flow_run_states(run.id)]
    assert "Preempted" in names
    (preempted,) = [ran for ran in ledger(run) if ran.outcome.status == "preempted"]
    assert "power: battery, wanted ac" in preempted.outcome.reason


def test_two_heavy_runs_never_overlap(
    shift: Gated, client: SyncPrefectClient, to: Path, tmp_path: Path
) -> None:
    files = [tmp_path / f"walk{number}" for number in range(3)]

    runs = [start(client, "walk", file) for file in files]

    assert [ended(client, run) for run in runs] == ["Done"] * 3
    spans = sorted((said(file)[0]["at"], said(file)[-1]["at"]) for file in files)
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    assert all(steps(file) == [*range(10)] for file in files)


def test_a_killed_heavy_run_frees_the_slot_and_its_checkpoint_lives(
    shift: Gated, client: SyncPrefectClient, to: Path, tmp_path: Path
) -> None:
    run = start(client, "walk", to, steps=600)
    pid = said(to, 5)[0]["pid"]

    os.kill(pid, signal.SIGKILL)
    assert ended(client, run) == "Crashed"
    other = start(client, "walk", tmp_path / "other")

    assert ended(client, other) == "Done"
    before = steps(to)
    again = start(client, "walk", to, steps=before[-1] + 3)
    assert ended(client, again) == "Done"
    after = steps(to)[len(before) :]
    assert after[0] in (before[-1], before[-1] + 1)  # the step it was killed in is taken again
    assert after == [*range(after[0], before[-1] + 3)]


def test_a_cancelled_heavy_run_leaves_its_checkpoint(
    shift: Gated, client: SyncPrefectClient, to: Path
) -> None:
    run = start(client, "walk", to, steps=600)
    said(to, 5)

    client.set_flow_run_state(run.id, Cancelling())
    assert ended(client, run) == "Cancelled"
    before = steps(to)
    again = start(client, "walk", to, steps=before[-1] + 3)

    assert ended(client, again) == "Done"
    after = steps(to)[len(before) :]
    assert after[0] in (before[-1], before[-1] + 1)
