"""Retrieval: hybrid search among made-up chunks, its vectors beside exact search."""

import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import Any

import numpy as np

_WORDS = 5000  # of the made-up vocabulary; its frequencies follow Zipf's law
_LENGTH = 80  # words a chunk
_QUERIES = 200


def measure_retrieval(size: int, report: Callable[[str], None]) -> dict[str, Any]:
    """Fill the store of this home with `size` chunks; return times of search, and its recall."""
    report(f"filling {size:,} chunks")
    vectors, vocabulary = _fill(size)
    report(f"searching {size:,} chunks")
    return {"chunks": size} | _searched(vectors, vocabulary)


def _fill(size: int) -> tuple[Any, Any]:
    """Store `size` made-up chunks: vectors in clusters of varied density, Zipfian words."""
    from tasks.memory import maintenance
    from tasks.memory.store import store
    from tasks.models.embedding import embedder

    random = np.random.default_rng(0)
    dim = embedder().dim
    centres = random.normal(size=(500, 32))[random.integers(0, 500, size)]
    spread = 0.4 * random.normal(size=(size, 32))
    vectors = (centres + spread) @ (random.normal(size=(32, dim)) / 6)
    vectors += 0.05 * random.normal(size=(size, dim))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("float32")
    vocabulary = np.array([f"w{number}" for number in range(_WORDS)])
    chances = 1 / np.arange(1, _WORDS + 1)
    words = random.choice(vocabulary, (size, _LENGTH), p=chances / chances.sum())
    for begin in range(0, size, 10_000):
        rows = [_row(n, words[n], vectors[n]) for n in range(begin, min(begin + 10_000, size))]
        store().upsert("chunks", rows)
    maintenance.compact()
    return vectors, words


def _row(number: int, words: Any, vector: Any) -> dict[str, Any]:
    from tasks.models.embedding import embedder
    from thirdshift.records import Chunk

    name, text = str(number), " ".join(words)
    chunk = Chunk(
        id=name,
        document_id=name,
        uri=name,
        title=name,
        text=text,
        span=(0, len(text)),
        content_hash=name,
        provenance="owner",
        embedding_model=embedder().name,
    )
    return chunk.model_dump(exclude={"span"}) | {"start": 0, "end": len(text), "vector": vector}


def _searched(vectors: Any, words: Any) -> dict[str, Any]:
    from tasks.memory import chunks
    from tasks.memory.retrieval import recall
    from tasks.models.embedding import embedder

    random = np.random.default_rng(1)
    chosen = random.integers(0, len(vectors), _QUERIES)
    noise = random.normal(size=(_QUERIES, vectors.shape[1])) / 60
    recalls, embedding, seconds = [], [], []
    for number, query in zip(chosen, vectors[chosen] + noise.astype("float32"), strict=True):
        near = [chunks.nearest(query, 10, "status = 'active'", exact=e) for e in (False, True)]
        ids = [set(table["id"].to_pylist()) for table in near]
        recalls.append(len(ids[0] & ids[1]) / 10)
        text = " ".join(words[number][:6])
        began = time.perf_counter()
        vector = embedder().query([text])[0]
        embedded = time.perf_counter()
        recall(text, 10, vector=vector)
        embedding.append(embedded - began)
        seconds.append(time.perf_counter() - embedded)
    return {
        "p50 ms": round(median(seconds) * 1e3, 1),
        "p95 ms": round(quantiles(seconds, n=20)[-1] * 1e3, 1),
        "embedding p50 ms": round(median(embedding) * 1e3, 1),
        "recall@10": round(sum(recalls) / len(recalls), 4),
    }
