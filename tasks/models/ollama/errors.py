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
    told = str(error)
    if isinstance(error, ConnectionError | httpx.TransportError):
        return RuntimeUnavailable("Ollama does not answer.", "Start it with `ollama serve`.")
    if "not found" in told and "model" in told:
        return ModelMissing(f"Ollama has no {model}.", f"Get it with `ollama pull {model}`.")
    if "does not support tools" in told:
        remedy = "Force the call with tool_choice, or choose a model that knows tools."
        return ToolsUnsupported(f"{model}'s template has no place for tools.", remedy)
    if "context length" in told or "context size" in told:
        return ContextTooLong(told, "Shorten the question, or raise models.context.")
    if "more system memory" in told or "out of memory" in told or "allocate" in told:
        return OutOfMemory(told, "Choose a smaller model, or lower models.context.")
    if "runner" in told or "unexpectedly stopped" in told:
        return RuntimeUnavailable(f"Ollama failed: {told}.", "Restart it with `ollama serve`.")
    return None
