"""The runtime of this process, and structured answers from it.

Two runtimes obey one protocol: Ollama where a server answers, else the embedded llama.cpp.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from tasks.models.protocol import ModelRuntime, Tier
from thirdshift.errors import AnswerInvalid, explained
from thirdshift.settings import settings

if TYPE_CHECKING:  # LangChain and numpy take a while to load
    from langchain_core.language_models import LanguageModelInput

Structure = TypeVar("Structure", bound=BaseModel)


@cache
def runtime() -> ModelRuntime:
    """Return this process's runtime, as `models.runtime` says; auto takes Ollama if it answers."""
    from tasks.models.embedded.runtime import EmbeddedRuntime
    from tasks.models.ollama.runtime import OllamaRuntime, answers

    chosen = settings().models.runtime
    if chosen == "ollama" or (chosen == "auto" and answers()):
        return OllamaRuntime()
    return EmbeddedRuntime()


def structured(
    tier: Tier,
    schema: type[Structure],
    messages: "LanguageModelInput",
    *,
    max_tokens: int = 1024,
    **options: Any,
) -> Structure:
    """Structured output: ask for an answer of the schema's shape; options are those of `chat`.

    Raises AnswerInvalid where it was cut short, or fails a rule that a grammar cannot express.
    """
    model = runtime().chat(tier, schema=schema, max_tokens=max_tokens, **options)
    answer = str(model.invoke(messages).content)
    try:
        return schema.model_validate_json(answer)
    except ValidationError as error:
        what = f"The {tier}'s answer does not fit {schema.__name__}: {explained(error)}"
        raise AnswerInvalid(what, "Allow more tokens, or ask a larger model.") from error
