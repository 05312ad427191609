"""Queries: a question put to memory, embedded once, and how near texts and chunks are to it."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tasks.memory.store import quoted, store
from tasks.models.embedding import embedder
from tasks.text.language import is_japanese

Vector = NDArray[np.float32]


class Query:
    """A question with its vector and its language, each worked out when asked for, and once.

    Embedding costs more than the search itself: whoever recalls and then compares hands one
    query through. `vector` is given where it is known.
    """

    def __init__(self, text: str, vector: Vector | None = None) -> None:
        self.text = text
        self._known = vector

    @cached_property
    def vector(self) -> Vector:
        """The question's unit vector, (dim,)."""
        return embedder().query([self.text])[0] if self._known is None else self._known

    @cached_property
    def japanese(self) -> bool:
        """Whether the question is Japanese."""
        return is_japanese(self.text)


def text_cosines(query: Query, texts: Sequence[str]) -> list[float]:
    """Return the cosine of each text with the query; about 0 for the unrelated."""
    if not texts:
        return []
    return [float(cosine) for cosine in embedder().passage(texts) @ query.vector]


def chunk_cosines(query: Query, chunk_ids: Sequence[str]) -> list[float]:
    """Return the cosine of each stored chunk with the query, in no particular order."""
    stored = store().rows("chunks", f"id IN {quoted(*chunk_ids)}", ["vector"])
    vectors = np.stack(stored["vector"].to_numpy(zero_copy_only=False))
    return [float(cosine) for cosine in vectors @ query.vector]
