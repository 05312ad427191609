"""The chat models a runtime hands out: LangChain's, with our errors and with forced tool calls.

A tool call a model makes of its own accord needs a template that knows tools. A forced one
(`tool_choice` "required", "any" or a name) is a schema-constrained answer, so any model can.
"""

import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any
from uuid import uuid4

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    SystemMessage,
    convert_to_messages,
)
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.utils.function_calling import convert_to_openai_tool

from thirdshift.errors import AnswerInvalid, ThirdShiftError, ToolsUnsupported
from thirdshift.settings import settings

CALL = "Call one of these functions, with arguments that serve the last message:\n"


class Chat(BaseChatModel):
    """Mixed in before a LangChain model, so that its calls raise our errors."""

    @abstractmethod
    def translated(self, error: Exception) -> ThirdShiftError | None:
        """Return our error for the server's, or None where it is not known."""

    @abstractmethod
    def knows_tools(self) -> bool:
        """Tell whether the model's template has a place for tools."""

    @abstractmethod
    def constrained(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the call's arguments that hold an answer to a JSON schema."""

    def check(self, message: BaseMessage) -> None:
        """Refuse an answer that the server should not have given."""

    @contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except ThirdShiftError:
            raise
        except Exception as error:
            ours = self.translated(error)
            if ours is None:
                raise
            raise ours from error

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        with self._ours():
            result = super()._generate(messages, *args, **kwargs)  # type: ignore[safe-super]
            self.check(result.generations[0].message)
            return result

    def _stream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        with self._ours():
            for chunk in super()._stream(messages, *args, **kwargs):
                self.check(chunk.message)
                yield chunk

    async def _agenerate(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> ChatResult:
        with self._ours():
            result = await super()._agenerate(messages, *args, **kwargs)
            self.check(result.generations[0].message)
            return result

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        chunks = super()._astream(messages, *args, **kwargs)
        with self._ours():
            async with aclosing(chunks):  # type: ignore[type-var]
                async for chunk in chunks:
                    self.check(chunk.message)
                    yield chunk

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools; a forced `tool_choice` works with every model.

        Raises ToolsUnsupported where the model's template has no place for tools.
        """
        if tool_choice not in (None, False, "auto", "none"):
            return self._forced(tools, tool_choice)
        if not self.knows_tools():
            raise ToolsUnsupported(
                "This model's template has no place for tools.",
                "Force the call with tool_choice, or choose a model that knows tools.",
            )
        return super().bind_tools(tools, **kwargs)

    def _forced(self, tools: Sequence[Any], choice: Any) -> Runnable[LanguageModelInput, AIMessage]:
        functions = [convert_to_openai_tool(tool)["function"] for tool in tools]
        name = _name(choice)
        allowed = [function for function in functions if function["name"] == name] or functions

        def shown(prompt: LanguageModelInput) -> list[BaseMessage]:
            lines = (json.dumps(function, ensure_ascii=False) for function in allowed)
            return _with_system(_messages(prompt), CALL + "\n".join(lines))

        schema = {"anyOf": [_call_schema(function) for function in allowed]}
        model = self.bind(**self.constrained(schema))
        return RunnableLambda(shown) | model | RunnableLambda(_as_call)


def _name(choice: Any) -> str:
    if isinstance(choice, dict):
        return str(choice.get("function", {}).get("name"))
    return str(choice)


def _call_schema(function: dict[str, Any]) -> dict[str, Any]:
    fields = {"name": {"const": function["name"]}, "arguments": function["parameters"]}
    return {"type": "object", "properties": fields, "required": list(fields)}


def _messages(prompt: LanguageModelInput) -> list[BaseMessage]:
    if isinstance(prompt, PromptValue):
        return prompt.to_messages()
    return convert_to_messages([prompt] if isinstance(prompt, str) else prompt)


def _with_system(messages: list[BaseMessage], text: str) -> list[BaseMessage]:
    """Return the messages with the text in the one system message that templates expect."""
    if messages and isinstance(messages[0], SystemMessage):
        first, messages = messages[0], messages[1:]
        text = f"{first.content}\n\n{text}"
    return [SystemMessage(text), *messages]


def _as_call(answer: AIMessage) -> AIMessage:
    try:
        call = json.loads(str(answer.content))
    except json.JSONDecodeError as error:
        raise AnswerInvalid("The tool call was cut short.", "Allow more tokens.") from error
    called = {"name": call["name"], "args": call["arguments"], "id": uuid4().hex}
    return answer.model_copy(
        update={"content": "", "tool_calls": [{**called, "type": "tool_call"}]}
    )


def answer_limit(max_tokens: int | None) -> int:
    """Return how many tokens an answer may have."""
    return max_tokens or settings().models.context // 4
