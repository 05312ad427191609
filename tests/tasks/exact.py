"""Log-probabilities of llama.cpp without its roundings, and of MLX, for the same tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import xllamacpp

from tasks.learning.weights import mlx_setup
from tasks.models.embedded.server import Address
from tasks.models.gguf_layout import layout


@contextmanager
def serving(gguf: Path, adapter: Path | None = None) -> Iterator[httpx.Client]:
    """Serve a GGUF with a float32 cache and plain attention: both else round to 16 bits."""
    params = xllamacpp.CommonParams()
    params.model.path, params.hostnames, params.port = str(gguf), ["127.0.0.1"], 0
    params.n_ctx, params.ui, params.verbosity, params.n_parallel = 512, False, -1, 1
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    fused = xllamacpp.llama_flash_attn_type
    params.flash_attn_type = fused.LLAMA_FLASH_ATTN_TYPE_DISABLED
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads, threads.poll = 1, 0
    if adapter:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
    server = xllamacpp.Server(params)
    address = Address(model="exact", url=server.listening_address, key="-", bytes=0)
    with address.client(120) as client:
        yield client
    del server


def tokens(gguf: Path) -> list[int]:
    """Return 24 tokens of any kind and 8 that are letters."""
    words = layout(gguf).keys["tokenizer.ggml.tokens"]
    letters = [number for number, word in enumerate(words) if word.isascii() and word.isalpha()]
    random = np.random.default_rng(1)
    mixed = random.integers(20, 500, 24)
    return [int(one) for one in (*mixed, *random.choice(letters, 8))]


def served_logprobs(
    client: httpx.Client, given: list[int], place: int, top: int
) -> dict[int, float]:
    """Return llama.cpp's likeliest tokens after given[:place], before any sampling.

    The next token is forced: llama.cpp tells nothing of a token that is half a character.
    """
    forced = [[given[place], 1e6]]
    asked = {"prompt": given[:place], "n_predict": 1, "n_probs": top, "logit_bias": forced}
    answer = client.post("/completion", json=asked | {"temperature": 0}).raise_for_status()
    told = answer.json()["completion_probabilities"][0]["top_logprobs"]
    return {one["id"]: one["logprob"] for one in told}


def trained_logprobs(model: Any, given: list[int]) -> Any:
    """Return MLX's log-probabilities (len(given), words); row i is of the token after i."""
    mx = mlx_setup.prepare()
    logits = model(mx.array([given]))[0].astype(mx.float32)
    return np.array(logits - mx.logsumexp(logits, axis=-1, keepdims=True))


def differences(
    gguf: Path,
    folder: Path,
    served_adapter: Path | None = None,
    adapter: Path | None = None,
) -> tuple[float, float]:
    """Return the mean and the largest |difference| over 8 places and their likely tokens."""
    mlx_setup.prepare()
    from mlx_lm.utils import load_adapters, load_model

    model, _ = load_model(folder)
    if adapter:
        model = load_adapters(model, str(adapter))
    model.eval()
    given = tokens(gguf)
    ours, off = trained_logprobs(model, given), []
    with serving(gguf, served_adapter) as client:
        for place in range(24, len(given)):
            theirs = served_logprobs(client, given, place, top=400)
            assert theirs
            off += [abs(ours[place - 1, n] - logprob) for n, logprob in theirs.items()]
    return float(np.mean(off)), float(np.max(off))
