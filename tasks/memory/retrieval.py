"""What is remembered and how it is found again.

Recall is hybrid: the nearest chunks by meaning and the best by words, joined, and ordered by
one score in 0..1 that also says how sure the match is.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from tasks.memory.fusion import joined, score, strangers_last
from tasks.memory.store import Row, quoted, store
from tasks.memory.superseding import with_corrections
from tasks.models.embedding import embedder
from tasks.text.language import is_japanese
from thirdshift.records import Hit

Vector = NDArray[np.float32]

_ACTIVE = "status IN ('active', 'flagged')"  # what awaits review is not hidden behind one's back
_REACH = 40  # candidates from each side of the hybrid

_pool = ThreadPoolExecutor(2, thread_name_prefix="recall")


def recall(query: str, k: int = 5, *, vector: Vector | None = None) -> list[Hit]:
    """Return the k best active chunks, best first; `vector` is the query's, where it is known."""
    if not query.strip():
        return []
    vector = embedder().query([query])[0] if vector is None else vector
    reach = max(_REACH, 4 * k)
    near = _pool.submit(store().nearest, vector, reach, _ACTIVE)
    worded = store().matching(query, reach, _ACTIVE)
    rows = joined(vector, near.result(), worded).values()
    scored = [(score(row, is_japanese(query)), row) for row in rows]
    ranked = sorted(scored, key=lambda pair: -pair[0])
    settled = with_corrections(ranked, vector)[:k]
    return [_hit(row, one) for one, row in strangers_last(settled)]


def similarities(query: str, texts: Sequence[str]) -> list[float]:
    """Return the cosine of each text with the query; about 0 for the unrelated."""
    if not texts:
        return []
    return [float(c) for c in embedder().passage(texts) @ embedder().query([query])[0]]


def cosines(query: str, chunk_ids: Sequence[str]) -> list[float]:
    """Return the cosine of each stored chunk with the query, in no particular order."""
    kept = store().rows("chunks", f"id IN {quoted(*chunk_ids)}", ["vector"])
    vectors = np.stack(kept["vector"].to_numpy(zero_copy_only=False))
    return [float(cosine) for cosine in vectors @ embedder().query([query])[0]]


def _hit(row: Row, score: float) -> Hit:
    return Hit(
        chunk_id=row["id"],
        document=row["uri"],
        title=row["title"],
        text=row["text"],
        score=round(score, 4),
        span=(row["start"], row["end"]),
        provenance=row["provenance"],
    )
