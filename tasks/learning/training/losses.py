"""Loss functions: of examples (cross-entropy), and of preferences (DPO).

Losses take a model, then the arrays of a `packing.Batch`, as mlx-lm's trainer hands them on.
This module loads MLX: call `mlx_setup.prepare` first.
"""

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import mlx.nn as nn

Array = mx.array
Loss = Callable[..., tuple[Array, Array]]


class Rows:
    """Block-diagonal attention: stands where a layer's key-value cache would, and gives the mask.

        segments 1 1 2    1 · ·    each token sees its own example's tokens up to itself
                          1 1 ·
                          · · 1

    Every layer gets this same one. Nothing is cached; positions begin at 0. Where examples
    stand `alone` in their rows, padding comes after them and the causal mask is enough.
    """

    offset = 0

    def __init__(self, segments: Array, picks: Array, alone: bool) -> None:
        self.segments = segments
        self.picks = picks
        self.alone = alone

    def make_mask(
        self, length: int, return_array: bool = False, window_size: int | None = None
    ) -> Array | str:
        """Return who sees whom: (P, P) for one row or for all, else (B, 1, P, P)."""
        if self.alone and not (return_array or window_size):
            return "causal"
        cells = mx.arange(length)
        seen: Array = cells[:, None] >= cells[None]
        if window_size:
            seen = seen & (cells[:, None] < cells[None] + window_size)
        if self.alone:
            return seen
        mask: Array = (self.segments[:, :, None] == self.segments[:, None, :]) & seen
        shaped: Array = mask[0] if mask.shape[0] == 1 else mask[:, None]
        return shaped

    def update_and_fetch(self, keys: Array, values: Array) -> tuple[Array, Array]:
        """Return what was given."""
        return keys, values


def pick_trained(model: nn.Module) -> None:
    """Let the model make logits only for the cells that `Rows` picks: (T, vocabulary).

    The body's class is replaced by one of its own that picks before the head follows, so
    that what the head does (tied weights, a softcap) stays the model's business.
    """
    body: Any = model.model
    plain = type(body)

    def call(self: Any, inputs: Array, cache: Any = None, *rest: Any, **named: Any) -> Any:
        hidden = plain.__call__(self, inputs, cache, *rest, **named)
        rows = cache[0] if cache else None
        if not isinstance(rows, Rows):
            return hidden
        return hidden.reshape(-1, hidden.shape[-1])[rows.picks]

    body.__class__ = type(plain.__name__, (plain,), {"__call__": call})


def keep_gains(model: nn.Module, pairs: int) -> None:
    """Give the model the place where `Losses.preferences` leaves the gains of a batch."""
    model.gains = mx.zeros((2, pairs))
    model.freeze(keys=["gains"], recurse=False)


class Losses:
    """The losses of a model's batches; `alone` says that each example has a row of its own."""

    def __init__(self, alone: bool) -> None:
        self._alone = alone

    def examples(self, model: nn.Module, *batch: Array) -> tuple[Array, Array]:
        """Return the mean loss of the trained tokens, and their number."""
        weights = batch[5]
        return self._tokens(model, batch).sum() / weights.sum(), weights.sum()

    def log_probabilities(self, model: nn.Module, count: int, *batch: Array) -> Array:
        """Return the log-probability of each of `count` answers, (count,)."""
        owners = batch[4]
        mine = owners[None] == mx.arange(count)[:, None]
        # A product repeats bit for bit; a scattered sum need not.
        return -(mine.astype(mx.float32) @ self._tokens(model, batch))

    def preferences(self, beta: float, nll_weight: float) -> Loss:
        """Return the DPO loss with an NLL term: −log σ(margin) + nll_weight · NLL of the chosen.

        Examples alternate, chosen and rejected; the last array of a batch holds their
        log-probabilities under the reference model, and gains are what the trained one adds:
        margin = β · (gain of the chosen − gain of the rejected). The model keeps the pairs'
        gains in `gains`, (2, pairs), as a normalisation layer keeps its statistics. Returned
        are the mean over the pairs, and their number.

        Rafailov et al., 2023, arXiv:2305.18290; the NLL term: Pang et al., 2024,
        arXiv:2404.19733.
        """

        def loss(model: nn.Module, *arrays: Array) -> tuple[Array, Array]:
            *batch, reference = arrays
            likely = self.log_probabilities(model, reference.shape[0], *batch)
            gains = (likely - reference).reshape(-1, 2).T
            model.gains = mx.stop_gradient(gains)
            owners, weights = batch[4], batch[5]
            nll = -likely[0::2].sum() / (weights * (owners % 2 == 0)).sum()
            margins = beta * (gains[0] - gains[1])
            pairs = mx.array(float(margins.size))
            return nn.softplus(-margins).mean() + nll_weight * nll, pairs

        return loss

    def _tokens(self, model: nn.Module, batch: Sequence[Array]) -> Array:
        """Return −log p of each trained token, (T,), float32; 0 for what fills T up."""
        inputs, segments, picks, targets, _, weights = batch
        rows = Rows(segments, picks, self._alone)
        logits = model(inputs, cache=[rows] * len(model.layers)).astype(mx.float32)
        losses: Array = nn.losses.cross_entropy(logits, targets) * weights
        return losses
