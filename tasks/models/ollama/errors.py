"""Ollama's errors as ours."""

import httpx

from thirdshift.errors import (
    ContextTooLong,
    ModelMissing,
    OutOfMemory,
    RuntimeUnavailable,
    ThirdShiftError,
    ToolsUnsupported,
)


def translated(error: Exception, model: str) -> ThirdShiftError | None:
    """Return our error for Ollama's, or None where it is not known."""
    message = str(error)
    if isinstance(error, ConnectionError | httpx.TransportError):
        return RuntimeUnavailable("Ollama does not answer.", "Start it with `ollama serve`.")
    if "not found" in message and "model" in message:
        return ModelMissing(f"Ollama has no {model}.", f"Get it with `ollama pull {model}`.")
    if "does not support tools" in message:
        remedy = "Force the call with tool_choice, or choose a model that knows tools."
        return ToolsUnsupported(f"{model}'s template has no place for tools.", remedy)
    if "context length" in message or "context size" in message:
        return ContextTooLong(message, "Shorten the question, or raise models.context.")
    if "more system memory" in message or "out of memory" in message or "allocate" in message:
        return OutOfMemory(message, "Choose a smaller model, or lower models.context.")
    if "runner" in message or "unexpectedly stopped" in message:
        return RuntimeUnavailable(f"Ollama failed: {message}.", "Restart it with `ollama serve`.")
    return None
