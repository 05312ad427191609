"""Superseding: which passages must not stand beside, or above, a correction of the owner's.

A correction is about one question. Asked again, it alone answers; for a question that is near it
stands above the passage it corrects, which goes on answering everything else.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.memory.queries import Query
from tasks.memory.store import Row, quoted, store
from tasks.models.embedding import embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PREFIX = "correction:"  # of a correction's uri
# Measured: docs/log.md, 2026-11-24, "Verdicts that tell in recall".
_SAME = 0.8  # cosine of two questions that ask the same; others about the same thing reach 0.76
_NEAR = 0.4  # cosine of a correction with a question it may have to do with
_BELOW = 0.0001  # a score's last digit

Ranked = list[tuple[float, Row]]


def with_corrections(ranked: Ranked, query: Query) -> Ranked:
    """Return scored rows, best first, without or below what corrections among them supersede.

    Each row has its `id`, `document_id`, `uri` and `cosine` with the query. C corrects A:

        0.9 A, 0.7 B, 0.6 C   becomes   0.7 B, 0.6 C             for the question C answers,
                                        0.7 B, 0.6 C, 0.5999 A   for one that is near it
    """
    scores = {
        row["document_id"]: score
        for score, row in ranked
        if row["uri"].startswith(PREFIX) and row["cosine"] >= _NEAR
    }
    if not scores:
        return ranked
    corrections = store().rows("corrections", f"id IN {quoted(*scores)}").to_pylist()
    likeness = _vectors([row["question"] for row in corrections], query) @ query.vector
    ceilings: dict[str, float] = {}
    for row, like in zip(corrections, likeness, strict=True):
        ceiling = 0.0 if like >= _SAME else scores[row["id"]] - _BELOW
        for chunk in row["corrects"]:
            ceilings[chunk] = min(ceilings.get(chunk, 1.0), ceiling)
    return _under(ceilings, ranked)


def _vectors(questions: Sequence[str], query: Query) -> "NDArray[np.float32]":
    """Return the questions' vectors, (n, dim); that of the query itself is there already."""
    import numpy as np

    others = [question for question in questions if question != query.text]
    known = dict(zip(others, embedder().query(others), strict=True)) if others else {}
    vectors = [known.get(question, query.vector) for question in questions]
    return np.array(vectors, dtype=np.float32).reshape(-1, len(query.vector))


def _under(ceilings: dict[str, float], ranked: Sequence[tuple[float, Row]]) -> Ranked:
    lowered = [(min(score, ceilings.get(row["id"], 1.0)), row) for score, row in ranked]
    return sorted((pair for pair in lowered if pair[0] > 0), key=lambda pair: -pair[0])
