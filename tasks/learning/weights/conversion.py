"""Conversion of base weights: the served GGUF as a model folder that mlx-lm trains on.

The folder holds the very numbers that are served, so that what was learnt on it can be merged
into the GGUF again. Whatever cannot be mapped is refused by name.
"""

import json
import os
import shutil
from collections.abc import Iterator
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from tasks.learning.weights import mlx_setup, vocabulary
from tasks.learning.weights.architectures import (
    ROPE_FACTORS,
    Architecture,
    architecture,
    configuration,
    llama3_scaling,
    unpermute,
)
from tasks.learning.weights.quantisation import (
    GROUP,
    dequantised,
    is_exact,
    packed,
)
from tasks.learning.weights.token_check import check_tokens
from tasks.machine import disk
from tasks.machine.disk import ensure_room, whole_folder, write_whole
from tasks.models.gguf_layout import Layout, Tensor, layout
from thirdshift.errors import ModelUnsupported
from thirdshift.settings import settings

Form = Literal["float32", "bfloat16", "packed"]
SHARD = 2 << 30  # bytes held in memory before they are written


def mlx_folder(gguf: Path, form: Form | None = None) -> Path:
    """Return the MLX model folder of a GGUF, made once and kept by the file's content.

    By default its form is what trains best here: float32 on a CPU; on Apple's GPU packed where
    MLX can hold the file's types without loss, else bfloat16. Raises ModelUnsupported.
    """
    form = form or natural_form(gguf)
    target = settings().models_path / "mlx" / f"{content(gguf)[:16]}-{form}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if not target.exists():
            for rest in target.parent.glob(f"{target.name}.*.part"):  # of one that was killed
                shutil.rmtree(rest)
            with whole_folder(target, durable=True) as part:
                convert(gguf, part, form)
        os.utime(target)  # what nothing uses for long is swept away
    return target


def natural_form(gguf: Path) -> Form:
    """Return the form in which this machine trains a GGUF best."""
    if not mlx_setup.prepare().metal.is_available():
        return "float32"
    matrices = [tensor for tensor in layout(gguf).tensors.values() if len(tensor.shape) > 1]
    exact = sum(prod(matrix.shape) for matrix in matrices if is_exact(matrix.kind.name))
    numbers = sum(prod(matrix.shape) for matrix in matrices)
    return "packed" if exact * 2 > numbers else "bfloat16"


def content(gguf: Path) -> str:
    """Return the SHA-256 of a file, computed once per process for a file that does not change."""
    stat = gguf.stat()
    return _digest(gguf, stat.st_size, stat.st_mtime_ns)


@cache
def _digest(gguf: Path, _size: int, _modified: int) -> str:
    return disk.sha256(gguf)


def convert(gguf: Path, folder: Path, form: Form) -> None:
    """Write a GGUF as an MLX model folder."""
    source = layout(gguf)
    keys = source.keys
    kind = architecture(keys)
    folder.mkdir(parents=True, exist_ok=True)
    ensure_room(folder, _estimate(source, form))
    vocabulary.write(keys, folder)
    config = configuration_of(source) | {"eos_token_id": vocabulary.ends(keys)}
    sizes = _write_weights(source, kind, form, folder)
    if sizes:
        config["quantization"] = {"group_size": GROUP, "bits": 4} | sizes
    write_whole(folder / "config.json", json.dumps(config, indent=2))
    _check_loads(folder, gguf)
    check_tokens(keys, folder)


def _estimate(source: Layout, form: Form) -> int:
    """Return at most how many bytes the weights will take."""
    if form == "packed":
        return 2 * sum(tensor.size for tensor in source.tensors.values())
    numbers = sum(prod(tensor.shape) for tensor in source.tensors.values())
    return numbers * (2 if form == "bfloat16" else 4)


def configuration_of(source: Layout) -> dict[str, Any]:
    """Return mlx-lm's config.json for a GGUF."""
    shapes = {name: tensor.shape for name, tensor in source.tensors.items()}
    config = configuration(source.keys, shapes)
    if factors := source.tensors.get(ROPE_FACTORS):
        numbers = dequantised(factors.data, factors.kind)
        config["rope_scaling"] = llama3_scaling(numbers, config["rope_theta"])
    return config


def _write_weights(
    source: Layout, kind: Architecture, form: Form, folder: Path
) -> dict[str, dict[str, int]]:
    """Write shards, and return the bits of each packed module."""
    mx = mlx_setup.prepare()
    sizes: dict[str, dict[str, int]] = {}
    shard: dict[str, Any] = {}

    def flush() -> None:
        name = f"model-{len(list(folder.glob('model*'))) + 1:05d}.safetensors"
        mx.save_safetensors(str(folder / name), shard, metadata={"format": "mlx"})
        shard.clear()

    for tensor in source.tensors.values():
        if tensor.name != ROPE_FACTORS:
            shard |= _arrays(tensor, kind, source.keys, form, sizes)
        if sum(array.nbytes for array in shard.values()) > SHARD:
            flush()
    flush()
    return sizes


def _arrays(
    tensor: Tensor,
    kind: Architecture,
    keys: dict[str, Any],
    form: Form,
    sizes: dict[str, dict[str, int]],
) -> Iterator[tuple[str, Any]]:
    """Yield one tensor's arrays in MLX's layout."""
    mx = mlx_setup.prepare()
    name, heads = kind.module(tensor.name), kind.heads(tensor.name, keys)
    data = unpermute(tensor.data, heads) if heads else tensor.data
    if form == "packed" and is_exact(tensor.kind.name):
        words, scales, biases, bits = packed(data, tensor.kind.name)
        module = name.removesuffix(".weight")
        sizes[module] = {"group_size": GROUP, "bits": bits}
        yield name, mx.array(words)
        yield f"{module}.scales", mx.array(scales)
        yield f"{module}.biases", mx.array(biases)
    else:
        numbers = dequantised(data, tensor.kind) - kind.is_shifted(tensor.name)
        yield name, mx.array(numbers).astype(mx.bfloat16 if form == "bfloat16" else mx.float32)


def _check_loads(folder: Path, gguf: Path) -> None:
    """Let mlx-lm match names and shapes; nothing is read yet."""
    from mlx_lm.utils import load_model

    try:
        load_model(folder, lazy=True)
    except ValueError as error:
        raise ModelUnsupported(f"mlx-lm does not take {gguf.name}: {error}") from error
