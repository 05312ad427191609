"""LoRA adapters as mlx-lm writes them: which pairs of matrices, and what may be converted.

mlx-lm computes `y = W x + scale * (x a) b` with `a` (in, rank) and `b` (rank, out).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.learning.weights import mlx_setup
from tasks.learning.weights.architectures import architecture, permute
from tasks.models.gguf_layout import Layout
from thirdshift.errors import ModelMissing, ModelUnsupported

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS, CONFIG = "adapters.safetensors", "adapter_config.json"


@dataclass(frozen=True)
class Pair:
    """The two matrices of one module: a (in, rank) and b (rank, out), float32."""

    a: "NDArray[np.float32]"
    b: "NDArray[np.float32]"


@dataclass(frozen=True)
class Adapter:
    """An adapter's pairs by MLX module, e.g. `model.layers.0.self_attn.q_proj`."""

    pairs: dict[str, Pair]
    rank: int
    scale: float


def read(folder: Path) -> Adapter:
    """Read an adapter folder of mlx-lm.

    Raises ModelMissing where a file is, ModelUnsupported for DoRA, full weights, experts, and
    keys that are no LoRA pair.
    """
    try:
        told = json.loads((folder / CONFIG).read_text("utf-8"))
        arrays = mlx_setup.prepare().load(str(folder / WEIGHTS))
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelMissing(f"There is no adapter in {folder}: {error}.") from error
    kind = told.get("fine_tune_type", "lora")
    if kind != "lora":
        raise ModelUnsupported(f"{kind} adapters are not converted.", "Train with lora.")
    setting = told["lora_parameters"]
    pairs = {name: _pair(arrays, name) for name in _modules(arrays)}
    ranks = {pair.a.shape[1] for pair in pairs.values()}
    if ranks != {int(setting["rank"])}:
        raise ModelUnsupported(f"The adapter's rank is {setting['rank']}, its matrices' {ranks}.")
    return Adapter(pairs, int(setting["rank"]), float(setting["scale"]))


def _modules(arrays: Any) -> list[str]:
    found = set()
    for key in arrays:
        module, _, part = key.rpartition(".")
        if part not in {"lora_a", "lora_b"}:
            raise ModelUnsupported(f"{key} is not part of a LoRA pair.", "Train with lora.")
        found.add(module)
    return sorted(found)


def _pair(arrays: Any, module: str) -> Pair:
    import numpy as np

    found = [arrays.get(f"{module}.{part}") for part in ("lora_a", "lora_b")]
    if any(one is None or one.ndim != 2 for one in found):
        raise ModelUnsupported(f"{module} has no pair of matrices; experts are not converted.")
    a, b = (np.array(one.astype(mlx_setup.prepare().float32)) for one in found)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ModelUnsupported(f"{module} holds numbers that are none: its training diverged.")
    return Pair(a, b)


def tensors(adapter: Adapter, base: Layout) -> dict[str, Pair]:
    """Return the pairs by GGUF tensor, their rows out in llama.cpp's order.

    Raises ModelUnsupported naming a module that the base lacks or that has another shape.
    """
    kind = architecture(base.keys)
    found = {}
    for module, pair in adapter.pairs.items():
        name = f"{kind.tensor(module)}.weight"
        shape = (pair.b.shape[1], pair.a.shape[0])
        if name not in base.tensors or base.tensors[name].shape != shape:
            raise ModelUnsupported(f"{module} {shape} does not fit the base's {name}.")
        heads = kind.heads(name, base.keys)
        rows = pair.b.T
        found[name] = Pair(pair.a, (permute(rows, heads) if heads else rows).T)
    return found
