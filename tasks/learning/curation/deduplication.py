"""Deduplication of what the owner taught: the same again, nearly the same, earlier answers."""

from collections.abc import Sequence
from typing import TypeVar

from tasks.text.language import folded
from thirdshift.learning import Example, Preference, Rejected

Taught = TypeVar("Taught", Example, Preference)

_ALIKE = 92.0  # rapidfuzz's ratio of two texts, in percent, from which one is a double


def without_doubles(rows: Sequence[Taught]) -> tuple[list[Taught], list[Rejected]]:
    """Return the rows to keep, oldest first, and those left out with the row they double.

    Of doubles the newest is kept; of two examples with the same prompt the newer one is the
    owner's last word.
    """
    unique: list[Taught] = []
    rejected: list[Rejected] = []
    for row in sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True):
        reason = next(filter(None, (_doubles(row, newer) for newer in unique)), "")
        if reason:
            rejected.append(Rejected(id=row.id, reason=reason))
        else:
            unique.append(row)
    return unique[::-1], rejected


def texts(row: Example | Preference) -> list[str]:
    """Return a row's texts: prompt and completion, or prompt, chosen and rejected."""
    if isinstance(row, Example):
        return [row.prompt, row.completion]
    return [row.prompt, row.chosen, row.rejected]


def _doubles(row: Example | Preference, newer: Example | Preference) -> str:
    """Return why a row is a double of a newer one; empty where it is none."""
    from rapidfuzz import fuzz

    mine, theirs = list(map(folded, texts(row))), list(map(folded, texts(newer)))
    if mine == theirs:
        return f"the same as {newer.id}"
    if mine[0] == theirs[0] and len(mine) == 2:
        return f"the same prompt as {newer.id}, which is newer"
    if all(fuzz.ratio(a, b) >= _ALIKE for a, b in zip(mine, theirs, strict=True)):
        return f"nearly the same as {newer.id}"
    return ""
