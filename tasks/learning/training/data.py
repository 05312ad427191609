"""Tokenisation of training data: rows of JSONL become tokens and pairs, in a seeded order."""

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


class Tokens(NamedTuple):
    """The tokens of an example, and from which on they are trained."""

    ids: list[int]
    start: int


class TokenPair(NamedTuple):
    """Two answers to the same prompt."""

    chosen: Tokens
    rejected: Tokens


class Reader:
    """Turns rows into tokens with the model's own tokenizer and chat template.

    `left_out` counts what was longer than the recipe's max_tokens, or had nothing to train.
    """

    def __init__(self, tokenizer: Any, recipe: Recipe) -> None:
        self._tokenizer = tokenizer
        self._recipe = recipe
        self.left_out = 0

    def examples(self, file: Path) -> list[Tokens]:
        """Read rows with `messages`, `prompt` and `completion`, or `text`."""
        return self._usable(file, self._tokens, lambda tokens: [tokens])

    def pairs(self, file: Path) -> list[TokenPair]:
        """Read rows with `prompt`, `chosen` and `rejected`."""
        return self._usable(file, self._pair, list)

    def _usable(
        self, file: Path, tokenise: Callable[[Json], T], parts: Callable[[T], list[Tokens]]
    ) -> list[T]:
        tokenised = [self._tokenised(file, number, row, tokenise) for number, row in rows(file)]
        usable = [entry for entry in tokenised if all(map(self._fits, parts(entry)))]
        self.left_out += len(tokenised) - len(usable)
        return usable

    def _tokenised(self, file: Path, number: int, row: Json, tokenise: Callable[[Json], T]) -> T:
        try:
            return tokenise(row)
        except (KeyError, TypeError, ValueError) as error:  # of mlx-lm, of the chat template
            what = f"{file.name}, line {number} cannot be trained on: {error}."
            raise DatasetInvalid(what, "Mend or remove that row.") from error

    def _fits(self, tokens: Tokens) -> bool:
        return tokens.start < len(tokens.ids) <= self._recipe.max_tokens

    def _tokens(self, row: Mapping[str, Any]) -> Tokens:
        from mlx_lm.tuner.datasets import create_dataset

        masked = SimpleNamespace(mask_prompt=self._recipe.mask_prompt and "text" not in row)
        dataset = create_dataset([row], self._tokenizer, masked)
        ids, start = dataset.process(row)
        return Tokens(list(ids), max(start, 1))  # the first token has nothing before it

    def _pair(self, row: Mapping[str, Any]) -> TokenPair:
        chosen, rejected = row["chosen"], row["rejected"]
        return TokenPair(
            self._tokens({"prompt": row["prompt"], "completion": chosen}),
            self._tokens({"prompt": row["prompt"], "completion": rejected}),
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
            shuffled[first : first + recipe.batch_size]
            for first in range(0, count, recipe.batch_size)
        ]
    return taken[: recipe.iterations(count)]
