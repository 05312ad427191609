"""Log-probabilities of llama.cpp without its roundings, and of MLX, for the same tokens."""

from pathlib import Path

import numpy as np
import xllamacpp
from numpy.typing import NDArray

from tasks import mlx_runtime
from tasks.embedded import Address

Logprobs = NDArray[np.float32]


def served(
    gguf: Path, prompt: list[int], count: int, adapter: Path | None = None
) -> tuple[list[int], Logprobs]:
    """Return llama.cpp's `count` greedy tokens, and each place's log-probabilities (count, words).

    The cache is float32 and attention is not fused: both would round to 16 bits.
    """
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
    asked = {"prompt": prompt, "n_predict": count, "temperature": 0, "n_probs": 100_000}
    with address.client(120) as client:
        told = client.post("/completion", json=asked | {"ignore_eos": True}).json()
    del server
    places = told["completion_probabilities"]
    rows = np.zeros((len(places), len(places[0]["top_logprobs"])), np.float32)
    for row, place in zip(rows, places, strict=True):
        for one in place["top_logprobs"]:
            row[one["id"]] = one["logprob"]
    return [place["id"] for place in places], rows


def computed(
    folder: Path, prompt: list[int], answer: list[int], adapter: Path | None = None
) -> Logprobs:
    """Return MLX's log-probabilities (len(answer), words) of each place of the answer."""
    mx = mlx_runtime.prepare()
    from mlx_lm.utils import load_adapters, load_model

    model, _ = load_model(folder)
    if adapter:
        model = load_adapters(model, str(adapter))
    model.eval()
    logits = model(mx.array([prompt + answer]))[0].astype(mx.float32)
    logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    return np.array(logprobs)[len(prompt) - 1 : -1]


def differences(
    gguf: Path,
    folder: Path,
    served_adapter: Path | None = None,
    adapter: Path | None = None,
) -> tuple[float, float]:
    """Return the mean and the largest |difference| over 12 places and their likely words."""
    prompt = [int(one) for one in np.random.default_rng(1).integers(20, 500, 24)]
    answer, theirs = served(gguf, prompt, 12, served_adapter)
    ours = computed(folder, prompt, answer, adapter)
    likely = theirs > -20
    off = np.abs(ours - theirs)[likely]
    return float(off.mean()), float(off.max())
