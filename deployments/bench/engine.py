"""Inference: how fast the sentinel reads a prompt and decodes an answer."""

import time
from typing import Any


def measure_engine(repeats: int) -> dict[str, Any]:
    """Time prompt reading and decoding; the prompt has five words for each of `repeats`."""
    from tasks.models.runtime import runtime

    chat = runtime().chat("sentinel", max_tokens=64)
    prompt = "Repeat these words: " + "river stone light paper cloud " * repeats
    chat.invoke("Hello")
    began, first, last, pieces = time.perf_counter(), 0.0, 0.0, 0
    for piece in chat.stream(f"{time.time()} {prompt}"):
        last = time.perf_counter()
        first = first or last
        pieces += bool(piece.text)
    words = len(prompt.split())
    return {
        "runtime": runtime().name,
        "billion parameters": round(runtime().billions("sentinel"), 3),
        "prompt words/s": round(words / (first - began), 1),
        "decode tokens/s": round((pieces - 1) / (last - first), 1),
    }
