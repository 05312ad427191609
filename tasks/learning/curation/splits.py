"""Clustered splits: what is learnt and what it is judged by must not be about the same thing.

Single-linkage clustering: rows whose prompts are near each other make a cluster, also through
others between them, so that no two rows of different splits are as near as `limit`.

    prompts    a–b–c   d   e–f        lines: a cosine of `limit` or more
    clusters     0     1    2
    splits     train test valid
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from thirdshift.learning import Split
from thirdshift.records import content_hash

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARES: dict[Split, float] = {"train": 0.7, "valid": 0.15, "test": 0.15}

# Cosines. The same question asked anew reaches 0.56, another about the same thing 0.76 at most:
# docs/log.md, 2026-11-24 "Verdicts that tell in recall".
_LIMITS = (0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
_LARGEST = 0.6  # share of the rows that one cluster may have, before the limit is raised


def clusters(vectors: "NDArray[np.float32]") -> tuple[list[int], float]:
    """Return each row's cluster, and the cosine below which rows of two clusters lie.

    `vectors` are unit vectors (n, dim). The lowest limit is taken that leaves none too large.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    cosines = vectors @ vectors.T
    for limit in _LIMITS:
        _, labels = connected_components(csr_array(cosines >= limit), directed=False)
        if np.bincount(labels).max() <= _LARGEST * len(labels):
            break
    return [int(label) for label in labels], limit


def assign_splits(labels: Sequence[int], ids: Sequence[str], seed: int = 0) -> list[Split]:
    """Return each row's split: whole clusters, the largest first, to where most is missing.

    Equal clusters come in an order that their rows' ids and the seed decide.
    """
    members: dict[int, list[int]] = {}
    for row, label in enumerate(labels):
        members.setdefault(label, []).append(row)
    ordered = sorted(
        members.values(),
        key=lambda rows: (-len(rows), content_hash(str(seed), min(ids[row] for row in rows))),
    )
    missing = {name: share * len(labels) for name, share in SHARES.items()}
    splits: list[Split] = ["train"] * len(labels)
    for rows in ordered:
        neediest = max(missing, key=lambda name: missing[name])
        missing[neediest] -= len(rows)
        for row in rows:
            splits[row] = neediest
    return splits
