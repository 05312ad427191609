"""Hybrid retrieval: how what is remembered is found again.

The nearest chunks by meaning and the best by words are joined, and ordered by one score in 0..1
that also says how sure the match is.
"""

from concurrent.futures import ThreadPoolExecutor

from tasks.memory import chunks
from tasks.memory.fusion import joined, score, strangers_last
from tasks.memory.queries import Query, Vector
from tasks.memory.store import Row
from tasks.memory.superseding import with_corrections
from thirdshift.records import Hit

_ACTIVE = "status IN ('active', 'flagged')"  # what awaits review is not hidden behind one's back
_REACH = 40  # candidates from each side of the hybrid

_pool = ThreadPoolExecutor(2, thread_name_prefix="recall")


def recall(query: str, k: int = 5, *, vector: Vector | None = None) -> list[Hit]:
    """Return the k best active chunks, best first; `vector` is the query's, where it is known."""
    return recall_query(Query(query, vector), k)


def recall_query(query: Query, k: int = 5) -> list[Hit]:
    """Return the k best active chunks for a query that is used again afterwards, best first."""
    if not query.text.strip():
        return []
    reach = max(_REACH, 4 * k)
    near = _pool.submit(chunks.nearest, query.vector, reach, _ACTIVE)
    worded = chunks.matching(query.text, reach, _ACTIVE)
    rows = joined(query.vector, near.result(), worded).values()
    scored = [(score(row, query.japanese), row) for row in rows]
    ranked = sorted(scored, key=lambda pair: -pair[0])
    settled = with_corrections(ranked, query)[:k]
    return [_hit(row, final) for final, row in strangers_last(settled)]


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
