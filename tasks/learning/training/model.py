"""The model that is trained: loaded, checked for packing, an adapter attached, its optimizer.

This module loads MLX: call `mlx_setup.prepare` first.
"""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import dequantize_model, load_model

from tasks.learning.training.checkpoint import ADAPTER, CONFIG
from tasks.learning.training.data import Tokens
from tasks.learning.training.losses import Losses, pick_trained
from tasks.learning.training.packing import batch
from tasks.learning.training.recipes import Recipe
from thirdshift.errors import SettingsInvalid

ONE_ROW = 1 << 30  # as many cells as it takes

_TOLERANCE = 2e-3  # of a log-probability, relative; bfloat16 would round away more
_PROBE_ROW = 32  # cells


def load(base: Path) -> nn.Module:
    """Return a frozen model whose logits are made only where they are trained.

    Without a GPU it becomes float32: other types are many times slower there.
    """
    model, _ = load_model(base, lazy=True)
    if not mx.metal.is_available():
        dequantize_model(model)
        model.set_dtype(mx.float32)
    model.freeze()
    pick_trained(model)
    return model


def row_length(model: nn.Module, recipe: Recipe) -> int:
    """Return about how many cells a row may have: the recipe's, any number, or 0: do not pack.

    Examples side by side cost the model what they do alone where its positions are relative
    and it honours a mask. That is tried on the very model; gemma2's attention takes one row
    (docs/log.md, 2026-11-24 "Training: what packing and resuming change").
    """
    if not recipe.pack:
        return 0
    apart = _likely(model, 0)
    for row, probe in ((recipe.pack_tokens, _PROBE_ROW), (ONE_ROW, ONE_ROW)):
        try:
            together = _likely(model, probe)
        except ValueError:  # shapes that do not fit
            continue
        allowed = _TOLERANCE if _is_float32(model) else 20 * _TOLERANCE
        if all(abs(a - b) <= allowed * abs(b) for a, b in zip(together, apart, strict=True)):
            return row
    return 0


def _likely(model: nn.Module, row: int) -> list[float]:
    """Return the log-probabilities of made-up examples whose rows differ from one another."""
    probes = [
        Tokens([(cell * size) % 97 + 1 for cell in range(size)], 1) for size in (24, 5, 19, 11, 16)
    ]
    arrays = [mx.array(array) for array in batch(probes, row)]
    likely: Any = Losses(row == 0).log_probabilities(model, len(probes), *arrays).tolist()
    return list(likely)


def attach(model: nn.Module, recipe: Recipe, start: Path | None) -> dict[str, Any]:
    """Attach an adapter, drawn by the recipe's seed or taken from `start`; return its config.

    An adapter to start from keeps its own layers, rank and modules. Raises SettingsInvalid
    where the recipe's modules are none of the model's.
    """
    mx.random.seed(recipe.seed)
    config = _config(recipe, len(model.layers))
    if start:
        config = json.loads((start / CONFIG).read_text(encoding="utf-8"))
        config["lora_parameters"]["dropout"] = recipe.dropout
    wanted = config["lora_parameters"]
    linear_to_lora_layers(model, config["num_layers"], wanted)
    if start:
        model.load_weights(str(start / ADAPTER), strict=False)
    adapted = modules(model)
    if not adapted or missing(wanted.get("keys"), adapted):
        known = ", ".join(linear_modules(model))
        what = f"modules = {recipe.modules} are not all linear modules of this model."
        raise SettingsInvalid(what, f"It has: {known}.")
    wanted["keys"] = adapted
    mx.eval(model.parameters())
    return config


def modules(model: nn.Module) -> list[str]:
    """Return which modules of a layer carry an adapter, e.g. `self_attn.q_proj`."""
    names = (name.split(".") for name, _ in tree_flatten(model.trainable_parameters()))
    return sorted({".".join(parts[parts.index("layers") + 2 : -1]) for parts in names})


def linear_modules(model: nn.Module) -> list[str]:
    """Return the linear modules of a layer."""
    kinds = (nn.Linear, nn.QuantizedLinear)
    modules = model.layers[-1].named_modules()
    return sorted(name for name, module in modules if isinstance(module, kinds))


def missing(wanted: list[str] | None, adapted: list[str]) -> set[str]:
    """Return the wanted modules that got no adapter."""
    return set(wanted or ()) - set(adapted)


def optimizer(recipe: Recipe, iterations: int) -> optim.Optimizer:
    """Return AdamW with the recipe's learning rates over so many iterations."""
    steps = max(iterations // recipe.accumulate, 1)
    warm = round(recipe.warmup * steps)
    top = recipe.learning_rate
    after = optim.cosine_decay(top, max(steps - warm, 1)) if recipe.schedule == "cosine" else None
    rates = after or (lambda step: mx.array(top))
    if warm:
        # The first step has a rate too: at 0 it would do nothing.
        rates = optim.join_schedules([optim.linear_schedule(top / warm, top, warm), rates], [warm])
    return optim.AdamW(learning_rate=rates, weight_decay=recipe.weight_decay)


def _config(recipe: Recipe, layers: int) -> dict[str, Any]:
    """Return mlx-lm's adapter_config; its `scale` is what other tools call alpha / rank."""
    wanted = {"rank": recipe.rank, "scale": recipe.scale, "dropout": recipe.dropout}
    return {
        "fine_tune_type": "lora",
        "num_layers": min(recipe.layers or layers, layers),
        "lora_parameters": wanted | {"keys": recipe.modules or None},
    }


def _is_float32(model: nn.Module) -> bool:
    return all(value.dtype == mx.float32 for _, value in tree_flatten(model.parameters()))
