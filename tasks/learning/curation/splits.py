"""Splits by topic: what is learnt and what it is judged by must not be about the same thing.

Rows are joined to topics where their prompts are near each other, also through others between
them, so that no two rows of different splits are as near as `limit`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from thirdshift.records import content_hash

if TYPE_CHECKING:
    from numpy.typing import NDArray

Split = Literal["train", "valid", "test"]
SHARES: dict[Split, float] = {"train": 0.7, "valid": 0.15, "test": 0.15}

_LIMITS = (0.55, 0.6, 0.65, 0.7, 0.75, 0.8)  # cosines; the same question asked anew reaches 0.56
_LARGEST = 0.6  # share of the rows that one topic may have, before the limit is raised


def topics(vectors: "NDArray[np.float32]") -> tuple[list[int], float]:
    """Return each row's topic, and the cosine below which rows of two topics lie.

    `vectors` are unit vectors (n, dim). The lowest limit is taken that leaves no topic too large.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    cosines = vectors @ vectors.T
    for limit in _LIMITS:
        _, labels = connected_components(csr_array(cosines >= limit), directed=False)
        if np.bincount(labels).max() <= _LARGEST * len(labels):
            break
    return [int(label) for label in labels], limit


def split(labels: Sequence[int], ids: Sequence[str], seed: int = 0) -> list[Split]:
    """Return each row's split: whole topics, the largest first, to where most is missing.

    Equal topics come in an order that their rows' ids and the seed decide.
    """
    groups: dict[int, list[int]] = {}
    for at, label in enumerate(labels):
        groups.setdefault(label, []).append(at)
    ordered = sorted(
        groups.values(),
        key=lambda rows: (-len(rows), content_hash(str(seed), min(ids[at] for at in rows))),
    )
    missing = {name: share * len(labels) for name, share in SHARES.items()}
    found: list[Split] = ["train"] * len(labels)
    for rows in ordered:
        chosen = max(missing, key=lambda name: missing[name])
        missing[chosen] -= len(rows)
        for at in rows:
            found[at] = chosen
    return found
