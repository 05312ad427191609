"""Checkpoints of a training, and the adapter in the end: each is whole, or not there.

This module loads MLX: call `mlx_setup.prepare` first.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten, tree_unflatten

from tasks.learning.training.records import History, Manifest
from tasks.machine.disk import whole_file, whole_folder, write_whole

ADAPTER = "adapters.safetensors"
CONFIG = "adapter_config.json"
MANIFEST = "manifest.json"


class Checkpoint:
    """Adapter, optimizer and history of a training in one file.

    The order of the data needs no saving: it follows from seed and iteration.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "state.safetensors"

    def save(self, model: Any, optimizer: Any, history: History) -> None:
        """Replace what was saved."""
        tensors = _flat("adapter", model.trainable_parameters()) | _flat("opt", optimizer.state)
        _save(self._file, tensors, {"history": history.model_dump_json()})

    def load(self, model: Any, optimizer: Any) -> History:
        """Bring model and optimizer to where they were, and return the history so far."""
        if not self._file.exists():
            return History()
        loaded: Any = mx.load(str(self._file), return_metadata=True)
        tensors, metadata = loaded
        model.update(_nested("adapter", tensors))
        optimizer.state = _nested("opt", tensors)
        history = History.model_validate_json(metadata["history"])
        history.resumed += 1
        return history

    def clear(self) -> None:
        """Forget it: the work is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


def write_adapter(out: Path, model: Any, config: dict[str, Any], manifest: Manifest) -> None:
    """Write an adapter as mlx-lm reads it, with its manifest: the folder appears at once."""
    tensors = dict(tree_flatten(model.trainable_parameters()))
    with whole_folder(out, durable=True) as part:
        mx.save_safetensors(str(part / ADAPTER), tensors)
        write_whole(part / CONFIG, json.dumps(config, indent=2))
        write_whole(part / MANIFEST, manifest.model_dump_json(indent=2))


def _save(file: Path, tensors: dict[str, mx.array], metadata: dict[str, str]) -> None:
    with whole_file(file, durable=True) as part, part.open("wb") as stream:
        target: Any = stream  # by a name MLX would write to one that ends in .safetensors
        mx.save_safetensors(target, tensors, metadata)


def _flat(name: str, tree: Any) -> dict[str, mx.array]:
    return {f"{name}.{key}": value for key, value in tree_flatten(tree)}


def _nested(name: str, tensors: dict[str, mx.array]) -> Any:
    prefix = f"{name}."
    own = {name: array for name, array in tensors.items() if name.startswith(prefix)}
    return tree_unflatten([(name.removeprefix(prefix), array) for name, array in own.items()])
