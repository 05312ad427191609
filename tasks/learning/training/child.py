"""The training process: `python -m tasks.learning.training.child`, started by `finetune`.

It reads a Job on standard input, says a Plan, waits for a Go, and says how it goes on. TERM,
INT and the death of its parent make it save and end.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from tasks.learning.training.records import (
    Done,
    Failed,
    Go,
    History,
    Job,
    Manifest,
    Plan,
    Stopped,
    ToldToStop,
)
from tasks.learning.weights.mlx_setup import prepare
from tasks.machine.lifeline import end_with_parent
from thirdshift.errors import ThirdShiftError, TrainingFailed
from thirdshift.records import Record, now

if TYPE_CHECKING:
    from tasks.learning.training.batches import Data
    from tasks.learning.training.checkpoint import Checkpoint
    from tasks.learning.training.run import Material, TrainingRun

LOW = 10  # nice: whatever else wants the cores gets them
LIBRARIES = ("mlx", "mlx-lm", "numpy", "tokenizers", "transformers")
PATIENCE = 60.0  # seconds an iteration and a checkpoint may take after the parent's death

Say = Callable[[Record], None]


class StopSignal:
    """Remembers a signal while the trainer runs; before, there is nothing to save."""

    def __init__(self) -> None:
        self.stop = False
        self.training = False

    def listen(self) -> None:
        """Hear TERM and INT from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def _hear(self, *_: Any) -> None:
        self.stop = True
        if not self.training:
            raise ToldToStop(0)


def main() -> None:
    """Train as the job on standard input says."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what libraries print goes to the log

    signalled = StopSignal()

    def say(message: Record) -> None:
        try:
            channel.write(message.model_dump_json() + "\n")
        except BrokenPipeError:  # the parent is gone: save, and end
            signalled.stop = True

    end_with_parent(grace=PATIENCE)
    os.nice(LOW)
    signalled.listen()
    try:
        job = Job.model_validate_json(sys.stdin.readline())
        with alone(job):
            run(job, signalled, say, lambda plan: _asked(plan, say))
    except ToldToStop as stopped:
        say(Stopped(iteration=stopped.iteration))
    except ThirdShiftError as error:
        say(Failed(error=type(error).__name__, what=error.what, remedy=error.remedy))


@contextmanager
def alone(job: Job) -> Iterator[None]:
    """Wait for the child of a parent that died: it may still be saving the same checkpoint."""
    job.checkpoints.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(job.checkpoints.with_name("training.lock"), timeout=2 * PATIENCE):
            yield
    except Timeout:
        raise TrainingFailed("Another training is under way.", "Wait for it.") from None


def run(job: Job, signalled: StopSignal, say: Say, ask: Callable[[Plan], Go]) -> None:
    """Train, and leave the adapter at `job.out`; `ask` waits for room."""
    prepare()
    from mlx_lm.utils import load_tokenizer

    from tasks.learning.training import batches
    from tasks.learning.training import model as training_model
    from tasks.learning.training.checkpoint import Checkpoint, write_adapter

    recipe = job.recipe
    data = batches.read(job.data, load_tokenizer(job.base), recipe)
    wished = recipe.pack_tokens if recipe.pack else 0
    go = ask(batches.plan(data, wished))
    model = training_model.load(job.base)
    row = training_model.row_length(model, recipe)
    if row != wished:
        go = ask(batches.plan(data, row))
    material, config = _prepared(job, model, data, row)
    checkpoint = Checkpoint(job.checkpoints)
    course = training_run(job, model, material, checkpoint, say, signalled)
    try:
        ended = course.go(job.checkpoints, go)
    except TrainingFailed:
        checkpoint.clear()  # the same again would fail again
        raise
    modules = training_model.modules(model)
    manifest = _manifest(job, data, modules, row, go, ended, course.history)
    write_adapter(job.out, model, config, manifest)
    checkpoint.clear()
    say(Done())


def _manifest(
    job: Job, data: "Data", modules: list[str], row: int, go: Go, ended: str, history: History
) -> Manifest:
    counts = {split: len(entries) for split, entries in data.entries.items()}
    return Manifest(
        fingerprint=job.fingerprint,
        hashes=job.hashes,
        versions={name: version(name) for name in LIBRARIES},
        recipe=job.recipe,
        counts={"left_out": data.left_out} | counts,
        modules=modules,
        packed=row > 0,
        gradient_checkpointing=go.gradient_checkpointing,
        estimate_bytes=go.estimate,
        ended=ended,
        history=history,
        made_at=now(),
    )


def training_run(
    job: Job,
    model: Any,
    material: "Material",
    checkpoint: "Checkpoint",
    say: Say,
    signalled: StopSignal,
) -> "TrainingRun":
    """Return the run; from now on a signal is kept until it can be obeyed without loss."""
    from tasks.learning.training.model import optimizer
    from tasks.learning.training.run import TrainingRun

    signalled.training = True
    steps = optimizer(job.recipe, len(material.train))
    return TrainingRun(model, steps, material, job.recipe, checkpoint, say, lambda: signalled.stop)


def _prepared(job: Job, model: Any, data: "Data", row: int) -> tuple["Material", dict[str, Any]]:
    """Attach the adapter and return batches and its config.

    DPO's reference is the model as it stands before: bare, or with the adapter it starts from.
    """
    from tasks.learning.training import batches
    from tasks.learning.training import model as training_model
    from tasks.learning.training.losses import keep_gains

    recipe, reference, config = job.recipe, {}, None
    if job.start:
        config = training_model.attach(model, recipe, job.start)
    if recipe.method == "dpo":
        weighed = job.checkpoints / "reference.jsonl"
        reference = batches.weigh_reference(model, data, recipe, row, weighed)
        keep_gains(model, recipe.batch_size)
    config = config or training_model.attach(model, recipe, None)
    return batches.material(data, recipe, row, reference), config


def _asked(plan: Plan, say: Say) -> Go:
    """Tell the parent what it will take, and wait until there is room."""
    say(plan)
    answer = sys.stdin.readline()
    if not answer:
        raise ToldToStop(0)
    return Go.model_validate_json(answer)


if __name__ == "__main__":
    main()
