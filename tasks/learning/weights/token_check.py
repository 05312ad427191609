"""Tokenizer parity: a converted one gives llama.cpp's ids, or training learns other words."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.learning.weights.vocabulary import CONTROL
from thirdshift.errors import ModelUnsupported

WIDTH = 32  # of the few weights

# Scripts, digits, spaces, contractions, code, emoji made of several; all of it composed (NFC).
TEXTS = (
    "The quick brown fox doesn't jump; it's 12345 km away, isn't IT? I'LL see.",
    "  two  spaces   three\t\ttabs\n\nnew lines\r\n  indented:\n\n\n    return x\n",
    "東京都の夜勤は二十四時間です。ﾊﾝｶｸ・「引用」、ｶﾞ パーセント１２３％",
    "Ça coûte 3 €, naïveté, Straße, Ångström, İstanbul, Ελληνικά, Привет, мир!",
    "안녕하세요 세계. नमस्ते दुनिया १२३ สวัสดี العربية עברית 中文字符",
    "👩‍👩‍👧‍👦 🇯🇵 ﬁ ½ ² \u200b\u00a0\ufeff…—“quotes”",
    "def f(x: int) -> str:\n\treturn f'{x!r}' # 0xFF, 1e-9, a_b, CamelCase, https://a.b/c?d=e&f",
    "",
    " ",
    "\n",
    " a",
    "a ",
)


def check_tokens(keys: Mapping[str, Any], folder: Path) -> None:
    """Compare what mlx-lm reads in a folder with llama.cpp over TEXTS.

    Raises ModelUnsupported, naming the kind of tokenizer, where ids differ.
    """
    from mlx_lm.utils import load_tokenizer

    ours: Any = load_tokenizer(folder)
    texts = (*TEXTS, _marked(keys))
    for text, theirs in zip(texts, served_ids(keys, texts), strict=True):
        ids = ours.encode(text, add_special_tokens=False)
        if ids != theirs:
            kind = f"{keys['tokenizer.ggml.model']} {keys.get('tokenizer.ggml.pre', '')}".strip()
            raise ModelUnsupported(f"Of the tokenizer {kind} {text!r} became {ids}, not {theirs}.")


def served_ids(keys: Mapping[str, Any], texts: tuple[str, ...]) -> list[list[int]]:
    """Return llama.cpp's token ids: it is given the vocabulary with a model of a few weights."""
    from tasks.models.embedded.server import serve

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vocabulary.gguf"
        _write(keys, file)
        server, address = serve("vocabulary", file)
        with address.client(60) as client:
            asked = [{"content": text, "parse_special": True} for text in texts]
            answers = [client.post("/tokenize", json=body) for body in asked]
        del server
    return [answer.raise_for_status().json()["tokens"] for answer in answers]


def _marked(keys: Mapping[str, Any]) -> str:
    """Return a text with control tokens of the vocabulary in it, as a chat template makes it."""
    pairs = zip(keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"], strict=True)
    marks = [text for text, kind in pairs if kind == CONTROL][:40]
    return "\n".join(f"{mark}user\nHello there{mark} again" for mark in marks)


def _write(keys: Mapping[str, Any], file: Path) -> None:
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(file, "llama")
    writer.add_block_count(1)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    for name, value in keys.items():
        if name.startswith("tokenizer.") and value != []:
            writer.add_key_value(name, value, *_types(name, value))
    words = len(keys["tokenizer.ggml.tokens"])
    shapes = {"token_embd": (words, WIDTH), "output_norm": (WIDTH,)}
    square = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    shapes |= {f"blk.0.{name}": (WIDTH, WIDTH) for name in square}
    shapes |= {f"blk.0.{name}": (WIDTH,) for name in ("attn_norm", "ffn_norm")}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _types(name: str, value: Any) -> tuple[Any, ...]:
    from gguf import GGUFValueType as Type

    def kind(scalar: Any) -> Any:
        number = Type.UINT32 if name.endswith("_id") else Type.INT32
        return {bool: Type.BOOL, str: Type.STRING, float: Type.FLOAT32}.get(type(scalar), number)

    return (Type.ARRAY, kind(value[0])) if isinstance(value, list) else (kind(value),)
