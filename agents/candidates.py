"""Preference pairs: two answers to one question, for the owner to choose from."""

from tasks.models.runtime import runtime
from thirdshift.errors import AnswerInvalid

_TEMPERATURE = 0.9  # of the second answer; the first is the likeliest
_TRIES = 4
_MOST = 200  # tokens: two answers must be read and compared


def candidates(prompt: str) -> tuple[str, str]:
    """Return the sentinel's likeliest answer and another one.

    Without passages from memory: a preference is learnt about what the model says by itself.
    Raises AnswerInvalid where it says the same again and again.
    """
    first = _say(prompt, 0.0)
    for _ in range(_TRIES):
        second = _say(prompt, _TEMPERATURE)
        if second not in ("", first):
            return first, second
    raise AnswerInvalid(
        f"The model gave the same answer {_TRIES + 1} times.",
        "Give both yourself: `thirdshift prefer PROMPT --chosen TEXT --rejected TEXT`.",
    )


def _say(prompt: str, temperature: float) -> str:
    model = runtime().chat("sentinel", temperature=temperature, max_tokens=_MOST)
    return str(model.invoke(prompt).content).strip()
