"""Answers of a served model to many prompts, the way the owner gets them."""

from collections.abc import Sequence
from typing import Any

from tasks.models.runtime import runtime
from tasks.runs.preemption import due

TOKENS = 32  # of an answer: enough to tell what a model says, and how
_AT_ONCE = 2  # the embedded engine's slots


def answers(model: str, prompts: Sequence[str], tokens: int = TOKENS) -> list[str]:
    """Return the model's greedy answers, in order; "" names the sentinel.

    The model is unloaded in the end: what follows needs the room. Raises Preempted where the
    run is to yield.
    """
    try:
        return _answers(model, prompts, tokens)
    finally:
        if model:
            runtime().unload(model)


def _answers(model: str, prompts: Sequence[str], tokens: int) -> list[str]:
    chat = runtime().chat(model=model, max_tokens=tokens)
    said: list[str] = []
    for at in range(0, len(prompts), _AT_ONCE):
        if put_off := due():
            raise put_off
        some: list[Any] = [*prompts[at : at + _AT_ONCE]]
        replies = chat.batch(some, config={"max_concurrency": _AT_ONCE})
        said += [str(reply.content).strip() for reply in replies]
    return said
