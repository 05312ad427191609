"""Models: which runtime serves them, in two tiers, within a memory budget.

Two runtimes obey one protocol: Ollama where a server answers, else the embedded llama.cpp.
"""

import ssl
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import psutil
from pydantic import BaseModel, ValidationError

from thirdshift.errors import AnswerInvalid, OutOfMemory
from thirdshift.records import Record
from thirdshift.settings import settings

if TYPE_CHECKING:  # LangChain and numpy take a while to load
    import numpy as np
    from langchain_core.language_models import LanguageModelInput
    from numpy.typing import NDArray

    from tasks.chatting import Chat

Tier = Literal["sentinel", "specialist"]
Answer = TypeVar("Answer", bound=BaseModel)


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


@cache
def runtime() -> ModelRuntime:
    """Return this process's runtime, as `models.runtime` says; auto takes Ollama if it answers."""
    from tasks.embedded import EmbeddedRuntime
    from tasks.ollama_runtime import OllamaRuntime, answers

    chosen = settings().models.runtime
    if chosen == "ollama" or (chosen == "auto" and answers()):
        return OllamaRuntime()
    return EmbeddedRuntime()


def structured(
    tier: Tier,
    schema: type[Answer],
    messages: "LanguageModelInput",
    *,
    max_tokens: int = 1024,
    **options: Any,
) -> Answer:
    """Ask for an answer of the schema's shape; options are those of `chat`.

    Raises AnswerInvalid where it was cut short, or fails a rule that a grammar cannot express.
    """
    model = runtime().chat(tier, schema=schema, max_tokens=max_tokens, **options)
    answer = str(model.invoke(messages).content)
    try:
        return schema.model_validate_json(answer)
    except ValidationError as error:
        what = f"The {tier}'s answer does not fit {schema.__name__}: {error.errors()[0]['msg']}."
        raise AnswerInvalid(what, "Allow more tokens, or ask a larger model.") from error


def budget() -> int:
    """Return how many bytes all models together may take."""
    return int(settings().models.memory_share * psutil.virtual_memory().total)


def make_room(models: ModelRuntime, name: str, need: int, *, keep_sentinel: bool = True) -> None:
    """Unload specialists, the longest unused first, until `need` bytes fit the budget.

    The sentinel goes last, or stays. Raises OutOfMemory, with the numbers, where that is not
    enough.
    """
    others = [model for model in models.loaded() if model.name != name]
    for model in sorted(others, key=lambda one: (one.tier == "sentinel", one.used)):
        fits = need + sum(one.bytes for one in others) <= budget()
        if fits or (keep_sentinel and model.tier == "sentinel"):
            break
        models.unload(model.name)
        others.remove(model)
    taken = sum(one.bytes for one in others)
    if need + taken > budget():
        raise OutOfMemory(
            f"{name} needs {_gb(need)}, and {_gb(taken)} of the budget of {_gb(budget())} "
            "are taken.",
            "Choose a smaller model, or raise models.memory_share.",
        )


@cache
def tls() -> ssl.SSLContext:
    """Return the one TLS context of all HTTP clients: each would else take 20 ms to make one."""
    return ssl.create_default_context()


def longest(max_tokens: int | None) -> int:
    """Return how many tokens an answer may have."""
    return max_tokens or settings().models.context // 4


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
