"""Chunks, searched: nearest by meaning (cosine), best by words (BM25), and the indexes for both."""

from typing import Any

import pyarrow as pa

from tasks.memory.schemas import MODEL_KEY
from tasks.memory.store import store
from tasks.models.embedding import embedder
from thirdshift.errors import EmbeddingMismatch
from thirdshift.settings import settings

_PROBES = 20  # of an IVF_FLAT index: recall@10 0.999 at 100 k
_SHOWN = ["id", "document_id", "uri", "title", "text", "start", "end", "provenance", "weight"]


def nearest(vector: Any, k: int, where: str, *, exact: bool = False) -> pa.Table:
    """Return the k chunks nearest by cosine, with `_distance` = 1 - cosine."""
    query = _table().search(vector).distance_type("cosine").nprobes(_PROBES)
    if exact:
        query = query.bypass_vector_index()
    return query.where(where).select([*_SHOWN, "_distance"]).limit(k).to_arrow()


def matching(text: str, k: int, where: str) -> pa.Table:
    """Return the k chunks that match the words best, with `vector` and `_score` = BM25."""
    query = _table().search(text, query_type="fts").where(where)
    return query.select([*_SHOWN, "vector", "_score"]).limit(k).to_arrow()


def model() -> str:
    """Return the embedding model that made the vectors."""
    metadata: dict[bytes, bytes] = store().table("chunks").schema.metadata or {}
    return metadata.get(MODEL_KEY, b"").decode()


def unindexed() -> int:
    """Return how many chunks the word index does not cover yet; search scans them."""
    table = store().table("chunks")
    names = [index.name for index in table.list_indices() if "text" in index.columns]
    return sum(table.index_stats(name).num_unindexed_rows for name in names)


def index_vectors() -> None:
    """Make the vector index (IVF_FLAT) where there are enough chunks for it and none is there."""
    from lancedb.index import IvfFlat

    table = store().table("chunks")
    rows = table.count_rows()
    indexed = any("vector" in index.columns for index in table.list_indices())
    if rows > settings().store.index_above and not indexed:
        config = IvfFlat(distance_type="cosine", num_partitions=int(rows**0.5))
        with store().writing():
            table.create_index("vector", config=config)


def _table() -> Any:
    """Return the table to search; EmbeddingMismatch where another model made its vectors."""
    maker, ours = model(), embedder().name
    if maker != ours:
        raise EmbeddingMismatch(
            f"The store's vectors were made by {maker}, the settings name {ours}.",
            "Run `thirdshift reindex`, or set models.embedding back.",
        )
    return store().table("chunks")
