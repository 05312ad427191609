"""Exports: an adapter in the formats that others read, llama.cpp's and PEFT's."""

import json
import shutil
from pathlib import Path
from typing import Any

from tasks.learning.adapters import version
from tasks.learning.weights.lora import Adapter, read, tensors
from tasks.learning.weights.merging import merge
from tasks.models.gguf_layout import layout
from tasks.models.runtime import runtime
from thirdshift.errors import AdapterRefused


def export(name: str, form: str, target: Path) -> None:
    """Write a version as an `mlx` or `peft` folder, a `gguf` adapter or a `merged` GGUF.

    Raises NotFound, and AdapterRefused where the target exists: nothing is overwritten.
    """
    one = version(name)
    if target.exists():
        raise AdapterRefused(f"{target} exists already.", "Name another place.")
    target.parent.mkdir(parents=True, exist_ok=True)
    if form == "mlx":
        shutil.copytree(one.folder, target)
    elif form == "peft":
        peft_folder(one.folder, target, one.base)
    elif form == "gguf":
        gguf_adapter(runtime().base_file(), one.folder, target)
    else:
        merge(runtime().base_file(), one.folder, target)


def gguf_adapter(base: Path, folder: Path, target: Path) -> None:
    """Write an adapter for llama.cpp's `--lora`; the format: its convert_lora_to_gguf.py.

    llama.cpp multiplies by alpha / rank, so alpha is mlx-lm's scale times the rank.
    """
    import gguf
    import numpy as np

    source, adapter = layout(base), read(folder)
    pairs = tensors(adapter, source)
    temporary = target.with_suffix(".part")
    writer = gguf.GGUFWriter(temporary, source.keys["general.architecture"])
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
    temporary.replace(target)


def alpha(adapter: Adapter) -> float:
    """Return the alpha that llama.cpp and PEFT divide by the rank."""
    return adapter.scale * adapter.rank


def peft_folder(folder: Path, target: Path, base: str) -> None:
    """Write an adapter as PEFT's folder: adapter_model.safetensors and adapter_config.json.

    PEFT keeps Hugging Face's row order, which is MLX's: nothing is permuted.
    """
    import numpy as np
    from safetensors.numpy import save_file

    adapter = read(folder)
    target.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for module, pair in adapter.pairs.items():
        name = f"base_model.model.{module}"
        arrays[f"{name}.lora_A.weight"] = np.ascontiguousarray(pair.a.T)
        arrays[f"{name}.lora_B.weight"] = np.ascontiguousarray(pair.b.T)
    save_file(arrays, target / "adapter_model.safetensors", metadata={"format": "pt"})
    (target / "adapter_config.json").write_text(json.dumps(_peft_config(adapter, base), indent=2))


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
