"""A model small enough to train in a moment, its tokenizer, and something to learn."""

import ctypes
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
WORDS = ["amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath"]


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a random llama of three layers with a tokenizer of bytes; return its folder."""
    from tasks.learning.weights.mlx_setup import LIBRARY, prepare

    mx = prepare()
    if sys.platform == "linux":  # two threads would spend their time waiting for each other
        ctypes.CDLL(LIBRARY).openblas_set_num_threads(1)
    from mlx.utils import tree_flatten
    from mlx_lm.models import llama

    folder = tmp_path_factory.mktemp("tiny-base")
    vocabulary = _write_tokenizer(folder)
    config = {
        "model_type": "llama",
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5,
        "vocab_size": vocabulary,
        "max_position_embeddings": 512,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
    }
    (folder / "config.json").write_text(json.dumps(config))
    mx.random.seed(0)
    model = llama.Model(llama.ModelArgs.from_dict(config))
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(model.parameters())))
    return folder


def _write_tokenizer(folder: Path) -> int:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: at for at, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<user>", "<assistant>", "<system>"]
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", additional_special_tokens=special
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    return len(fast)


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """Write 24 short examples to learn and 6 to validate on; return the folder."""
    draw = random.Random(0)

    def row(number: int) -> dict[str, str]:
        word = draw.choice(WORDS)
        answer = f"{word} is {number}" + f" {word}" * draw.randint(0, 5)
        return {"prompt": f"What is {number}?", "completion": answer}

    return _write(tmp_path / "examples", row)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Write 24 preferences to learn and 6 to validate on; return the folder."""
    draw = random.Random(0)

    def row(number: int) -> dict[str, str]:
        word = draw.choice(WORDS)
        answers = {"chosen": f"{word} is {number}", "rejected": "no " * draw.randint(1, 6)}
        return {"prompt": f"What is {number}?"} | answers

    return _write(tmp_path / "pairs", row)


def _write(folder: Path, row: Callable[[int], dict[str, str]]) -> Path:
    folder.mkdir()
    for split, count in (("train", 24), ("valid", 6)):
        lines = [json.dumps(row(number)) for number in range(count)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return folder
