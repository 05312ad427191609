"""The process that weighs answers, started by `likelihood`.

`python -m tasks.learning.evaluation.likelihood_child`

It reads one Ask on standard input and writes a Weighed a line, a batch at a time.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from tasks.learning.weights.mlx_setup import prepare
from tasks.machine.lifeline import end_with_parent
from thirdshift.records import Record, content_hash

LOW = 10  # nice: whatever else wants the cores gets them
BATCH = 512  # tokens weighed together


class Row(Record):
    """A prompt in the chat template, and a completion to weigh; nothing follows it."""

    messages: list[dict[str, str]]
    completion: str

    @classmethod
    def asked(cls, prompt: str, completion: str) -> "Row":
        """Return the row of a single question."""
        return cls(messages=[{"role": "user", "content": prompt}], completion=completion)

    @property
    def id(self) -> str:
        """A hash of what is weighed."""
        parts = [part for message in self.messages for part in sorted(message.items())]
        return content_hash(*(text for part in parts for text in part), self.completion)


class Ask(Record):
    """What to weigh with which model. Paths are absolute."""

    base: Path
    adapter: Path | None
    rows: list[Row]


class Weighed(Record):
    """The log-probability of a row's completion, in nats, and its number of tokens."""

    id: str
    nats: float
    tokens: int

    @property
    def cost(self) -> float:
        """The mean −log p of a token."""
        return -self.nats / max(self.tokens, 1)


class RowTokens(NamedTuple):
    """The ids of a row's tokens, prompt and completion, which begins at `start`."""

    row: str
    ids: list[int]
    start: int


def main() -> None:
    """Weigh what standard input asks."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what libraries print goes to the log
    end_with_parent()
    os.nice(LOW)
    ask = Ask.model_validate_json(sys.stdin.readline())
    for weighed in weighings(ask):
        channel.write(weighed.model_dump_json() + "\n")


def weighings(ask: Ask) -> Iterator[Weighed]:
    """Load the model and yield each row's figure."""
    prepare()
    from mlx_lm.utils import load_tokenizer

    tokenizer = load_tokenizer(ask.base)
    tokenised = [_tokenised(tokenizer, row) for row in ask.rows]
    shared = _shared([tokens.ids[: tokens.start] for tokens in tokenised])
    scale = Scale(_model(ask), shared[:-1])  # the last one predicts the first of a completion
    for batch in _batches(tokenised, len(scale.prefix)):
        yield from scale.weigh(batch)


def _model(ask: Ask) -> Any:
    """Return the model in evaluation mode, with its adapter attached."""
    from mlx_lm.tuner.utils import load_adapters

    from tasks.learning.training.model import load

    model = load(ask.base)
    if ask.adapter:
        load_adapters(model, str(ask.adapter))
    model.eval()
    return model


def _tokenised(tokenizer: Any, row: Row) -> RowTokens:
    prompt = tokenizer.apply_chat_template(row.messages, add_generation_prompt=True)
    completion = tokenizer.encode(row.completion, add_special_tokens=False)
    return RowTokens(row.id, [*prompt, *completion], len(prompt))


def _shared(prompts: Sequence[Sequence[int]]) -> list[int]:
    """Return the tokens with which all prompts begin."""
    alike = takewhile(lambda column: len(set(column)) == 1, zip(*prompts, strict=False))
    return [column[0] for column in alike]


def _batches(tokenised: Sequence[RowTokens], prefix: int) -> Iterator[list[RowTokens]]:
    """Gather rows of like length until a batch, padded, is full."""
    batch: list[RowTokens] = []
    for tokens in sorted(tokenised, key=lambda tokens: len(tokens.ids)):
        if batch and (len(batch) + 1) * (len(tokens.ids) - prefix) > BATCH:
            yield batch
            batch = []
        batch.append(tokens)
    if batch:
        yield batch


class Scale:
    """A model, and the keys and values of a prefix that all its rows share.

    Computing the prefix once halves the work: docs/log.md, 2026-11-24 "What a night's training
    costs the rest of the model".
    """

    def __init__(self, model: Any, prefix: Sequence[int]) -> None:
        import mlx.core as mx
        from mlx_lm.models.cache import KVCache, make_prompt_cache

        self._model = model
        self._caches = make_prompt_cache(model)
        plain = all(type(cache) is KVCache for cache in self._caches)
        self.prefix = list(prefix) if plain else []  # other caches cannot be shared by rows
        if self.prefix:
            mx.eval(model(mx.array([self.prefix]), cache=self._caches))

    def weigh(self, batch: Sequence[RowTokens]) -> Iterator[Weighed]:
        """Yield the figures of a batch."""
        import mlx.core as mx
        import mlx.nn as nn

        known = len(self.prefix)
        longest = max(len(tokens.ids) for tokens in batch)
        padded = [tokens.ids + [0] * (longest - len(tokens.ids)) for tokens in batch]
        inputs = mx.array(padded)[:, known:]
        logits = self._model(inputs[:, :-1], cache=self._rows(len(batch)))
        losses = nn.losses.cross_entropy(logits.astype(mx.float32), inputs[:, 1:])
        costs: Any = losses.tolist()
        for tokens, row in zip(batch, costs, strict=True):
            weighed = row[tokens.start - known - 1 : len(tokens.ids) - known - 1]
            yield Weighed(id=tokens.row, nats=-sum(weighed), tokens=len(weighed))

    def _rows(self, count: int) -> list[Any] | None:
        """Return the prefix's cache, once for each row; causal masks keep padding out of sight."""
        import mlx.core as mx
        from mlx_lm.models.cache import KVCache

        if not self.prefix:
            return None
        rows = []
        for cache in self._caches:
            keys, values = cache.keys_and_values()
            rows.append(KVCache())
            rows[-1].update_and_fetch(
                mx.repeat(keys, count, axis=0), mx.repeat(values, count, axis=0)
            )
        return rows


if __name__ == "__main__":
    main()
