"""Fusion: what is found by meaning and what is found by words become one ranking."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.memory.store import Row
from tasks.text.language import is_japanese

# Measured: docs/log.md, 2026-11-22, "Embeddings centred by language".
_WORDS = 0.25  # share of the words' score beside the cosine, within one language
_HALF = 12.0  # the BM25 score that counts half
_MOST = 0.6  # what the words can count at most: cosines of good matches lie there too
FOREIGN = 0.95  # of the score of a text in the other language: no word can speak for it
_DERIVED = 0.97  # a derived text never outranks its source


def joined(vector: NDArray[np.float32], near: pa.Table, worded: pa.Table) -> dict[str, Row]:
    """Return candidates by id, each with its `cosine` and its `words` (BM25, 0 if unmatched)."""
    rows = {}
    for row in near.to_pylist():
        rows[row["id"]] = row | {"cosine": 1 - row["_distance"], "words": 0.0}
    if worded.num_rows:
        vectors = np.stack(worded["vector"].to_numpy(zero_copy_only=False))
        cosines = vectors @ vector
        for row, cosine in zip(worded.drop(["vector"]).to_pylist(), cosines, strict=True):
            rows[row["id"]] = row | {"cosine": float(cosine), "words": row["_score"]}
    return rows


def score(row: Row, japanese: bool) -> float:
    """Return the fused score of a candidate, in 0..1.

    Words can only meet within one language; a text in the other one is judged by its cosine,
    or an English text that mentions a name would beat the Japanese one that answers.
    """
    fused = row["cosine"]
    if is_japanese(row["text"]) == japanese:
        words = _MOST * row["words"] / (row["words"] + _HALF)
        fused = (1 - _WORDS) * fused + _WORDS * words
    else:
        fused *= FOREIGN
    share = _DERIVED if row["provenance"] == "derived" else 1.0
    return _weighed(min(max(fused * share, 0.0), 1.0), row["weight"])


def _weighed(score: float, weight: float) -> float:
    """Return a score in 0..1 under a weight in 0..2: it grows with both and stays in 0..1."""
    if weight <= 1:
        return float(score * weight)
    return float(score + (weight - 1) * score * (1 - score))


def strangers_last(ranked: list[tuple[float, Row]]) -> list[tuple[float, Row]]:
    """Put what strangers wrote after the owner's own, never with a higher score."""
    own = [pair for pair in ranked if pair[1]["provenance"] != "untrusted_web"]
    least = min((score for score, _ in own), default=1.0)
    theirs = [pair for pair in ranked if pair[1]["provenance"] == "untrusted_web"]
    return own + [(min(score, least), row) for score, row in theirs]
