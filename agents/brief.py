"""Fact-checked summary: the brief at the head of the shift report, worded by the sentinel."""

import json
import re
from collections import Counter

from pydantic import BaseModel, Field

from tasks.models.runtime import structured
from thirdshift.errors import ThirdShiftError
from thirdshift.outcome import Shift

PROMPT = """You write the first line of a morning report about what a computer did overnight.
Facts, as JSON:
{facts}
Write one short, plain English sentence for its owner. Use only these facts and these numbers."""

_FEWEST = 5  # words of a sentence that says something
_MOST = 96  # tokens; a small model would ramble on, and each one costs energy
_NEAR = 3  # words after a number that name what it counts


class Brief(BaseModel):
    """The model's sentence."""

    sentence: str = Field(max_length=300)


def brief(shift: Shift) -> str:
    """Return a sentence or two on the shift.

    The model gets two tries; a number that is not among the facts, a failure it does not
    mention, or a model that is not there, and a plain rendering takes its place.
    """
    facts = _facts(shift)
    prompt = PROMPT.format(facts=json.dumps(facts))
    for temperature in (0.0, 0.7):
        try:
            draft = structured("sentinel", Brief, prompt, temperature=temperature, max_tokens=_MOST)
        except ThirdShiftError:
            break
        sentence = draft.sentence
        if is_true(sentence, facts):
            return f"{sentence.strip()} {plain(facts)}"
    return plain(facts)


def is_true(sentence: str, facts: dict[str, int]) -> bool:
    """Tell whether a sentence states facts only, and leaves no failure unsaid.

    Each number must be that of a fact whose name stands within the next words: "3 were done"
    holds, "3 failed" does not where three were done.
    """
    # Facts are counts, so a number here is a word of digits and needs none of the
    # grammar of signs, decimals and units in `tasks.grounding`.
    words = re.findall(r"\w+", sentence.lower())
    numbers = [place for place, word in enumerate(words) if word.isdigit()]
    named = all(_names_a_fact(words, place, facts) for place in numbers)
    silent = facts["failed"] > 0 and "failed" not in words
    return len(words) >= _FEWEST and bool(numbers) and named and not silent


def _names_a_fact(words: list[str], place: int, facts: dict[str, int]) -> bool:
    near = words[place + 1 : place + 1 + _NEAR]
    fitting = [name for name, value in facts.items() if value == int(words[place])]
    return any(name.split("_")[0] in near for name in fitting)


def plain(facts: dict[str, int]) -> str:
    """Return the facts as a line, without a model."""
    counts = ", ".join(
        f"{count} {name.replace('_', ' ')}"
        for name, count in facts.items()
        if count and name not in ("runs", "documents_in_memory")
    )
    documents = facts["documents_in_memory"]
    return f"{facts['runs']} runs: {counts or 'none'}. {documents} documents in memory."


def _facts(shift: Shift) -> dict[str, int]:
    counts = Counter(run.outcome.status for run in shift.runs)
    facts = {"runs": len(shift.runs) + len(shift.lost)}
    facts |= {name: counts[name] for name in ("done", "nothing_to_do", "waiting", "skipped")}
    facts["deferred"] = counts["deferred"] + counts["preempted"]
    facts["failed"] = counts["failed"] + len(shift.lost)
    facts["documents_in_memory"] = sum(shift.memory.documents.values())
    return facts
