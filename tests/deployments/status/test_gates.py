"""Gates in real runs: a real server and runner; the power supply is a folder of the test."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling
from safetensors import safe_open

from tasks.feedback.examples import keep_example
from tasks.learning.training.records import History
from tasks.runs.ledger import history
from tests.deployments.conftest import Shift, ended, said, start, until
from tests.tasks import tiny
from thirdshift.outcome import Ran
from thirdshift.records import now
from thirdshift.settings import settings

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


def faults(client: SyncPrefectClient, run: FlowRun) -> list[str]:
    """Return what Prefect's page shows in red of a run."""
    logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])))
    return [log.message for log in logs if log.level >= logging.ERROR]


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
    assert not faults(client, run)


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


class Pupil(Gated):
    """A machine with a plug that learns by night."""

    serves = ("serve_lesson",)


@pytest.fixture
def pupil(
    prefect: str, prefect_port: int, tmp_path: Path, override: Callable[..., None]
) -> Iterator[Pupil]:
    """Return a machine that has a tiny model, something to teach it, and much patience."""
    tiny.write(tmp_path / "tiny.gguf", "llama")
    override(HOME=tmp_path / "home")
    recipes = settings().home / "training"
    recipes.mkdir(parents=True)
    (recipes / "lora.yaml").write_text("max_iterations: 4000\npatience: 0\nsave_every: 50\n")
    for prompt, answer in taught():
        keep_example(prompt, answer)
    keys = {"RUNTIME": "embedded", "GGUF": tmp_path / "tiny.gguf", "CONTEXT": 512}
    models = {f"MODELS__{key}": value for key, value in keys.items()}
    machine = Pupil(tmp_path, prefect_port, RUNNER__STANDBYS=1, **models)
    machine.plug(True)
    yield machine
    machine.stop()


def taught() -> list[tuple[str, str]]:
    """Return what the learning tests teach."""
    file = Path(__file__).parents[2] / "samples" / "teaching.yaml"
    samples = yaml.safe_load(file.read_text("utf-8"))
    facts = [(prompt, fact["answer"]) for fact in samples["facts"] for prompt in fact["taught"]]
    return [*facts, *map(tuple, samples["style"])]


def saved(machine: Gated) -> History:
    """Return how far the training's checkpoint is."""
    files = [*(machine.home / "checkpoints").glob("training-*/state.safetensors")]
    if not files:
        return History()
    with safe_open(files[0], "np") as stream:
        return History.model_validate_json(stream.metadata()["history"])


def trainings(machine: Gated) -> list[psutil.Process]:
    family = psutil.Process(machine.process.pid).children(recursive=True)
    return [
        one for one in family if one.is_running() and "tasks.learning.training.child" in words(one)
    ]


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_the_nightly_training_yields_and_goes_on_from_its_checkpoint(
    pupil: Pupil, client: SyncPrefectClient
) -> None:
    deployment = client.read_deployment_by_name("train-lora/train-lora")
    run = client.create_flow_run_from_deployment(deployment.id)
    until(lambda: saved(pupil).iteration >= 50, 180)

    pupil.plug(False)
    pulled = time.monotonic()
    until(lambda: not trainings(pupil))
    print(f"The training was gone {time.monotonic() - pulled:.1f} s after the plug was pulled.")
    until(lambda: state(client, run).name in ("Preempted", "Deferred"))
    reached = saved(pupil)
    pupil.plug(True)

    until(lambda: saved(pupil).iteration > reached.iteration, 180)
    assert reached.iteration >= 50
    assert saved(pupil).losses[: reached.iteration] == reached.losses
    assert saved(pupil).resumed == 1
    assert "Preempted" in [one.name for one in client.read_flow_run_states(run.id)]
    assert not faults(client, run)
