"""Fine-tuning in its child process, as flows use it."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tasks.learning.training.finetune import Trained, train
from tasks.learning.training.recipes import Recipe, recipe
from tasks.learning.training.records import Progress
from tasks.runs import preemption
from tasks.runs.preemption import Preempted
from thirdshift.errors import NotFound, OutOfMemory, TrainingFailed
from thirdshift.records import now
from thirdshift.settings import settings

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def embedded(override: Callable[..., None]) -> None:
    override(MODELS__RUNTIME="embedded")


@pytest.fixture
def short() -> Recipe:
    return recipe("lora", max_iterations=30, evaluate_every=10, save_every=5, learning_rate=1e-2)


def children() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [one for one in found if _trains(one)]


def _trains(process: psutil.Process) -> bool:
    try:
        return "tasks.learning.training.child" in process.cmdline()
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return False


def test_it_trains_once_and_returns_what_is_there(
    tiny_base: Path, examples: Path, tmp_path: Path, short: Recipe
) -> None:
    said: list[Progress] = []
    out = tmp_path / "adapter"
    trained = train(tiny_base, examples, out, short, on_progress=said.append)
    assert [one.iteration for one in said] == list(range(1, 31))
    assert said[0].validation_loss and said[-1].loss < said[0].loss
    assert all(one.tokens_per_second >= one.trained_tokens_per_second > 0 for one in said)
    assert trained.manifest.estimate_bytes > trained.manifest.history.peak_bytes > 0
    before = (out / "manifest.json").stat().st_mtime_ns
    again = train(tiny_base, examples, out, short, on_progress=said.append)
    assert again == trained and len(said) == 30
    assert (out / "manifest.json").stat().st_mtime_ns == before
    with pytest.raises(TrainingFailed, match="Another adapter"):
        train(tiny_base, examples, out, short.model_copy(update={"seed": 5}))
    assert not list(settings().checkpoints_path.glob("training-*"))


def test_it_yields_when_due_and_goes_on_where_it_was(
    tiny_base: Path,
    examples: Path,
    tmp_path: Path,
    short: Recipe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reached: list[int] = []

    def due() -> Preempted | None:
        return Preempted("The owner is back.", now()) if len(reached) >= 8 else None

    monkeypatch.setattr("tasks.learning.training.process.due", due)
    with pytest.raises(Preempted, match="owner"):
        train(
            tiny_base,
            examples,
            tmp_path / "adapter",
            short,
            on_progress=lambda one: reached.append(one.iteration),
        )
    assert not children() and not (tmp_path / "adapter").exists()
    monkeypatch.setattr("tasks.learning.training.process.due", preemption.due)
    later: list[int] = []
    trained = train(
        tiny_base,
        examples,
        tmp_path / "adapter",
        short,
        on_progress=lambda one: later.append(one.iteration),
    )
    assert later[0] >= 8 and later[-1] == 30  # nothing that was reached is done again
    assert trained.manifest.history.resumed == 1


@pytest.mark.long
def test_killed_at_random_moments_it_leaves_a_whole_adapter_or_none(
    tiny_base: Path, examples: Path, tmp_path: Path, short: Recipe
) -> None:
    undisturbed = train(tiny_base, examples, tmp_path / "undisturbed", short)
    draw, out = random.Random(0), tmp_path / "adapter"
    furthest = 0
    for _ in range(4):
        last = min(furthest + draw.randint(0, 9), 30)

        def kill(one: Progress, last: int = last) -> None:
            nonlocal furthest
            furthest = max(furthest, one.iteration)
            if one.iteration >= last:
                time.sleep(draw.random() / 50)  # into whatever comes after
                for child in children():
                    child.kill()

        try:
            train(tiny_base, examples, out, short, on_progress=kill)
        except TrainingFailed:
            assert not out.exists()
    assert _bytes(train(tiny_base, examples, out, short)) == _bytes(undisturbed)


def test_it_ends_with_its_parent_and_keeps_where_it_was(
    tiny_base: Path, examples: Path, tmp_path: Path, home: Path
) -> None:
    program = f"""
from pathlib import Path
from tasks.learning.training.finetune import train
from tasks.learning.training.recipes import recipe
train(Path({str(tiny_base)!r}), Path({str(examples)!r}), Path({str(tmp_path / "adapter")!r}),
    recipe("lora", epochs=10000, max_iterations=50000, patience=0, save_every=50000),
    on_progress=lambda one: print(one.iteration, flush=True))
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout and parent.stdout.readline() == "1\n"
    (child,) = [one for one in psutil.Process(parent.pid).children() if one.is_running()]
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    psutil.wait_procs([child], timeout=60)
    assert not child.is_running()
    assert list(settings().checkpoints_path.glob("training-*/state.safetensors"))


def test_what_does_not_fit_is_refused_with_the_numbers_before_it_starts(
    tiny_base: Path,
    examples: Path,
    tmp_path: Path,
    short: Recipe,
    override: Callable[..., None],
) -> None:
    override(MODELS__MEMORY_SHARE=0.001)
    with pytest.raises(OutOfMemory, match=r"The training needs \d\.\d+ GB"):
        train(tiny_base, examples, tmp_path / "adapter", short)
    assert not children() and not (tmp_path / "adapter").exists()


def test_gradient_checkpointing_changes_memory_and_not_the_result(
    tiny_base: Path, examples: Path, tmp_path: Path
) -> None:
    kept = recipe("lora", max_iterations=5, gradient_checkpointing="never")
    again = recipe("lora", max_iterations=5, gradient_checkpointing="always")
    plain = train(tiny_base, examples, tmp_path / "plain", kept).manifest
    spared = train(tiny_base, examples, tmp_path / "spared", again).manifest
    assert spared.gradient_checkpointing and not plain.gradient_checkpointing
    assert spared.history.losses == pytest.approx(plain.history.losses, rel=1e-4)
    assert spared.estimate_bytes <= plain.estimate_bytes


def test_a_folder_that_is_not_there_is_an_error_of_ours(
    tiny_base: Path, tmp_path: Path, short: Recipe
) -> None:
    with pytest.raises(NotFound, match="no folder"):
        train(tiny_base, tmp_path / "nowhere", tmp_path / "adapter", short)


def _bytes(trained: Trained) -> bytes:
    return (trained.folder / "adapters.safetensors").read_bytes()
