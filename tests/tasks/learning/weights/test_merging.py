"""Merging and exports: llama.cpp computes with an adapter what MLX computes with it."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tasks.learning import exporting
from tasks.learning.exporting import gguf_adapter, peft_folder
from tasks.learning.weights import lora, merging
from tasks.learning.weights.conversion import convert
from tasks.learning.weights.merging import merge
from tasks.models.embedded.files import built_in
from tasks.models.gguf_layout import layout
from tests.tasks import tiny
from tests.tasks.exact import differences
from thirdshift.errors import DiskFull, ModelMissing, ModelUnsupported

NAMES = ["llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3"]
MEAN, LARGEST = 0.001, 0.01  # of log-probabilities, on float32 weights


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that makes a tiny model once: its GGUF, MLX folder and an adapter."""

    @cache
    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        file = tiny.write(folder / "base.gguf", name, layers=7 if name == "gemma3" else 2)
        convert(file, folder / "base", "float32")
        tiny.adapter(folder / "base", folder / "lora")
        return folder

    return make


@pytest.fixture
def tuned(tmp_path: Path, made: Any) -> Callable[[str], tuple[Path, Path, Path]]:
    """Return a function that gives a model's GGUF, its MLX folder, and an adapter to spoil."""

    def copy(name: str) -> tuple[Path, Path, Path]:
        adapter = shutil.copytree(made(name) / "lora", tmp_path / "lora")
        return made(name) / "base.gguf", made(name) / "base", adapter

    return copy


def off_merged(base: Path, folder: Path, adapter: Path, out: Path) -> tuple[float, float]:
    merge(base, adapter, out / "merged.gguf", "F32")
    return differences(out / "merged.gguf", folder, adapter=adapter)


def off_adapter(base: Path, folder: Path, adapter: Path, out: Path) -> tuple[float, float]:
    gguf_adapter(base, adapter, out / "adapter.gguf")
    return differences(base, folder, served_adapter=out / "adapter.gguf", adapter=adapter)


@pytest.mark.parametrize("name", NAMES)
def test_a_merged_model_computes_what_mlx_computes(tmp_path: Path, tuned: Any, name: str) -> None:
    mean, largest = off_merged(*tuned(name), tmp_path)

    assert mean <= MEAN
    assert largest <= LARGEST


@pytest.mark.parametrize("name", NAMES)
def test_an_exported_adapter_computes_what_mlx_computes(
    tmp_path: Path, tuned: Any, name: str
) -> None:
    mean, largest = off_adapter(*tuned(name), tmp_path)

    assert mean <= MEAN
    assert largest <= LARGEST


def test_an_adapter_changes_what_is_served(tmp_path: Path, tuned: Any) -> None:
    base, folder, adapter = tuned("llama")

    mean, _ = differences(base, folder, adapter=adapter)

    assert mean > 10 * MEAN


