"""Yielding: nothing done is done again, whatever ends the run; one heavy run at a time."""

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.runs import heavy_slot, preemption
from tasks.runs.gate import Condition, Decision
from tasks.runs.preemption import (
    Checkpoint,
    Preempted,
    due,
    preemptible,
    watching,
)
from thirdshift.records import now
from thirdshift.settings import settings

OPEN = Decision(open=True, conditions=[])
CLOSED = Decision(
    open=False,
    conditions=[Condition(sensor="power", wanted="ac", sensed="battery", held=False)],
    next_try=now() + timedelta(minutes=15),
)


@pytest.fixture
def checkpoint() -> Checkpoint:
    return Checkpoint.named("train", "some-data")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preemption, "EVERY", 0.01)


def walk(checkpoint: Checkpoint, steps: int = 10, every: float = 0) -> list[int]:
    """Walk through the steps and return those that were taken."""
    taken = []
    state = checkpoint.load()
    for step in preemptible(range(steps), checkpoint, state, every):
        taken.append(step)
        state["sum"] = state.get("sum", 0) + step
    return taken


def test_a_checkpoint_is_there_whole_or_not_at_all(checkpoint: Checkpoint) -> None:
    assert checkpoint.load() == {}
    checkpoint.save({"loss": 0.5})
    checkpoint.path.with_suffix(".part").write_text('{"lo')  # as a kill in the midst leaves it

    assert checkpoint.load() == {"loss": 0.5}
    assert checkpoint.path.is_relative_to(settings().checkpoints_path)
    checkpoint.clear()
    assert checkpoint.load() == {}


def test_a_run_that_need_not_yield_takes_every_step(checkpoint: Checkpoint) -> None:
    assert walk(checkpoint) == [*range(10)]
    assert checkpoint.load() == {"done": 10, "sum": 45}
    assert walk(checkpoint) == []


def test_a_run_yields_at_the_step_after_its_gate_closed_and_goes_on_there(
    checkpoint: Checkpoint, quick: None
) -> None:
    closes = threading.Event()
    taken: list[int] = []

    with watching(lambda: CLOSED if closes.is_set() else OPEN) as watch:
        state = checkpoint.load()
        with pytest.raises(Preempted, match="power: battery, wanted ac") as caught:
            for step in preemptible(range(10), checkpoint, state):
                taken.append(step)
                if step == 3:
                    closes.set()
                    while not watch.closed:
                        pass

    assert caught.value.next_try == CLOSED.next_try
    assert taken + walk(checkpoint) == [*range(10)]


@pytest.mark.parametrize("every", [0, 3600])
def test_a_signal_in_the_midst_of_a_step_loses_only_that_step(
    checkpoint: Checkpoint, every: float
) -> None:
    state: dict[str, Any] = {}
    taken = []

    def body() -> None:
        for step in preemptible(range(10), checkpoint, state, every):
            state["sum"] = state.get("sum", 0) + step
            if step == 4:
                raise KeyboardInterrupt
            taken.append(step)

    with pytest.raises(KeyboardInterrupt):
        body()

    assert taken + walk(checkpoint) == [*range(10)]
    assert checkpoint.load()["sum"] == 45


def test_work_left_behind_in_a_thread_is_told_to_stop(checkpoint: Checkpoint) -> None:
    with watching(lambda: OPEN) as watch:
        assert due() is None

    assert due() is None
    assert watch.due and "told to end" in watch.due.reason


def test_cheap_steps_are_not_saved_one_by_one(checkpoint: Checkpoint) -> None:
    steps = preemptible(range(10), checkpoint, checkpoint.load(), every=3600)
    for _ in range(5):
        next(steps)

    assert checkpoint.load() == {}
    steps.close()  # type: ignore[attr-defined]
    assert checkpoint.load() == {"done": 4}


def test_only_one_run_holds_the_slot_and_it_is_named() -> None:
    with heavy_slot.hold("train lora"):
        with pytest.raises(heavy_slot.SlotTaken, match="train lora"), heavy_slot.hold("another"):
            pass
        assert "train lora" in str(heavy_slot.holder())

    assert heavy_slot.holder() is None
    with heavy_slot.hold("another"):
        pass


HOLD = """
import sys, time
from tasks.runs import heavy_slot
with heavy_slot.hold("doomed"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_killed_holder_does_not_hold_the_slot(home: Path) -> None:
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        with pytest.raises(heavy_slot.SlotTaken, match="doomed"), heavy_slot.hold("next"):
            pass

        process.kill()
        process.wait()

    assert heavy_slot.holder() is None
    with heavy_slot.hold("next"):
        assert "next" in str(heavy_slot.holder())
