"""Base weights: what MLX trains on is what llama.cpp serves, number for number."""

import json
import os
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from tasks.learning.weights import (
    architectures,
    conversion,
    mlx_setup,
)
from tasks.learning.weights import (
    base as base_weights,
)
from tasks.learning.weights.conversion import convert, mlx_folder
from tasks.learning.weights.quantisation import dequantised
from tasks.models.embedded.files import built_in
from tasks.models.gguf_layout import layout
from tests.tasks import tiny
from tests.tasks.exact import differences
from thirdshift.errors import ModelMissing, ModelUnsupported
from thirdshift.settings import settings

NAMES = ["llama", "mistral", "llama31", "qwen2", "qwen3", "gemma2", "gemma3"]
QUANTS = ["Q4_0", "Q4_1", "Q8_0"]
MEAN, LARGEST = 0.001, 0.01  # of log-probabilities, on float32 weights


def converted(tmp_path: Path, name: str, form: conversion.Form = "float32", **kinds: Any) -> Any:
    """Return a tiny model and its folder; seven layers show Gemma 3's sliding pattern."""
    layers = 7 if name == "gemma3" else 2
    file = tiny.write(tmp_path / f"{name}.gguf", name, layers=layers, **kinds)
    convert(file, tmp_path / name, form)
    return file, tmp_path / name


@pytest.mark.parametrize("name", NAMES)
def test_mlx_computes_what_llama_cpp_computes(tmp_path: Path, name: str) -> None:
    mean, largest = differences(*converted(tmp_path, name))

    assert mean <= MEAN
    assert largest <= LARGEST


def test_a_forgotten_permutation_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "unpermute", lambda rows, _heads: rows)

    mean, _ = differences(*converted(tmp_path, "llama"))

    assert mean > 10 * MEAN


def test_gemmas_added_one_shows_where_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(architectures.Architecture, "is_shifted", lambda *_: False)

    mean, _ = differences(*converted(tmp_path, "gemma2"))

    assert mean > 10 * MEAN


@pytest.mark.parametrize("quant", QUANTS)
def test_packed_weights_are_the_served_numbers_bit_for_bit(tmp_path: Path, quant: str) -> None:
    kind = gguf.GGMLQuantizationType[quant]
    file, folder = converted(tmp_path, "qwen3", "packed", kind=kind)
    mx = mlx_setup.prepare()
    from mlx_lm.utils import load_model

    model, config = load_model(folder)
    module = model.layers[1].mlp.down_proj
    numbers = mx.dequantize(module.weight, module.scales, module.biases, 32, module.bits)
    tensor = layout(file).tensors["blk.1.ffn_down.weight"]

    assert config["quantization"]["model.layers.1.mlp.down_proj"]["bits"] == int(quant[1])
    assert np.array_equal(np.array(numbers), dequantised(tensor.data, tensor.kind))


def test_packed_and_float32_weights_of_a_permuted_model_answer_alike(tmp_path: Path) -> None:
    kind = gguf.GGMLQuantizationType.Q4_1
    file = tiny.write(tmp_path / "llama.gguf", "llama", kind=kind)
    tokens = [[*range(20, 60)]]

    def logits(form: conversion.Form) -> Any:
        mx = mlx_setup.prepare()
        from mlx_lm.utils import load_model

        convert(file, tmp_path / form, form)
        return np.array(load_model(tmp_path / form)[0](mx.array(tokens)))

    assert np.abs(logits("packed") - logits("float32")).max() < 1e-3


@pytest.mark.parametrize("quant", ["Q4_K", "Q6_K"])
def test_k_quants_become_the_numbers_that_llama_cpp_means(quant: str) -> None:
    kind = gguf.GGMLQuantizationType[quant]
    block, size = gguf.GGML_QUANT_SIZES[kind]
    data = np.random.default_rng(0).integers(0, 256, (4, size), np.uint8)

    numbers = dequantised(data, kind)

    assert numbers.shape == (4, block)
    assert numbers.dtype == np.float32


def test_an_unknown_architecture_is_refused_by_name(tmp_path: Path) -> None:
    file = tiny.write(tmp_path / "a.gguf", "falcon")

    with pytest.raises(ModelUnsupported, match="falcon"):
        convert(file, tmp_path / "out", "float32")


def test_an_unmapped_tensor_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = tiny.shapes
    extra = {"blk.0.attn_sinks.weight": (8,)}
    monkeypatch.setattr(tiny, "shapes", lambda *given: shapes(*given) | extra)
    file = tiny.write(tmp_path / "a.gguf", "llama")

    with pytest.raises(ModelUnsupported, match=r"blk\.0\.attn_sinks\.weight"):
        convert(file, tmp_path / "out", "float32")


def test_a_missing_tensor_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = tiny.shapes
    missing = "blk.1.ffn_up.weight"
    monkeypatch.setattr(
        tiny,
        "shapes",
        lambda *given: {k: v for k, v in shapes(*given).items() if k != missing},
    )
    file = tiny.write(tmp_path / "a.gguf", "llama")

    with pytest.raises(ModelUnsupported, match=r"layers\.1\.mlp\.up_proj"):
        convert(file, tmp_path / "out", "float32")


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    file = tiny.write(tmp_path / "a.gguf", "llama")
    file.write_bytes(file.read_bytes()[:-1000])

    with pytest.raises(ModelMissing, match="cut short"):
        convert(file, tmp_path / "out", "float32")


def test_an_interrupted_conversion_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tiny.write(tmp_path / "a.gguf", "llama")

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(conversion, "_check_loads", fail)
        mlx_folder(file, "float32")
    assert not [*(settings().models_path / "mlx").glob("*-float32")]

    assert (mlx_folder(file, "float32") / "config.json").exists()


def test_a_folder_is_made_once_for_the_same_content(tmp_path: Path) -> None:
    file = tiny.write(tmp_path / "a.gguf", "llama")
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(file.read_bytes())

    first = mlx_folder(file, "float32")
    made = (first / "config.json").stat().st_mtime_ns

    assert mlx_folder(copy, "float32") == first
    assert (first / "config.json").stat().st_mtime_ns == made


def test_weights_that_nothing_trains_on_are_swept_and_a_hubs_are_not(
    home: Path, tmp_path: Path
) -> None:
    folder = mlx_folder(tiny.write(tmp_path / "llama.gguf", "llama"), "float32")
    hub = folder.with_name("hub-owner-model")
    hub.mkdir()
    for one in (folder, hub):
        os.utime(one, (0, 0))
    assert mlx_folder(tmp_path / "llama.gguf", "float32") == folder  # used again
    assert base_weights.sweep() == 0

    os.utime(folder, (0, 0))

    assert base_weights.sweep() > 0
    assert hub.exists()
    assert not folder.exists()


def test_the_built_in_model_answers_and_ends(mlx_base: Path) -> None:
    mlx_setup.prepare()
    from mlx_lm import generate, load

    model, tokenizer = load(str(mlx_base))
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True)

    assert "Paris" in generate(model, tokenizer, prompt, max_tokens=8)
    assert mlx_folder(built_in(), "float32") == mlx_base
    assert json.loads((mlx_base / "config.json").read_text())["eos_token_id"] == [2, 0]