@pytest.mark.parametrize("way", [off_merged, off_adapter])
def test_a_forgotten_permutation_shows(
    tmp_path: Path, tuned: Any, way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tuned("llama")
    monkeypatch.setattr(lora, "permute", lambda rows, _heads: rows)

    assert way(*made, tmp_path)[0] > 5 * MEAN


def test_an_alpha_without_the_rank_shows(
    tmp_path: Path, tuned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tuned("llama")
    monkeypatch.setattr(exporting, "alpha", lambda adapter: adapter.scale)

    assert off_adapter(*made, tmp_path)[0] > 5 * MEAN


@pytest.mark.parametrize("way", [off_merged, off_adapter])
def test_swapped_matrices_show(
    tmp_path: Path, tuned: Any, way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, folder, adapter = tuned("llama")
    read = lora.read_adapter

    def swapped(path: Path) -> lora.Adapter:
        found = read(path)
        square = {  # shapes tell where it is not square
            name: lora.LoraPair(pair.b.T, pair.a.T)
            if "q_proj" in name or "o_proj" in name
            else pair
            for name, pair in found.pairs.items()
        }
        return lora.Adapter(square, found.rank, found.scale)

    monkeypatch.setattr(merging, "read_adapter", swapped)
    monkeypatch.setattr(exporting, "read_adapter", swapped)

    assert way(base, folder, adapter, tmp_path)[0] > 5 * MEAN


def test_matrices_of_another_shape_are_refused_by_name(tmp_path: Path, tuned: Any) -> None:
    base, _, adapter = tuned("llama")
    other = tiny.write(tmp_path / "other.gguf", "mistral")

    with pytest.raises(ModelUnsupported, match=r"layers\.0\.\w+\.\w+_proj"):
        merge(other, adapter, tmp_path / "merged.gguf")
    assert not (tmp_path / "merged.gguf").exists()
    assert base.exists()


def test_what_is_not_touched_is_copied_byte_for_byte(tmp_path: Path, tuned: Any) -> None:
    _, _, whole = tuned("llama")
    query = "model.layers.29.self_attn.q_proj"
    sizes = {f"{query}.lora_a": (576, 4), f"{query}.lora_b": (4, 576)}
    save_file({k: np.ones(v, np.float32) for k, v in sizes.items()}, whole / lora.WEIGHTS)

    merge(built_in(), whole, tmp_path / "merged.gguf")
    before, after = layout(built_in()), layout(tmp_path / "merged.gguf")
    differing = {
        name
        for name, tensor in before.tensors.items()
        if tensor.data.tobytes() != after.tensors[name].data.tobytes()
    }

    assert differing == {"blk.29.attn_q.weight"}
    assert after.tensors["blk.29.attn_q.weight"].kind.name == "Q8_0"
    assert after.keys == before.keys
    assert after.keys["tokenizer.chat_template"]


def test_the_gguf_package_reads_a_merged_file(tmp_path: Path, tuned: Any) -> None:
    base, _, adapter = tuned("qwen2")
    merge(base, adapter, tmp_path / "merged.gguf", "F16")

    read, ours = gguf.GGUFReader(tmp_path / "merged.gguf"), layout(tmp_path / "merged.gguf")

    for tensor in read.tensors:
        assert tensor.tensor_type == ours.tensors[tensor.name].kind
        assert tensor.data.tobytes() == ours.tensors[tensor.name].data.tobytes()


def test_pefts_folder_has_pefts_names_shapes_and_fields(tmp_path: Path, tuned: Any) -> None:
    _, _, adapter = tuned("llama")
    peft_folder(adapter, tmp_path / "peft", "owner/base")

    told = json.loads((tmp_path / "peft" / "adapter_config.json").read_text())
    arrays = load_file(tmp_path / "peft" / "adapter_model.safetensors")
    ours = lora.read_adapter(adapter)
    down = "base_model.model.model.layers.1.mlp.down_proj"
    delta = arrays[f"{down}.lora_B.weight"] @ arrays[f"{down}.lora_A.weight"]
    pair = ours.pairs["model.layers.1.mlp.down_proj"]

    assert len(arrays) == 2 * len(ours.pairs) == 2 * 2 * 7
    assert arrays[f"{down}.lora_A.weight"].shape == (4, tiny.INNER)
    assert arrays[f"{down}.lora_B.weight"].shape == (tiny.HIDDEN, 4)
    assert np.allclose(delta * told["lora_alpha"] / told["r"], ours.scale * (pair.a @ pair.b).T)
    assert told == {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "owner/base",
        "r": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "use_dora": False,
        "use_rslora": False,
        "target_modules": [
            "down_proj",
            "gate_proj",
            "k_proj",
            "o_proj",
            "q_proj",
            "up_proj",
            "v_proj",
        ],
        "layers_to_transform": [0, 1],
        "layers_pattern": "layers",
        "modules_to_save": None,
    }


@pytest.mark.parametrize("kind", ["dora", "full"])
def test_other_ways_of_tuning_are_refused_by_name(tmp_path: Path, tuned: Any, kind: str) -> None:
    _, folder, _ = tuned("llama")
    adapter = tiny.adapter(folder, tmp_path / kind, fine_tune_type=kind)

    with pytest.raises(ModelUnsupported, match=kind):
        lora.read_adapter(adapter)


@pytest.mark.parametrize(
    "key",
    ["model.embed_tokens.lora_a", "lm_head.lora_a", "model.layers.0.mlp.gate_proj.m"],
)
def test_a_key_that_cannot_be_converted_is_refused_by_name(
    tmp_path: Path, tuned: Any, key: str
) -> None:
    base, _, adapter = tuned("llama")
    extra = {key: np.zeros((8, 4), np.float32)}
    if key.endswith("lora_a"):
        extra[key[:-1] + "b"] = np.zeros((4, 8), np.float32)
    file = adapter / "adapters.safetensors"
    save_file(load_file(file) | extra, file)

    with pytest.raises(ModelUnsupported, match=key.rpartition(".")[0]):
        merge(base, adapter, tmp_path / "merged.gguf")


def test_experts_are_refused_by_name(tmp_path: Path, tuned: Any) -> None:
    base, _, adapter = tuned("llama")
    experts = "model.layers.0.mlp.switch_mlp.gate_proj"
    extra = {f"{experts}.lora_{part}": np.zeros((2, 4, 4), np.float32) for part in "ab"}
    file = adapter / "adapters.safetensors"
    save_file(load_file(file) | extra, file)

    with pytest.raises(ModelUnsupported, match="switch_mlp"):
        merge(base, adapter, tmp_path / "merged.gguf")


def test_a_diverged_adapter_is_refused(tmp_path: Path, tuned: Any) -> None:
    base, _, adapter = tuned("llama")
    file = adapter / "adapters.safetensors"
    arrays = load_file(file)
    arrays["model.layers.0.mlp.up_proj.lora_b"][0, 0] = np.nan
    save_file(arrays, file)

    with pytest.raises(ModelUnsupported, match="diverged"):
        merge(base, adapter, tmp_path / "merged.gguf")


def test_a_folder_without_an_adapter_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=str(tmp_path)):
        lora.read_adapter(tmp_path)


def test_a_full_disk_stops_a_merge_before_it_starts(
    tmp_path: Path, tuned: Any, override: Callable[..., None]
) -> None:
    base, _, adapter = tuned("llama")
    override(MIN_FREE_GB=10**9)

    with pytest.raises(DiskFull):
        merge(base, adapter, tmp_path / "merged.gguf")
    assert not [*tmp_path.glob("merged*")]
