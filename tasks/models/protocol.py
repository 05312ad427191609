"""The protocol of a model runtime: what serves models by name, and what it must be able to do."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import BaseModel

from thirdshift.records import Record

if TYPE_CHECKING:  # LangChain and numpy take a while to load
    import numpy as np
    from numpy.typing import NDArray

    from tasks.models.chat import Chat

Tier = Literal["sentinel", "specialist"]


class LoadedModel(Record):
    """A model in memory. `bytes` holds weights and cache; a larger `used` was used later."""

    name: str
    bytes: int
    tier: Tier
    used: float


class ModelRuntime(Protocol):
    """Serves models by name."""

    name: str

    def model(self, tier: Tier) -> str:
        """Return the name of the tier's model."""
        ...

    def chat(
        self,
        tier: Tier = "sentinel",
        *,
        model: str = "",
        temperature: float = 0.0,
        max_tokens: int | None = None,
        schema: type[BaseModel] | None = None,
    ) -> "Chat":
        """Load the tier's model, or the named one, and return it as a LangChain chat model.

        With `schema` it can only write JSON of that shape. Its errors are ours. An answer ends
        after `max_tokens`, by default a quarter of the context: a small model may never end.
        """
        ...

    def embed(self, texts: Sequence[str], *, query: bool = False) -> "NDArray[np.float32]":
        """Return an (n, dim) array of unit vectors."""
        ...

    def ensure(self, model: str) -> None:
        """Load a model unless it is; raises ModelMissing, OutOfMemory or RuntimeUnavailable."""
        ...

    def loaded(self) -> list[LoadedModel]:
        """Return the models in memory."""
        ...

    def unload(self, model: str) -> None:
        """Free a model's memory; a model that is not loaded is no error."""
        ...

    def publish(self, model: str, gguf: Path, *, like: str = "") -> None:
        """Register a merged GGUF under a name; `like` names the model whose template it takes."""
        ...

    def remove(self, model: str) -> None:
        """Delete a published model; one that is not there is no error."""
        ...

    def next_tokens(self, model: str, text: str, top: int) -> dict[str, float]:
        """Return the likeliest tokens after a text, by theirs, with log-probabilities.

        The text is taken as it is, without a chat template.
        """
        ...

    def base_model(self) -> str:
        """Return the name of the sentinel before anything was learnt."""
        ...

    def base_file(self) -> Path:
        """Return the GGUF of that model, whose numbers are served; raises ModelMissing."""
        ...

    def model_bytes(self, model: str) -> int:
        """Return what a model takes on the disk, 0 where it is not there."""
        ...

    def billions(self, tier: Tier = "sentinel") -> float:
        """Return the parameters of the tier's model, in billions."""
        ...
