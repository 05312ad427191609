"""Sequence packing: short examples side by side in a row, none of which sees another.

    lengths 50 40 22 18 9, rows of about 72    ▸    50 18 │ 40 22 9

Rows are filled longest first, each example into the emptiest row (LPT scheduling). Speed beside
rows of their own: docs/log.md, 2026-11-25 "Training and analysing beside the others".

A row's attention mask is block-diagonal. Rotary positions are relative, so that an example
that begins in the midst of a row is computed as if it stood alone: the loss and its gradient
are those of separate rows, up to rounding. Only where a token is trained are logits made.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.learning.training.data import Tokens

_ROUND = 32  # row lengths are multiples of it, so that few shapes are compiled
_PICKS = 64  # and so are the numbers of trained tokens

Ints = NDArray[np.int32]


class Batch(NamedTuple):
    """Arrays of one iteration: B rows of P cells, T trained tokens among them.

    `segments` numbers the examples of a row from 1; 0 is padding. `picks` are the cells, of
    all B × P, whose next token is trained; `owners` tells of which example it is. `weights`
    is 1 for a trained token, 0 for what fills T up.
    """

    inputs: Ints  # (B, P)
    segments: Ints  # (B, P)
    picks: Ints  # (T,)
    targets: Ints  # (T,)
    owners: Ints  # (T,)
    weights: NDArray[np.float32]  # (T,)

    @property
    def tokens(self) -> int:
        """How many cells hold a token."""
        return int((self.segments > 0).sum())

    @property
    def trained(self) -> int:
        """How many tokens are trained."""
        return int(self.weights.sum())


def balanced_rows(lengths: Sequence[int], row: int) -> list[list[int]]:
    """Return which examples share a row, in rows of about `row` cells, evenly filled.

    `balanced_rows([100, 5, 5], row=32)` is `[[0], [1, 2]]`: no example is cut.
    """
    count = min(max(-(-sum(lengths) // max(row, max(lengths))), 1), len(lengths))
    rows: list[list[int]] = [[] for _ in range(count)]
    filled = [0] * count
    for example in sorted(range(len(lengths)), key=lambda example: -lengths[example]):
        emptiest = filled.index(min(filled))
        rows[emptiest].append(example)
        filled[emptiest] += lengths[example]
    return rows


def batch_shape(examples: Sequence[Tokens], row: int) -> tuple[int, int, int]:
    """Return B, P and T of the batch that `batch` makes of these."""
    lengths, rows = _rows(examples, row)
    cells = max(sum(lengths[example] for example in members) for members in rows)
    trained = sum(len(tokens.ids) - tokens.start for tokens in examples)
    return len(rows), _rounded(cells, _ROUND), _rounded(trained, _PICKS)


def batch(examples: Sequence[Tokens], row: int) -> Batch:
    """Lay examples out in rows of about `row` cells; 0 gives each a row of its own."""
    lengths, rows = _rows(examples, row)
    _, cells, _ = batch_shape(examples, row)
    inputs = np.zeros((len(rows), cells), np.int32)
    segments = np.zeros((len(rows), cells), np.int32)
    trained: list[tuple[int, int, int]] = []
    for number, members in enumerate(rows):
        cell = 0
        for segment, owner in enumerate(members, 1):
            ids, start = examples[owner]
            inputs[number, cell : cell + lengths[owner]] = ids[:-1]
            segments[number, cell : cell + lengths[owner]] = segment
            first = number * cells + cell - 1  # the cell before predicts a token
            trained += [(first + i, ids[i], owner) for i in range(start, len(ids))]
            cell += lengths[owner]
    return Batch(inputs, segments, *_picked(trained))


def _rows(examples: Sequence[Tokens], row: int) -> tuple[list[int], list[list[int]]]:
    lengths = [len(tokens.ids) - 1 for tokens in examples]  # the last predicts nothing
    alone = [[example] for example in range(len(examples))]
    return lengths, balanced_rows(lengths, row) if row else alone


def _picked(trained: list[tuple[int, int, int]]) -> tuple[Ints, Ints, Ints, NDArray[np.float32]]:
    count = len(trained)
    filled = np.zeros((3, _rounded(count, _PICKS)), np.int32)
    filled[:, :count] = np.array(trained, np.int32).T
    weights = np.zeros(filled.shape[1], np.float32)
    weights[:count] = 1
    picks, targets, owners = filled
    return picks, targets, owners, weights


def _rounded(count: int, to: int) -> int:
    return -(-count // to) * to
