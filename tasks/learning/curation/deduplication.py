"""Doubles among what the owner taught: the same again, nearly the same, and earlier answers."""

import unicodedata
from collections.abc import Sequence
from typing import TypeVar

from thirdshift.learning import Example, Preference, Rejected

Taught = TypeVar("Taught", Example, Preference)

_ALIKE = 92.0  # rapidfuzz's ratio of two texts, in percent, from which one is a double


def without_doubles(rows: Sequence[Taught]) -> tuple[list[Taught], list[Rejected]]:
    """Return the rows to keep, oldest first, and those left out with the row they double.

    Of doubles the newest is kept; of two examples with the same prompt the newer one is the
    owner's last word.
    """
    kept: list[Taught] = []
    rejected: list[Rejected] = []
    for row in sorted(rows, key=lambda one: (one.created_at, one.id), reverse=True):
        reason = next(filter(None, (_doubles(row, other) for other in kept)), "")
        if reason:
            rejected.append(Rejected(id=row.id, reason=reason))
        else:
            kept.append(row)
    return kept[::-1], rejected


def texts(row: Example | Preference) -> list[str]:
    """Return a row's texts: prompt and completion, or prompt, chosen and rejected."""
    if isinstance(row, Example):
        return [row.prompt, row.completion]
    return [row.prompt, row.chosen, row.rejected]


def _doubles(row: Example | Preference, newer: Example | Preference) -> str:
    """Return why a row is a double of a newer one; empty where it is none."""
    from rapidfuzz import fuzz

    mine, theirs = list(map(_plain, texts(row))), list(map(_plain, texts(newer)))
    if mine == theirs:
        return f"the same as {newer.id}"
    if mine[0] == theirs[0] and len(mine) == 2:
        return f"the same prompt as {newer.id}, which is newer"
    if all(fuzz.ratio(a, b) >= _ALIKE for a, b in zip(mine, theirs, strict=True)):
        return f"nearly the same as {newer.id}"
    return ""


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
