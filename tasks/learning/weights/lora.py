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
class LoraPair:
    """The two matrices of one module: a (in, rank) and b (rank, out), float32."""

    a: "NDArray[np.float32]"
    b: "NDArray[np.float32]"


@dataclass(frozen=True)
class Adapter:
    """An adapter's pairs by MLX module, e.g. `model.layers.0.self_attn.q_proj`."""

    pairs: dict[str, LoraPair]
    rank: int
    scale: float


def read_adapter(folder: Path) -> Adapter:
    """Read an adapter folder of mlx-lm.

    Raises ModelMissing where a file is, ModelUnsupported for DoRA, full weights, experts, and
    keys that are no LoRA pair.
    """
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        arrays = mlx_setup.prepare().load(str(folder / WEIGHTS))
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelMissing(f"There is no adapter in {folder}: {error}.") from error
    kind = config.get("fine_tune_type", "lora")
    if kind != "lora":
        raise ModelUnsupported(f"{kind} adapters are not converted.", "Train with lora.")
    setting = config["lora_parameters"]
    pairs = {name: _pair(arrays, name) for name in _modules(arrays)}
    ranks = {pair.a.shape[1] for pair in pairs.values()}
    if ranks != {int(setting["rank"])}:
        raise ModelUnsupported(f"The adapter's rank is {setting['rank']}, its matrices' {ranks}.")
    return Adapter(pairs, int(setting["rank"]), float(setting["scale"]))


def _modules(arrays: Any) -> list[str]:
    modules = set()
    for key in arrays:
        module, _, part = key.rpartition(".")
        if part not in {"lora_a", "lora_b"}:
            raise ModelUnsupported(f"{key} is not part of a LoRA pair.", "Train with lora.")
        modules.add(module)
    return sorted(modules)


def _pair(arrays: Any, module: str) -> LoraPair:
    import numpy as np

    matrices = [arrays.get(f"{module}.{part}") for part in ("lora_a", "lora_b")]
    if any(matrix is None or matrix.ndim != 2 for matrix in matrices):
        raise ModelUnsupported(f"{module} has no pair of matrices; experts are not converted.")
    a, b = (np.array(matrix.astype(mlx_setup.prepare().float32)) for matrix in matrices)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ModelUnsupported(f"{module} holds numbers that are none: its training diverged.")
    return LoraPair(a, b)


def pairs_by_tensor(adapter: Adapter, base: Layout) -> dict[str, LoraPair]:
    """Return the pairs by GGUF tensor, their rows out in llama.cpp's order.

    Raises ModelUnsupported naming a module that the base lacks or that has another shape.
    """
    kind = architecture(base.keys)
    pairs = {}
    for module, pair in adapter.pairs.items():
        name = f"{kind.tensor(module)}.weight"
        shape = (pair.b.shape[1], pair.a.shape[0])
        if name not in base.tensors or base.tensors[name].shape != shape:
            raise ModelUnsupported(f"{module} {shape} does not fit the base's {name}.")
        heads = kind.heads(name, base.keys)
        rows = pair.b.T
        pairs[name] = LoraPair(pair.a, (permute(rows, heads) if heads else rows).T)
    return pairs
