"""The brief at the head of the shift report: the sentinel words it, arithmetic checks it."""

import json
import re
from collections import Counter

from pydantic import BaseModel, Field

from tasks.models import structured
from tasks.report import Shift
from thirdshift.errors import ThirdShiftError

PROMPT = """You write the first line of a morning report about what a computer did overnight.
Facts, as JSON:
{facts}
Write one short, plain English sentence for its owner. Use only these facts and these numbers."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORDS = 40


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
            sentence = structured("sentinel", Brief, prompt, temperature=temperature).sentence
        except ThirdShiftError:
            break
        if is_true(sentence, facts):
            return f"{sentence.strip()} {plain(facts)}"
    return plain(facts)


def is_true(sentence: str, facts: dict[str, int]) -> bool:
    """Tell whether every number of the sentence is a fact and no failure is left unsaid."""
    allowed = {str(value) for value in facts.values()}
    numbers = {number.replace(",", "") for number in _NUMBER.findall(sentence)}
    silent = facts["failed"] > 0 and "fail" not in sentence.lower()
    return bool(sentence.strip()) and numbers <= allowed and not silent


def plain(facts: dict[str, int]) -> str:
    """Return the facts as a line, without a model."""
    counts = ", ".join(
        f"{count} {name.replace('_', ' ')}"
        for name, count in facts.items()
        if count and name not in ("runs", "documents_in_memory")
    )
    held = facts["documents_in_memory"]
    return f"{facts['runs']} runs: {counts or 'none'}. {held} documents in memory."


def _facts(shift: Shift) -> dict[str, int]:
    counts = Counter(run.outcome.status for run in shift.runs)
    facts = {"runs": len(shift.runs) + len(shift.lost)}
    facts |= {name: counts[name] for name in ("done", "nothing_to_do", "skipped", "deferred")}
    facts["failed"] = counts["failed"] + len(shift.lost)
    facts["documents_in_memory"] = sum(shift.memory.documents.values())
    return facts
