"""Ollama's chat model: LangChain's, told to refuse what does not fit instead of cutting it."""

import json
from typing import Any

import httpx
from langchain_core.messages import AIMessage, BaseMessage
from langchain_ollama import ChatOllama
from pydantic import BaseModel

from tasks.models.chat import Chat, answer_limit
from tasks.models.loopback import tls
from tasks.models.ollama.errors import translated
from thirdshift.errors import ContextTooLong, ThirdShiftError
from thirdshift.settings import settings


class OllamaChat(Chat, ChatOllama):
    """A chat model of Ollama's."""

    def translated(self, error: Exception) -> ThirdShiftError | None:
        """Return our error for Ollama's."""
        return translated(error, self.model)

    def knows_tools(self) -> bool:
        """Tell whether the model's template has a place for tools."""
        with self._ours():
            return "tools" in (self._client.show(self.model).capabilities or [])

    def check(self, message: BaseMessage) -> None:
        """Refuse the answer to a prompt that was cut: an older Ollama does not refuse by itself.

        A prompt cut inside a message fills the context to the last token.
        """
        usage = message.usage_metadata if isinstance(message, AIMessage) else None
        if usage and usage["input_tokens"] >= (self.num_ctx or 0):
            raise ContextTooLong(
                f"The prompt does not fit the context of {self.num_ctx} tokens.",
                "Shorten the question, or raise models.context.",
            )

    def constrained(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return Ollama's argument."""
        return {"format": schema}


def ollama_chat(
    model: str,
    keep_alive: int | str,
    temperature: float,
    max_tokens: int | None,
    schema: type[BaseModel] | None,
) -> OllamaChat:
    """Return the chat model of this name."""
    return OllamaChat(
        model=model,
        base_url=settings().models.ollama_host,
        temperature=temperature,
        num_ctx=settings().models.context,
        num_predict=answer_limit(max_tokens),
        keep_alive=keep_alive,
        reasoning=False,
        format=schema.model_json_schema() if schema else None,
        client_kwargs={"timeout": 600, "verify": tls()},
        sync_client_kwargs={"event_hooks": {"request": [_refuse_to_cut]}},
        async_client_kwargs={"event_hooks": {"request": [_refuse_to_cut_later]}},
    )


def _refuse_to_cut(request: httpx.Request) -> None:
    """Ask Ollama (0.12.6 and later) to refuse a prompt that does not fit; the library cannot.

    By default it silently drops the oldest messages.
    """
    if request.url.path == "/api/chat":
        body = json.dumps(json.loads(request.content) | {"truncate": False, "shift": False})
        request.stream = httpx.ByteStream(body.encode())
        request.headers["Content-Length"] = str(len(body.encode()))


async def _refuse_to_cut_later(request: httpx.Request) -> None:
    _refuse_to_cut(request)
