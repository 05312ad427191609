"""Tiny random models of each architecture, written as llama.cpp's own converter lays them out."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tasks.learning.weights import mlx_setup
from tasks.models.embedded.files import built_in
from tasks.models.gguf_layout import layout

HIDDEN, WIDTH, HEADS, KV_HEADS, INNER, CONTEXT = 64, 32, 4, 2, 96, 256
WORDS = 512
PRE = {"qwen2": "qwen2", "qwen3": "qwen2", "llama31": "llama-bpe", "mistral": "tekken"}


def vocabulary(words: int = WORDS) -> dict[str, Any]:
    """Return the tokenizer's keys of the built-in model, cut to its first words."""
    keys = {k: v for k, v in layout(built_in()).keys.items() if k.startswith("tokenizer.")}
    tokens = keys["tokenizer.ggml.tokens"][:words]
    kept = set(tokens)
    merges = [pair.split(" ") for pair in keys["tokenizer.ggml.merges"]]
    merges = [" ".join(p) for p in merges if {p[0], p[1], p[0] + p[1]} <= kept]
    cut = {"tokens": tokens, "merges": merges}
    cut["token_type"] = keys["tokenizer.ggml.token_type"][:words]
    return keys | {f"tokenizer.ggml.{name}": value for name, value in cut.items()}


def write(
    file: Path,
    name: str,
    keys: dict[str, Any] | None = None,
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    layers: int = 2,
    seed: int = 0,
) -> Path:
    """Write a random model; `name` is one of the five architectures, "mistral" or "llama31"."""
    arch = {"mistral": "llama", "llama31": "llama"}.get(name, name)
    keys = keys or vocabulary() | {"tokenizer.ggml.pre": PRE.get(name, "smollm")}
    writer, random = gguf.GGUFWriter(file, arch), np.random.default_rng(seed)
    heads_width = HIDDEN // HEADS if name in {"llama", "qwen2", "llama31"} else WIDTH
    _add_keys(writer, name, layers, heads_width)
    _add_vocabulary(writer, keys)
    words = len(keys["tokenizer.ggml.tokens"])
    for tensor, shape in shapes(name, layers, heads_width, words).items():
        scale = 1.0 if tensor == "token_embd.weight" else shape[-1] ** -0.5
        numbers = random.normal(0, scale, shape).astype(np.float32)
        if "norm" in tensor:
            numbers = 1 + 0.1 * numbers
        if len(shape) == 1:
            writer.add_tensor(tensor, numbers)
        else:
            writer.add_tensor(tensor, gguf.quantize(numbers, kind), raw_dtype=kind)
    if name == "llama31":
        writer.add_tensor("rope_freqs.weight", llama31_factors(heads_width))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def shapes(name: str, layers: int, width: int, words: int) -> dict[str, tuple[int, ...]]:
    query, kept = HEADS * width, KV_HEADS * width
    layer: dict[str, tuple[int, ...]] = {
        "attn_norm.weight": (HIDDEN,),
        "attn_q.weight": (query, HIDDEN),
        "attn_k.weight": (kept, HIDDEN),
        "attn_v.weight": (kept, HIDDEN),
        "attn_output.weight": (HIDDEN, query),
        "ffn_norm.weight": (HIDDEN,),
        "ffn_gate.weight": (INNER, HIDDEN),
        "ffn_up.weight": (INNER, HIDDEN),
        "ffn_down.weight": (HIDDEN, INNER),
    }
    if name == "qwen2":
        layer |= {"attn_q.bias": (query,), "attn_k.bias": (kept,), "attn_v.bias": (kept,)}
    if name in {"qwen3", "gemma3"}:
        layer |= {"attn_q_norm.weight": (width,), "attn_k_norm.weight": (width,)}
    if name.startswith("gemma"):
        layer |= {"post_attention_norm.weight": (HIDDEN,), "post_ffw_norm.weight": (HIDDEN,)}
    whole = {f"blk.{n}.{key}": shape for n in range(layers) for key, shape in layer.items()}
    ends: dict[str, tuple[int, ...]] = {"token_embd.weight": (words, HIDDEN)}
    ends["output_norm.weight"] = (HIDDEN,)
    if name in {"mistral", "qwen2"}:
        ends["output.weight"] = (words, HIDDEN)
    return ends | whole


def llama31_factors(width: int) -> "np.ndarray[Any, Any]":
    """Return the divisors as convert_hf_to_gguf.py writes them for Llama 3.1."""
    factors = []
    for frequency in 1 / 500_000.0 ** (np.arange(0, width, 2) / width):
        wave = 2 * np.pi / frequency
        if wave < 8192 / 4:
            factors.append(1.0)
        elif wave > 8192 / 1:
            factors.append(8.0)
        else:
            smooth = (8192 / wave - 1) / (4 - 1)
            factors.append(1 / ((1 - smooth) / 8 + smooth))
    return np.array(factors, np.float32)


def _add_keys(writer: gguf.GGUFWriter, name: str, layers: int, width: int) -> None:
    writer.add_name(f"tiny {name}")
    writer.add_block_count(layers)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base({"llama31": 500_000.0, "gemma3": 1e6}.get(name, 10_000.0))
    if width != HIDDEN // HEADS:
        writer.add_key_length(width)
        writer.add_value_length(width)
    if name in {"llama", "mistral", "llama31"}:
        writer.add_rope_dimension_count(width)
    if name == "gemma2":
        writer.add_attn_logit_softcapping(50.0)
        writer.add_final_logit_softcapping(30.0)
        writer.add_sliding_window(4096)
    if name == "gemma3":
        writer.add_sliding_window(8)


def _add_vocabulary(writer: gguf.GGUFWriter, keys: dict[str, Any]) -> None:
    ints = gguf.GGUFValueType.INT32
    kinds = {bool: gguf.GGUFValueType.BOOL, str: gguf.GGUFValueType.STRING}
    kinds[float] = gguf.GGUFValueType.FLOAT32
    for key, value in keys.items():
        first = value[0] if isinstance(value, list) else value
        kind = kinds.get(type(first), gguf.GGUFValueType.UINT32 if key.endswith("_id") else ints)
        if isinstance(value, list):
            writer.add_key_value(key, value, gguf.GGUFValueType.ARRAY, kind)
        else:
            writer.add_key_value(key, value, kind)


def adapter(folder: Path, target: Path, seed: int = 0, **changes: Any) -> Path:
    """Attach LoRA to a converted model as mlx-lm does, at random, and save it as mlx-lm does."""
    mx = mlx_setup.prepare()
    from mlx.utils import tree_flatten
    from mlx_lm.tuner.utils import linear_to_lora_layers
    from mlx_lm.utils import load_model

    mx.random.seed(seed)
    model, _ = load_model(folder)
    model.freeze()
    setting = {"rank": 4, "scale": 2.0, "dropout": 0.0}
    linear_to_lora_layers(model, len(model.layers), setting)
    arrays = {
        name: mx.random.normal(array.shape) * 0.1
        for name, array in tree_flatten(model.trainable_parameters())
    }
    target.mkdir(parents=True, exist_ok=True)
    mx.save_safetensors(str(target / "adapters.safetensors"), arrays)
    told = {"fine_tune_type": "lora", "num_layers": len(model.layers), "lora_parameters": setting}
    (target / "adapter_config.json").write_text(json.dumps(told | changes))
    return target
