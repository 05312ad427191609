"""The embedded engine's chat model: LangChain's for OpenAI's protocol, which llama.cpp speaks."""

from typing import TYPE_CHECKING, Any

import httpx
import openai
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

from tasks.models.chat import Chat, answer_limit
from tasks.models.loopback import tls
from thirdshift.errors import ContextTooLong, OutOfMemory, RuntimeUnavailable, ThirdShiftError

if TYPE_CHECKING:
    from tasks.models.embedded.server import Address

PATIENCE = 600  # seconds without a token: a long prompt on a slow machine


class EngineChat(Chat, ChatOpenAI):
    """A chat model of the embedded engine."""

    def translated(self, error: Exception) -> ThirdShiftError | None:
        """Return our error for llama.cpp's."""
        if isinstance(error, openai.APIConnectionError | httpx.TransportError):
            return RuntimeUnavailable(
                "The embedded engine stopped answering.", "Ask again, or run `thirdshift up`."
            )
        message = str(error)
        if "exceed_context_size" in message or "context size" in message:
            return ContextTooLong(message, "Shorten the question, or raise models.context.")
        if "out of memory" in message or "failed to allocate" in message:
            return OutOfMemory(message, "Choose a smaller model, or lower models.context.")
        return None

    def knows_tools(self) -> bool:
        """Tell whether the model's template has a place for tools."""
        with self._ours():
            answer = self._http().get("/props").raise_for_status()
        return bool(answer.json().get("chat_template_caps", {}).get("supports_tools"))

    def _http(self) -> httpx.Client:
        assert isinstance(self.http_client, httpx.Client)
        return self.http_client

    def constrained(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return llama.cpp's own argument: OpenAI's is checked by a client that knows too much."""
        return {"extra_body": {"json_schema": schema}}


def engine_chat(
    address: "Address", temperature: float, max_tokens: int | None, schema: type[BaseModel] | None
) -> EngineChat:
    """Return the chat model for an engine's address."""
    return EngineChat(
        model=address.model,
        base_url=f"{address.url}/v1",
        api_key=SecretStr(address.key),
        temperature=temperature,
        max_completion_tokens=answer_limit(max_tokens),
        max_retries=0,  # a second try at a dead engine only delays the message
        stream_usage=True,
        use_responses_api=False,
        # Own clients: LangChain shares one per process, which breaks with a second event loop.
        http_client=address.client(PATIENCE),
        http_async_client=httpx.AsyncClient(trust_env=False, timeout=PATIENCE, verify=tls()),
        openai_proxy="",
        extra_body={"json_schema": schema.model_json_schema()} if schema else None,
    )
