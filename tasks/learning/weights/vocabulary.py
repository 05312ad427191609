"""Tokenizers: a GGUF's vocabulary as the tokenizer.json that mlx-lm reads.

Made to give the ids that llama.cpp gives, which serves the model. One difference stays: for
Qwen 2 transformers insists on a tokenizer of its own, which composes accents (NFC) first.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.machine.disk import write_whole
from thirdshift.errors import ModelUnsupported

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONTROL, USER_DEFINED, BYTE = 3, 4, 6  # token types of GGUF
_SPACE = "\u2581"  # stands for a space in SentencePiece's pieces

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_CASED = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_SMALL = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{_REST}"
_QWEN2 = rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{_REST}"
_TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_CASED}*{_SMALL}+|[^\r\n\p{{L}}\p{{N}}]?{_CASED}+{_SMALL}*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# What `tokenizer.ggml.pre` says of how text is split before merging: llama-vocab.cpp's patterns.
_SPLITS = {"llama-bpe": _LLAMA3, "llama3": _LLAMA3, "qwen2": _QWEN2, "tekken": _TEKKEN}
_WHOLE_WORDS = {"llama-bpe", "llama3", "tekken"}  # a word that is a token is not merged
# Tokens that end an answer by their text alone, as llama.cpp holds it.
_ENDS = ("<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<end_of_turn>", "<|end_of_text|>")

Keys = Mapping[str, Any]


def tokenizer(keys: Keys) -> "Tokenizer":
    """Return the tokenizer of a GGUF's keys; ModelUnsupported names a kind we cannot make."""
    kinds = {"gpt2": _byte_level, "llama": _sentencepiece}
    kind = keys.get("tokenizer.ggml.model", "none")
    if kind not in kinds:
        raise ModelUnsupported(f"The tokenizer {kind} is not mapped.", "Take a BPE or SPM model.")
    converted = kinds[kind](keys)
    _add_special(converted, keys)
    _add_bos(converted, keys)
    return converted


def _byte_level(keys: Keys) -> "Tokenizer":
    """Return GPT-2's kind: merges over bytes, texts split as the `pre` key says."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    pre = keys.get("tokenizer.ggml.pre", "none")
    steps: list[Any]
    if pre == "smollm":
        steps = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    elif pre == "gpt-2":
        steps = [pre_tokenizers.ByteLevel(False)]
    elif pre in _SPLITS:
        split = pre_tokenizers.Split(Regex(_SPLITS[pre]), "isolated")
        steps = [split, pre_tokenizers.ByteLevel(False, use_regex=False)]
    else:
        raise ModelUnsupported(f"The pre-tokenizer {pre} is not mapped.")
    merges = [tuple(pair.split(" ")) for pair in keys["tokenizer.ggml.merges"]]
    converted = Tokenizer(models.BPE(_ids(keys), merges, ignore_merges=pre in _WHOLE_WORDS))
    converted.pre_tokenizer = pre_tokenizers.Sequence(steps)
    converted.decoder = decoders.ByteLevel()
    return converted


def _sentencepiece(keys: Keys) -> "Tokenizer":
    """Return SentencePiece's BPE: any two pieces that make a piece merge, the best score first."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    ids, unknown = _ids(keys), keys.get("tokenizer.ggml.unknown_token_id", 0)
    first = keys.get("tokenizer.ggml.add_space_prefix", True)
    merges = _merges(ids, keys["tokenizer.ggml.scores"], keys["tokenizer.ggml.token_type"])
    name = keys["tokenizer.ggml.tokens"][unknown]
    model = models.BPE(ids, merges, unk_token=name, fuse_unk=True, byte_fallback=True)
    converted = Tokenizer(model)
    spaces: list[Any] = [normalizers.Prepend(_SPACE)] if first else []
    converted.normalizer = normalizers.Sequence([*spaces, normalizers.Replace(" ", _SPACE)])
    steps: list[Any] = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    converted.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if first else steps)
    return converted


def _merges(
    ids: Mapping[str, int], scores: Sequence[float], types: Sequence[int]
) -> list[tuple[str, str]]:
    """Return which halves make which piece, the best score first."""
    ranked = []
    for piece, number in ids.items():
        if types[number] in {CONTROL, USER_DEFINED, BYTE}:
            continue
        halves = ((piece[:cut], piece[cut:]) for cut in range(1, len(piece)))
        pairs = [(ids[a], ids[b], a, b) for a, b in halves if a in ids and b in ids]
        ranked += [(-scores[number], number, *pair) for pair in sorted(pairs)]
    return [(a, b) for *_, a, b in sorted(ranked, key=lambda merge: merge[0])]


def _ids(keys: Keys) -> dict[str, int]:
    return {text: number for number, text in enumerate(keys["tokenizer.ggml.tokens"])}


def _add_special(converted: "Tokenizer", keys: Keys) -> None:
    from tokenizers import AddedToken

    pairs = zip(keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"], strict=True)
    for text, kind in pairs:
        if kind in {CONTROL, USER_DEFINED} and text:
            token = AddedToken(text, special=kind == CONTROL, normalized=False)
            add = converted.add_special_tokens if kind == CONTROL else converted.add_tokens
            add([token])


def _add_bos(converted: "Tokenizer", keys: Keys) -> None:
    from tokenizers import processors

    spm = keys["tokenizer.ggml.model"] == "llama"
    bos = keys.get("tokenizer.ggml.add_bos_token", spm)
    added = {"bos": bos, "eos": keys.get("tokenizer.ggml.add_eos_token", False)}
    named = {name: keys[f"tokenizer.ggml.{name}_token_id"] for name in added if added[name]}
    tokens = {name: keys["tokenizer.ggml.tokens"][number] for name, number in named.items()}
    if tokens:
        parts = [tokens.get("bos"), "$A", tokens.get("eos")]
        converted.post_processor = processors.TemplateProcessing(
            single=" ".join(part for part in parts if part),
            special_tokens=[(tokens[name], named[name]) for name in named],
        )


def ends(keys: Keys) -> list[int]:
    """Return the ids of the tokens that end an answer, the model's own first."""
    named = [keys.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot")]
    types, ids = keys["tokenizer.ggml.token_type"], _ids(keys)
    known = [ids[text] for text in _ENDS if text in ids and types[ids[text]] == CONTROL]
    return [*dict.fromkeys(number for number in [*named, *known] if number is not None)]


def write(keys: Keys, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json, with the chat template, into a folder."""
    tokenizer(keys).save(str(folder / "tokenizer.json"))
    tokens = keys["tokenizer.ggml.tokens"]
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "chat_template": keys.get("tokenizer.chat_template"),
    }
    names = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}
    for gguf, ours in names.items():
        number = keys.get(f"tokenizer.ggml.{gguf}_token_id")
        if number is not None and number < len(tokens):
            config[f"{ours}_token"] = tokens[number]
    stated = {key: setting for key, setting in config.items() if setting is not None}
    write_whole(folder / "tokenizer_config.json", json.dumps(stated, indent=2))
