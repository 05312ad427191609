"""Memory estimate of a training, reckoned before it starts."""

import json
import struct
import sys
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from tasks.learning.training.recipes import Recipe
from tasks.learning.training.records import Plan
from thirdshift.errors import ModelMissing
from thirdshift.records import Record

_PROCESS = 500_000_000  # Python with MLX and a tokenizer
_LOGITS = 4  # float32 copies: logits, their softmax, and both gradients
_SIZES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "U32": 4, "I32": 4, "U8": 1, "I8": 1}


class Need(Record):
    """Bytes of the parts; `activations` are those of all layers, `layer` those of one."""

    weights: int
    adapter: int
    logits: int
    activations: int
    layer: int
    boundary: int  # what gradient checkpointing keeps

    def total(self, gradient_checkpointing: bool) -> int:
        """Return all of it."""
        within = self.layer + self.boundary if gradient_checkpointing else self.activations
        return _PROCESS + self.weights + self.adapter + self.logits + within


def estimate(base: Path, recipe: Recipe, plan: Plan) -> Need:
    """Return what the largest batch of a plan takes with this model and recipe."""
    model = _config(base)
    width, inner = model["hidden_size"], model["intermediate_size"]
    heads = model["num_attention_heads"]
    layers, trained = model["num_hidden_layers"], recipe.layers or model["num_hidden_layers"]
    trained = min(layers, trained)
    cell = 4 if sys.platform == "linux" else 2  # bytes of a value; the CPU computes in float32
    # A layer keeps its inputs, normalised inputs, queries, keys, values, their rotations, the
    # outputs and the adapters' sums; the gate, what goes up and their products; the scores.
    per_cell = cell * (14 * width + 8 * inner + 3 * heads * plan.cells)
    cells = plan.rows * plan.cells
    return Need(
        weights=weights_bytes(base),
        adapter=trained * 4 * 4 * recipe.rank * (8 * width + 3 * inner),  # and Adam's two means
        logits=_LOGITS * 4 * plan.picks * model["vocab_size"],
        activations=cells * per_cell * trained,
        layer=2 * cells * per_cell,
        boundary=cells * cell * width * trained,
    )


def weights_bytes(base: Path) -> int:
    """Return the bytes of a model folder's weights as they are computed with.

    On Linux all become float32, quantised ones too (a uint32 holds 4 or 8 of them).
    """
    total = 0
    bits = _config(base).get("quantization", {}).get("bits", 0)
    for kind, count in _tensors(base):
        if sys.platform != "linux":
            total += count * _SIZES.get(kind, 4)
        elif kind == "U32" and bits:
            total += count * (32 // bits) * 4
        else:
            total += count * 4
    return total


def _tensors(base: Path) -> Iterator[tuple[str, int]]:
    """Yield type and number of values of each tensor, from the files' headers."""
    files = sorted(base.glob("*.safetensors"))
    if not files:
        raise ModelMissing(f"There are no weights in {base}.", "Name an MLX model folder.")
    for file in files:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length))
        for name, tensor in header.items():
            if name != "__metadata__":
                yield tensor["dtype"], prod(tensor["shape"])


def _config(base: Path) -> dict[str, Any]:
    file = base / "config.json"
    if not file.exists():
        raise ModelMissing(f"There is no model at {base}.", "Name an MLX model folder.")
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    config |= config.get("text_config", {})
    return config
