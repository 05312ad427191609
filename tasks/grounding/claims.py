"""Claim verification: does a passage say what a claim says? Arithmetic and words decide.

A claim holds where one window of neighbouring sentences of a passage it cites has every one of
its numbers with the same unit, every name and content word, the same direction and the same
negation, and means about the same. That is strict on purpose: a paraphrase too free is lost,
an invention does not pass.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from tasks.grounding.wording import (
    HARMLESS,
    Number,
    hedges,
    negations,
    numbers,
    opposed,
    stems,
)
from tasks.text.language import folded, is_japanese, split_sentences
from thirdshift.newsroom import Claim, Passage

WINDOW = 3  # neighbouring sentences
_MEANS = 0.45  # cosine of a claim and its window: docs/log.md, "Claims of drafts" (2026-11-24)
_MOST_CLAUSES = 6
_CLAUSE = re.compile(r"(?<=[,;:])\s+|(?<=、)")
_NAME = re.compile(r"(?<=[a-z,;:0-9] )[A-Z][\w-]+")


class _Window(NamedTuple):
    """A stretch that may say a claim, and the sentences it stands in."""

    text: str
    context: str


def checked(claims: Sequence[Claim], passages: Mapping[str, Passage]) -> list[Claim]:
    """Return the claims, each marked whether the passages it cites say it, and why not."""
    return [_checked(claim, passages) for claim in claims]


def unsupported(text: str, passage: Passage) -> str:
    """Return why a passage does not say the text; empty where it does."""
    if is_japanese(text) != is_japanese(passage.text):
        return "it is in another language than the passage it cites"
    windows = _windows(f"{passage.title}\n{passage.text}")
    faults = [_fault(text, window) for window in windows]
    worst, why = min(faults, default=(9, "the passage is empty"))
    if worst:
        return why
    saying = windows[faults.index((0, ""))].text
    return "" if _likeness(text, saying) >= _MEANS else "it does not mean what the passage says"


def _checked(claim: Claim, passages: Mapping[str, Passage]) -> Claim:
    cited = [passages[name] for name in claim.passages if name in passages]
    if not cited:
        why = "it cites no passage that exists" if claim.passages else "it cites nothing"
        return claim.model_copy(update={"supported": False, "why": why})
    reasons = {passage.id: unsupported(claim.text, passage) for passage in cited}
    saying = [name for name, why in reasons.items() if not why]
    if saying:
        return claim.model_copy(update={"passages": saying, "supported": True, "why": ""})
    why = next(iter(reasons.values()))
    return claim.model_copy(update={"supported": False, "why": why})


@lru_cache(1024)  # a process that lives for weeks must not keep every page
def _windows(text: str) -> list[_Window]:
    """Return all runs of clauses of a sentence, and of neighbouring sentences; short ones first."""
    split = split_sentences(text)
    clauses = [
        _Window(clause, sentence)
        for sentence in split
        for clause in _runs([part for part in _CLAUSE.split(sentence) if part], _MOST_CLAUSES)
    ]
    return [*clauses, *(_Window(run, run) for run in _runs(split, WINDOW))]


def _runs(parts: Sequence[str], most: int) -> list[str]:
    return [
        " ".join(parts[first : first + length])
        for length in range(1, min(most, len(parts)) + 1)
        for first in range(len(parts) - length + 1)
    ]


def _fault(text: str, window: _Window) -> tuple[int, str]:
    """Return how bad and what the first fault is; (0, "") where the window says the text."""
    there = numbers(window.text)
    missing = [number for number in numbers(text) if not _is_among(number, there)]
    if missing:
        return 5, f"the passage has no “{' '.join(missing[0]).strip()}”"
    names = [name for name in _NAME.findall(text) if folded(name) not in folded(window.text)]
    if names:
        return 4, f"the passage does not name “{names[0]}”"
    strange = _strange(text, window.text)
    if strange:
        return (3 if len(strange) > 1 else 2), f"the passage does not speak of “{strange[0]}”"
    if negations(text) != negations(window.text):
        return 1, "one of the two is negated"
    if opposed(text, window.text):
        return 1, "the passage goes the other way"
    if hedges(window.context) and not hedges(text):
        return 1, "the passage says it is only expected, possible or conditional"
    return 0, ""


def _is_among(number: Number, there: Sequence[Number]) -> bool:
    return any(
        number.value == other.value
        and number.counted in ("", other.counted)
        and number.direction in ("", other.direction)
        for other in there
    )


def _strange(text: str, window: str) -> list[str]:
    """Return the content words of the text that the window does not have."""
    there = set(stems(window))
    return [word for word in stems(text) if word not in there and word not in HARMLESS]


@lru_cache(4096)
def _likeness(text: str, window: str) -> float:
    from tasks.models.embedding import embedder

    claim, passage = embedder().passage([text, window])
    return float(claim @ passage)
