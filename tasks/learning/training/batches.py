"""Batches of a training: the data of a folder, planned, laid out, and weighed (DPO).

This module loads MLX: call `mlx_setup.prepare` first.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from tasks.learning.training.data import Reader, Tokens, order
from tasks.learning.training.losses import Losses
from tasks.learning.training.packing import Batch, batch, batch_shape
from tasks.learning.training.recipes import Recipe
from tasks.learning.training.records import Plan
from tasks.learning.training.run import Arrays, Material, TrainingSplit
from thirdshift.errors import DatasetInvalid

Batches = dict[TrainingSplit, list[list[int]]]  # the entries of each
Reference = dict[tuple[TrainingSplit, int], Sequence[float]]  # log-probabilities: chosen, rejected


@dataclass(frozen=True)
class Data:
    """The tokens of each example, or of each pair's two, and which a batch takes."""

    entries: dict[TrainingSplit, Sequence[Sequence[Tokens]]]
    batches: Batches
    left_out: int

    def examples(self, split: TrainingSplit, members: Sequence[int]) -> list[Tokens]:
        """Return a batch's examples in order; a pair's chosen before its rejected."""
        return list(chain.from_iterable(self.entries[split][entry] for entry in members))

    def all(self) -> Iterator[tuple[TrainingSplit, list[int]]]:
        """Yield all batches, validation first."""
        for split in ("valid", "train"):
            yield from ((split, members) for members in self.batches[split])


def read(folder: Path, tokenizer: Any, recipe: Recipe) -> Data:
    """Read train.jsonl and valid.jsonl; raises DatasetInvalid where nothing can be trained on."""
    reader = Reader(tokenizer, recipe)

    def entries(split: TrainingSplit) -> Sequence[Sequence[Tokens]]:
        file = folder / f"{split}.jsonl"
        if recipe.method == "dpo":
            return reader.pairs(file)
        return [[example] for example in reader.examples(file)]

    train, valid = entries("train"), entries("valid")[: recipe.validation_examples]
    if not train:
        what = f"{folder} has no training rows of {recipe.max_tokens} tokens or less"
        raise DatasetInvalid(f"{what}; {reader.left_out} were left out.", "Raise max_tokens.")
    looks = [*_chunks(range(len(valid)), recipe.batch_size)]
    batches: dict[TrainingSplit, list[list[int]]] = {
        "train": order(len(train), recipe),
        "valid": looks,
    }
    return Data({"train": train, "valid": valid}, batches, reader.left_out)


def plan(data: Data, row: int) -> Plan:
    """Return the bounds of all batches, in rows of about `row` cells."""
    shapes = [batch_shape(data.examples(split, members), row) for split, members in data.all()]
    cells = max(cells for _, cells, _ in shapes)
    most = max(rows * cells for rows, cells, _ in shapes)
    return Plan(rows=-(-most // cells), cells=cells, picks=max(picks for *_, picks in shapes))


def material(data: Data, recipe: Recipe, row: int, reference: Reference) -> Material:
    """Return batches and loss as the trainer takes them."""
    losses = Losses(alone=row == 0)

    def lay_out(split: TrainingSplit, members: Sequence[int]) -> tuple[Batch, Arrays]:
        rows = batch(data.examples(split, members), row)
        arrays = tuple(mx.array(array) for array in rows)
        if recipe.method == "dpo":
            likely = [value for entry in members for value in reference[split, entry]]
            arrays += (mx.array(np.array(likely, np.float32)),)
        return rows, arrays

    loss = losses.examples
    if recipe.method == "dpo":
        loss = losses.preferences(recipe.beta, recipe.nll_weight)
    return Material(data.batches["train"], data.batches["valid"], lay_out, loss)


def weigh_reference(model: Any, data: Data, recipe: Recipe, row: int, file: Path) -> Reference:
    """Return the log-probabilities of all answers under the model as it is: DPO's reference.

    Each batch is kept in `file` when it is done; a later call goes on after the last.
    """
    batches = [*_weighed(data, recipe)]
    known = _known(file)
    model.eval()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as weighed:
        for number, (split, members) in enumerate(batches):
            if number not in known:
                known[number] = _likely(model, data.examples(split, members), row)
                weighed.write(json.dumps({"batch": number, "likely": known[number]}) + "\n")
                weighed.flush()
                os.fsync(weighed.fileno())
    return {
        (split, entry): known[number][2 * nth : 2 * nth + 2]
        for number, (split, members) in enumerate(batches)
        for nth, entry in enumerate(members)
    }


def _likely(model: Any, examples: Sequence[Tokens], row: int) -> list[float]:
    """Return the log-probability of each example's answer."""
    arrays = [mx.array(array) for array in batch(examples, row)]
    likely = Losses(alone=row == 0).log_probabilities(model, len(examples), *arrays)
    answers: Any = likely.tolist()
    return list(answers)


def _weighed(data: Data, recipe: Recipe) -> Iterator[tuple[TrainingSplit, list[int]]]:
    """Yield batches that hold each used pair once."""
    for split in ("valid", "train"):
        used = sorted(set(chain.from_iterable(data.batches[split])))
        yield from ((split, members) for members in _chunks(used, recipe.batch_size))


def _chunks(entries: Sequence[int], size: int) -> Iterator[list[int]]:
    for first in range(0, len(entries), size):
        yield list(entries[first : first + size])


def _known(file: Path) -> dict[int, list[float]]:
    known = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:  # its writer was killed in the midst of it
            continue
        known[row["batch"]] = row["likely"]
    return known
