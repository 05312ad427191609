"""Exports: an adapter in the formats that others read, llama.cpp's and PEFT's."""

import json
import shutil
from pathlib import Path
from typing import Any

from tasks.learning.adapters import version
from tasks.learning.weights.lora import Adapter, pairs_by_tensor, read_adapter
from tasks.learning.weights.merging import merge
from tasks.machine.disk import whole_file, whole_folder, write_whole
from tasks.models.gguf_layout import layout
from tasks.models.runtime import runtime
from thirdshift.errors import AdapterRefused


def export(name: str, form: str, target: Path) -> None:
    """Write a version as an `mlx` or `peft` folder, a `gguf` adapter or a `merged` GGUF.

    Raises NotFound, and AdapterRefused where the target exists: nothing is overwritten.
    """
    source = version(name)
    if target.exists():
        raise AdapterRefused(f"{target} exists already.", "Name another place.")
    if form == "mlx":
        with whole_folder(target) as part:
            shutil.copytree(source.folder, part, dirs_exist_ok=True)
    elif form == "peft":
        peft_folder(source.folder, target, source.base)
    elif form == "gguf":
        gguf_adapter(runtime().base_file(), source.folder, target)
    else:
        merge(runtime().base_file(), source.folder, target)


def gguf_adapter(base: Path, folder: Path, target: Path) -> None:
    """Write an adapter for llama.cpp's `--lora`; the format: its convert_lora_to_gguf.py.

    llama.cpp multiplies by alpha / rank, so alpha is mlx-lm's scale times the rank.
    """
    import gguf
    import numpy as np

    source, adapter = layout(base), read_adapter(folder)
    pairs = pairs_by_tensor(adapter, source)
    with whole_file(target) as part:
        writer = gguf.GGUFWriter(part, source.keys["general.architecture"])
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha(adapter))
        for name, pair in pairs.items():
            writer.add_tensor(f"{name}.lora_a", np.ascontiguousarray(pair.a.T))
            writer.add_tensor(f"{name}.lora_b", np.ascontiguousarray(pair.b.T))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def alpha(adapter: Adapter) -> float:
    """Return the alpha that llama.cpp and PEFT divide by the rank."""
    return adapter.scale * adapter.rank


def peft_folder(folder: Path, target: Path, base: str) -> None:
    """Write an adapter as PEFT's folder: adapter_model.safetensors and adapter_config.json.

    PEFT keeps Hugging Face's row order, which is MLX's: nothing is permuted.
    """
    import numpy as np
    from safetensors.numpy import save_file

    adapter = read_adapter(folder)
    arrays = {}
    for module, pair in adapter.pairs.items():
        name = f"base_model.model.{module}"
        arrays[f"{name}.lora_A.weight"] = np.ascontiguousarray(pair.a.T)
        arrays[f"{name}.lora_B.weight"] = np.ascontiguousarray(pair.b.T)
    config = json.dumps(_peft_config(adapter, base), indent=2)
    with whole_folder(target) as part:
        save_file(arrays, part / "adapter_model.safetensors", metadata={"format": "pt"})
        write_whole(part / "adapter_config.json", config)


def _peft_config(adapter: Adapter, base: str) -> dict[str, Any]:
    """Return LoraConfig's fields; alpha is whole where it can be: some readers take no other."""
    size = alpha(adapter)
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": adapter.rank,
        "lora_alpha": int(size) if size.is_integer() else size,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "use_dora": False,
        "use_rslora": False,
        "target_modules": sorted({name.rpartition(".")[2] for name in adapter.pairs}),
        "layers_to_transform": sorted({int(name.split(".")[2]) for name in adapter.pairs}),
        "layers_pattern": "layers",
        "modules_to_save": None,
    }
