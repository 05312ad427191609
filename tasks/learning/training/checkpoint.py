"""Files of a training: its checkpoint, and the adapter in the end. Each is whole, or not there.

This module loads MLX: call `mlx_runtime.prepare` first.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten, tree_unflatten

from tasks.learning.training.records import History, Manifest
from tasks.machine.disk import sync

ADAPTER = "adapters.safetensors"
CONFIG = "adapter_config.json"
MANIFEST = "manifest.json"


class State:
    """The checkpoint of a training: adapter, optimizer and history in one file.

    The order of the data needs no saving: it follows from seed and iteration.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "state.safetensors"

    def save(self, model: Any, optimizer: Any, history: History) -> None:
        """Replace what was saved."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = _flat("adapter", model.trainable_parameters()) | _flat("opt", optimizer.state)
        part = self.folder / "part.safetensors"
        mx.save_safetensors(str(part), tensors, {"history": history.model_dump_json()})
        sync(part)
        part.replace(self._file)
        sync(self.folder)

    def load(self, model: Any, optimizer: Any) -> History:
        """Bring model and optimizer to where they were, and return the history so far."""
        if not self._file.exists():
            return History()
        loaded: Any = mx.load(str(self._file), return_metadata=True)
        tensors, said = loaded
        model.update(_nested("adapter", tensors))
        optimizer.state = _nested("opt", tensors)
        history = History.model_validate_json(said["history"])
        history.resumed += 1
        return history

    def clear(self) -> None:
        """Forget it: the work is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


def write_adapter(out: Path, model: Any, config: dict[str, Any], manifest: Manifest) -> None:
    """Write an adapter as mlx-lm reads it, with its manifest: the folder appears at once."""
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    tensors = dict(tree_flatten(model.trainable_parameters()))
    mx.save_safetensors(str(part / ADAPTER), tensors)
    (part / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
    (part / MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    for file in (*part.iterdir(), part):
        sync(file)
    part.replace(out)
    sync(out.parent)


def _flat(name: str, tree: Any) -> dict[str, mx.array]:
    return {f"{name}.{key}": value for key, value in tree_flatten(tree)}


def _nested(name: str, tensors: dict[str, mx.array]) -> Any:
    prefix = f"{name}."
    mine = [(k.removeprefix(prefix), v) for k, v in tensors.items() if k.startswith(prefix)]
    return tree_unflatten(mine)
