"""The training loop: one run of mlx-lm's trainer, steered from between its iterations.

The trainer asks for a batch when the last iteration is done and evaluated: there it is
validated, saved and stopped. Its callback, called in each iteration, watches the loss.
This module loads MLX: call `mlx_setup.prepare` first.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Literal

import mlx.core as mx
from mlx_lm.tuner.trainer import TrainingArgs, evaluate, train

from tasks.learning.training.checkpoint import Checkpoint
from tasks.learning.training.losses import Loss
from tasks.learning.training.packing import Batch
from tasks.learning.training.recipes import Recipe
from tasks.learning.training.records import (
    Go,
    History,
    Progress,
    ToldToStop,
    Validation,
)
from thirdshift.errors import TrainingFailed

Arrays = tuple[mx.array, ...]
TrainingSplit = Literal["train", "valid"]

_WINDOW = 5  # iterations whose mean counts as "the loss now"
_CACHE = 1 << 28  # bytes that validation may leave in the allocator's cache


class Enough(Exception):
    """There is nothing to gain from going on; says why."""


@dataclass(frozen=True)
class Material:
    """Members of each batch, how they are laid out, and the loss that takes their arrays."""

    train: Sequence[Sequence[int]]
    valid: Sequence[Sequence[int]]
    lay_out: Callable[[TrainingSplit, Sequence[int]], tuple[Batch, Arrays]]
    loss: Loss


class TrainingRun:
    """Trains a model on its material until the end, or until one of the recipe's limits.

    It is mlx-lm's training callback, and what iterates over its batches.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        material: Material,
        recipe: Recipe,
        checkpoint: Checkpoint,
        say: Callable[[Progress], None],
        told_to_stop: Callable[[], bool],
    ) -> None:
        self.history = History()
        self._model = model
        self._optimizer = optimizer
        self._material = material
        self._recipe = recipe
        self._checkpoint = checkpoint
        self._say = say
        self._told_to_stop = told_to_stop
        self._batch: Batch | None = None
        self._settled = History()

    def go(self, scratch: Path, go: Go) -> str:
        """Train, from the last checkpoint on; return why it ended.

        Raises ToldToStop, and TrainingFailed where the loss is no number or grows.
        """
        self.history = self._checkpoint.load(self._model, self._optimizer)
        left = len(self._material.train) - self.history.iteration
        arguments = TrainingArgs(
            iters=left,
            steps_per_report=1,
            steps_per_save=left + 1,  # saving is ours
            adapter_file=str(scratch / "last.safetensors"),
            grad_checkpoint=go.gradient_checkpointing,
            grad_accumulation_steps=self._recipe.accumulate,
            clear_cache_threshold=go.estimate,  # emptying it after every step takes its time
        )
        ended = "All iterations are done."
        try:
            self._train(arguments)
        except Enough as reason:
            ended = str(reason)
        self._validate()
        return ended

    def on_train_loss_report(self, train_info: dict[str, Any]) -> None:
        """Take note of an iteration, say so, and see that it makes sense to go on."""
        assert self._batch
        history, seconds = self.history, 1 / train_info["iterations_per_second"]
        history.losses.append(train_info["train_loss"])
        history.seconds += seconds
        history.tokens += self._batch.tokens
        history.trained_tokens += self._batch.trained
        history.peak_bytes = max(history.peak_bytes, int(train_info["peak_memory"] * 1e9))
        if self._recipe.method == "dpo":
            history.margins.append(mean(margins(self._model, self._recipe.beta)))
        _ensure_sound(history, self._recipe)
        self._say(_progress(history, len(self._material.train), self._batch, seconds))

    def _train(self, arguments: TrainingArgs) -> None:
        train(
            self._model,
            self._optimizer,
            train_dataset=self._material.train,
            args=arguments,
            loss=self._material.loss,
            iterate_batches=self._batches,
            training_callback=self,
        )

    def _batches(self, *, loop: bool = False, **_: Any) -> Iterator[Arrays]:
        """Yield batches, as mlx-lm asks for them: with `loop` for training."""
        return self._training() if loop else self._validation()

    def _training(self) -> Iterator[Arrays]:
        for number in range(self.history.iteration, len(self._material.train)):
            self._between(number)
            mx.random.seed(self._recipe.seed + 1 + number)  # dropout repeats after a resume
            self._batch, arrays = self._material.lay_out("train", self._material.train[number])
            yield arrays

    def _validation(self) -> Iterator[Arrays]:
        for members in self._material.valid:
            if self._told_to_stop():
                self._yield()
            _, arrays = self._material.lay_out("valid", members)
            yield arrays
            if self._recipe.method == "dpo":
                self._margins += margins(self._model, self._recipe.beta)

    def _between(self, number: int) -> None:
        """Do what is due between two iterations, `number` of which are done."""
        whole = number % self._recipe.accumulate == 0  # no gradient waits for the next step
        if whole:
            self._settled = self.history.model_copy(deep=True)
        if number % self._recipe.evaluate_every == 0:
            self._validate()
        if whole and number % self._recipe.save_every == 0 and number:
            self._settled = self.history.model_copy(deep=True)
            self._save()
        if self._told_to_stop():
            self._yield()
        _ensure_worth_it(self.history, self._recipe)

    def _validate(self) -> None:
        known = {look.iteration for look in self.history.validation}
        if not self._material.valid or self.history.iteration in known:
            return
        self._margins: list[float] = []
        loss = evaluate(
            self._model,
            self._material.valid,
            batch_size=1,
            num_batches=-1,
            loss=self._material.loss,
            iterate_batches=self._batches,
            clear_cache_threshold=_CACHE,
        )
        self._model.train()
        look = Validation(iteration=self.history.iteration, loss=loss)
        if self._margins:
            right = mean(float(margin > 0) for margin in self._margins)
            look = look.model_copy(update={"accuracy": right, "margin": mean(self._margins)})
        self.history.validation.append(look)

    def _save(self) -> None:
        """Save as of the optimizer's last step; what waits for the next is done again."""
        self._checkpoint.save(self._model, self._optimizer, self._settled)

    def _yield(self) -> None:
        self._save()
        raise ToldToStop(self._settled.iteration)


