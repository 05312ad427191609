"""Generation: answers of a served model to many prompts, the way the owner gets them."""

from collections.abc import Sequence
from typing import Any

from tasks.models.runtime import runtime
from tasks.runs.preemption import due

TOKENS = 32  # of an answer: enough to tell what a model says, and how
_SHOWN_TOKENS = 128  # of an answer that people compare
_AT_ONCE = 2  # the embedded engine's slots


def answers(model: str, prompts: Sequence[str], tokens: int = TOKENS) -> list[str]:
    """Return the model's greedy answers, in order; "" names the sentinel.

    The model is unloaded in the end: what follows needs the room. Raises Preempted where the
    run is to yield.
    """
    try:
        return _generated(model, prompts, tokens)
    finally:
        if model:
            runtime().unload(model)


def side_by_side(model: str, prompts: Sequence[str]) -> list[dict[str, str]]:
    """Ask the bare base and a published model the same; rows of `prompt`, `before` and `after`."""
    before = _generated(runtime().base_model(), prompts, _SHOWN_TOKENS)
    after = _generated(model, prompts, _SHOWN_TOKENS)
    columns = zip(prompts, before, after, strict=True)
    return [{"prompt": prompt, "before": old, "after": new} for prompt, old, new in columns]


def _generated(model: str, prompts: Sequence[str], tokens: int) -> list[str]:
    chat = runtime().chat(model=model, max_tokens=tokens)
    texts: list[str] = []
    for first in range(0, len(prompts), _AT_ONCE):
        if put_off := due():
            raise put_off
        batch: list[Any] = [*prompts[first : first + _AT_ONCE]]
        replies = chat.batch(batch, config={"max_concurrency": _AT_ONCE})
        texts += [str(reply.content).strip() for reply in replies]
    return texts
