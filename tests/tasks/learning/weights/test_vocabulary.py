"""Tokenizers: the ids that llama.cpp gives, for many scripts, or a refusal by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.learning.weights import mlx_setup, token_check, vocabulary
from tests.tasks import tiny
from thirdshift.errors import ModelUnsupported

WORDS = 8192
KINDS = {
    "smollm": "llama",
    "gpt-2": "llama",
    "qwen2": "qwen2",
    "llama-bpe": "llama",
    "tekken": "llama",
}


def ids(folder: Path) -> list[list[int]]:
    """Return the ids of the texts as training reads them."""
    from mlx_lm.utils import load_tokenizer

    read: Any = load_tokenizer(folder)
    return [read.encode(text, add_special_tokens=False) for text in token_check.TEXTS]


@pytest.mark.parametrize("pre", KINDS)
def test_byte_level_ids_are_llama_cpps(tmp_path: Path, pre: str) -> None:
    keys = tiny.vocabulary(WORDS) | {"tokenizer.ggml.pre": pre}
    write(keys, tmp_path, KINDS[pre])

    token_check.check_tokens(keys, tmp_path)
    assert ids(tmp_path) == token_check.served_ids(keys, token_check.TEXTS)


@pytest.mark.parametrize("prefix", [True, False], ids=["llama", "gemma"])
def test_sentencepiece_ids_are_llama_cpps(tmp_path: Path, prefix: bool) -> None:
    keys = pieces(prefix)
    write(keys, tmp_path, "gemma2")

    token_check.check_tokens(keys, tmp_path)
    assert ids(tmp_path) == token_check.served_ids(keys, token_check.TEXTS)


def test_ids_that_differ_are_refused_with_the_text(tmp_path: Path) -> None:
    keys = tiny.vocabulary(WORDS)
    write(keys | {"tokenizer.ggml.pre": "llama-bpe"}, tmp_path, "llama")

    with pytest.raises(ModelUnsupported, match="gpt2 smollm"):
        token_check.check_tokens(keys, tmp_path)


@pytest.mark.parametrize(
    ("key", "kind"), [("tokenizer.ggml.pre", "viking"), ("tokenizer.ggml.model", "rwkv")]
)
def test_an_unknown_kind_is_refused_by_name(tmp_path: Path, key: str, kind: str) -> None:
    with pytest.raises(ModelUnsupported, match=kind):
        vocabulary.write(tiny.vocabulary() | {key: kind}, tmp_path)


@pytest.mark.parametrize("pre", KINDS)
def test_a_text_comes_back_from_its_ids(tmp_path: Path, pre: str) -> None:
    made = vocabulary.tokenizer(tiny.vocabulary(WORDS) | {"tokenizer.ggml.pre": pre})

    for text in (*token_check.TEXTS, "e\u0301 a\u0308"):
        assert made.decode(made.encode(text).ids) == text


def test_accents_that_combine_are_left_as_llama_cpp_leaves_them() -> None:
    keys, texts = tiny.vocabulary(WORDS), ("e\u0301 a\u0308", "が")

    ids = [vocabulary.tokenizer(keys).encode(text).ids for text in texts]

    assert ids == token_check.served_ids(keys, texts)


def write(keys: dict[str, Any], folder: Path, model_type: str) -> None:
    mlx_setup.prepare()
    vocabulary.write(keys, folder)
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))


def pieces(prefix: bool) -> dict[str, Any]:
    """Return a vocabulary as SentencePiece's BPE trainer makes it, of the README's words."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.normalizer = normalizers.Replace(" ", "▁")
    made.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    trainer = trainers.BpeTrainer(vocab_size=3000, show_progress=False)
    readme = (Path(__file__).parents[4] / "README.md").read_text("utf-8")
    made.train_from_iterator([readme, *token_check.TEXTS], trainer)
    model = json.loads(made.to_str())["model"]
    merged = dict.fromkeys("".join(pair) for pair in model["merges"])
    rows = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
    rows += [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]
    rows += [("<start_of_turn>", 0.0, 3), ("<end_of_turn>", 0.0, 3), ("\n\n\n", 0.0, 4)]
    rows += [(piece, -float(rank), 1) for rank, piece in enumerate(merged) if piece != "\n\n\n"]
    letters = [piece for piece in model["vocab"] if piece not in merged]
    rows += [(piece, -1e6, 1) for piece in letters]
    texts, scores, types = (list(column) for column in zip(*rows, strict=True))
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": texts,
        "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_space_prefix": prefix,
    }