def margins(model: Any, beta: float) -> list[float]:
    """Return the margin of each pair of the batch just computed."""
    chosen, rejected = model.gains.tolist()
    return [beta * (better - worse) for better, worse in zip(chosen, rejected, strict=True)]


def _ensure_sound(history: History, recipe: Recipe) -> None:
    """Divergence: raise TrainingFailed where the loss is no number, or grows."""
    losses = history.losses
    remedy = f"Lower learning_rate (it is {recipe.learning_rate:g}) or scale ({recipe.scale:g})"
    remedy += f" in training/{recipe.method}.yaml."
    if not math.isfinite(losses[-1]):
        what = f"The loss of iteration {len(losses)} is {losses[-1]}, no number."
        raise TrainingFailed(what, remedy)
    # Beside the loss when nothing was learnt yet: beside the first iterations' a DPO run that
    # learns fast seems to grow (docs/log.md, 2026-11-24 "Training: what packing and resuming
    # change").
    before = history.validation[:1]
    first = before[0].loss if before else losses[0]
    last = mean(losses[-_WINDOW:])
    if len(losses) >= _WINDOW and last > recipe.divergence * first:
        what = f"The loss went up from {first:.3g} to {last:.3g} in {len(losses)} iterations."
        raise TrainingFailed(what, remedy)


def _ensure_worth_it(history: History, recipe: Recipe) -> None:
    """Early stopping: raise Enough where the margin is reached, or validation gets no better."""
    if len(history.margins) >= _WINDOW:
        reached = mean(history.margins[-_WINDOW:])
        if reached >= recipe.margin_ceiling:
            raise Enough(f"The margin reached {reached:.2f}.")
    losses = [look.loss for look in history.validation]
    if losses and recipe.patience and len(losses) - losses.index(min(losses)) > recipe.patience:
        raise Enough(f"The validation loss did not fall below {min(losses):.3g} any more.")


def _progress(history: History, iterations: int, batch: Batch, seconds: float) -> Progress:
    last = history.validation[-1:]
    measured = [look.loss for look in last if look.iteration == history.iteration - 1]
    return Progress(
        iteration=history.iteration,
        iterations=iterations,
        loss=history.losses[-1],
        validation_loss=measured[0] if measured else None,
        margin=history.margins[-1] if history.margins else None,
        tokens=batch.tokens,
        trained_tokens=batch.trained,
        tokens_per_second=batch.tokens / seconds,
        trained_tokens_per_second=batch.trained / seconds,
        peak_gb=history.peak_bytes / 1e9,
    )
