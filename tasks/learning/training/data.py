"""Training data as tokens: rows of JSONL become examples and pairs, in a seeded order."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tasks.learning.training.recipes import Recipe
from thirdshift.errors import DatasetInvalid

T = TypeVar("T")
Json = dict[str, Any]


class Example(NamedTuple):
    """Tokens, and from which on they are trained."""

    tokens: list[int]
    start: int


class Pair(NamedTuple):
    """Two answers to the same prompt."""

    chosen: Example
    rejected: Example


class Reader:
    """Turns rows into tokens with the model's own tokenizer and chat template.

    `left_out` counts what was longer than the recipe's max_tokens, or had nothing to train.
    """

    def __init__(self, tokenizer: Any, recipe: Recipe) -> None:
        self._tokenizer = tokenizer
        self._recipe = recipe
        self.left_out = 0

    def examples(self, file: Path) -> list[Example]:
        """Read rows with `messages`, `prompt` and `completion`, or `text`."""
        return self._kept(file, self._example, lambda one: [one])

    def pairs(self, file: Path) -> list[Pair]:
        """Read rows with `prompt`, `chosen` and `rejected`."""
        return self._kept(file, self._pair, list)

    def _kept(
        self, file: Path, make: Callable[[Json], T], parts: Callable[[T], list[Example]]
    ) -> list[T]:
        made = [self._made(file, number, row, make) for number, row in rows(file)]
        kept = [one for one in made if all(self._usable(part) for part in parts(one))]
        self.left_out += len(made) - len(kept)
        return kept

    def _made(self, file: Path, number: int, row: Json, make: Callable[[Json], T]) -> T:
        try:
            return make(row)
        except (KeyError, TypeError, ValueError) as error:  # of mlx-lm, of the chat template
            what = f"{file.name}, line {number} cannot be trained on: {error}."
            raise DatasetInvalid(what, "Mend or remove that row.") from error

    def _usable(self, example: Example) -> bool:
        return example.start < len(example.tokens) <= self._recipe.max_tokens

    def _example(self, row: Mapping[str, Any]) -> Example:
        from mlx_lm.tuner.datasets import create_dataset

        masked = SimpleNamespace(mask_prompt=self._recipe.mask_prompt and "text" not in row)
        dataset = create_dataset([row], self._tokenizer, masked)
        tokens, start = dataset.process(row)
        return Example(list(tokens), max(start, 1))  # the first token has nothing before it

    def _pair(self, row: Mapping[str, Any]) -> Pair:
        chosen, rejected = row["chosen"], row["rejected"]
        return Pair(
            self._example({"prompt": row["prompt"], "completion": chosen}),
            self._example({"prompt": row["prompt"], "completion": rejected}),
        )


def rows(file: Path) -> Iterator[tuple[int, Json]]:
    """Yield the rows of a JSONL file with their line numbers; none where there is no file."""
    if not file.exists():
        return
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line) if line.strip() else None
        except json.JSONDecodeError as error:
            what = f"{file.name}, line {number} is not JSON: {error.msg}."
            raise DatasetInvalid(what, "Mend or remove that row.") from None
        if row is not None:
            yield number, row


def order(count: int, recipe: Recipe) -> list[list[int]]:
    """Return which examples each iteration takes: a new order every epoch, each example once.

    It depends on nothing but the count and the recipe, so a resumed run goes on with it.
    """
    taken: list[list[int]] = []
    for epoch in range(recipe.epochs):
        shuffled = np.random.default_rng([recipe.seed, epoch]).permutation(count).tolist()
        taken += [
            shuffled[at : at + recipe.batch_size] for at in range(0, count, recipe.batch_size)
        ]
    return taken[: recipe.iterations(count)]
