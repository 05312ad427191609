"""Architectures that both llama.cpp and mlx-lm know: names, layouts and settings of each.

GGUF and MLX (which keeps Hugging Face's layout) differ in names, in the order of the rows of q
and k, and in whether a norm's weight is stored with one added. Sources: llama.cpp's
convert_hf_to_gguf.py, and mlx_lm/models/*.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from thirdshift.errors import ModelUnsupported

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T", bound="np.generic")
Header = Mapping[str, Any]

_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_QK_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
_GEMMA = {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
_OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
ROPE_FACTORS = "rope_freqs.weight"  # of Llama 3.1 and later: becomes a setting, not a weight
GEMMA2_27B, GEMMA3_27B = 46, 62  # layers, by which llama.cpp too knows the two


@dataclass(frozen=True)
class Architecture:
    """How one architecture is stored. `permuted`: q and k are in llama.cpp's row order."""

    name: str
    model_type: str
    permuted: bool = False
    shifted_norms: bool = False
    layer: Mapping[str, str] = field(default_factory=lambda: _LAYER)

    def module(self, tensor: str) -> str:
        """Return MLX's name for a GGUF tensor; raises ModelUnsupported naming an unknown one."""
        inner = re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", tensor)
        outer = re.fullmatch(r"(\w+)\.(weight|bias)", tensor)
        if inner and inner[2] in self.layer:
            return f"model.layers.{inner[1]}.{self.layer[inner[2]]}.{inner[3]}"
        if outer and outer[1] in _OUTSIDE:
            return f"{_OUTSIDE[outer[1]]}.{outer[2]}"
        raise ModelUnsupported(f"{self.name} has a tensor that is not mapped: {tensor}.")

    def tensor(self, module: str) -> str:
        """Return GGUF's name for an MLX module of a layer; ModelUnsupported for any other."""
        match = re.fullmatch(r"model\.layers\.(\d+)\.([\w.]+)", module)
        names = {mlx: gguf for gguf, mlx in self.layer.items()}
        if not match or match[2] not in names:
            raise ModelUnsupported(f"{self.name} has a module that is not mapped: {module}.")
        return f"blk.{match[1]}.{names[match[2]]}"

    def heads(self, tensor: str, info: Header) -> int:
        """Return how many heads' rows lie permuted in a tensor of a GGUF; 0 where none do."""
        keys = {"attn_q": "attention.head_count", "attn_k": "attention.head_count_kv"}
        kind = tensor.split(".")[2] if tensor.startswith("blk.") else ""
        if not self.permuted or kind not in keys:
            return 0
        return int(value(info, keys[kind], value(info, "attention.head_count")))

    def is_shifted(self, tensor: str) -> bool:
        """Tell whether llama.cpp stores this tensor with one added."""
        return self.shifted_norms and tensor.endswith("norm.weight")


ARCHITECTURES = {
    kind.name: kind
    for kind in (
        Architecture("llama", "llama", permuted=True),  # and Mistral's, which GGUF calls llama
        Architecture("qwen2", "qwen2"),
        Architecture("qwen3", "qwen3", layer=_LAYER | _QK_NORMS),
        Architecture("gemma2", "gemma2", shifted_norms=True, layer=_LAYER | _GEMMA),
        Architecture(
            "gemma3", "gemma3_text", shifted_norms=True, layer=_LAYER | _QK_NORMS | _GEMMA
        ),
    )
}


def architecture(info: Header) -> Architecture:
    """Return the architecture of a GGUF; raises ModelUnsupported naming one we do not know."""
    name = info.get("general.architecture", "none")
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ModelUnsupported(f"The architecture {name} cannot be trained here.", f"Take {known}.")
    return ARCHITECTURES[name]


def value(info: Header, key: str, default: Any = None) -> Any:
    """Return a key of the architecture's own; ModelUnsupported where layers differ or it lacks."""
    name = f"{info['general.architecture']}.{key}"
    setting = info.get(name, default)
    if setting is None or (isinstance(setting, list) and len(set(setting)) != 1):
        raise ModelUnsupported(f"{name} is {setting}: one value for all layers is needed.")
    return setting[0] if isinstance(setting, list) else setting


def configuration(info: Header, tensors: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Return mlx-lm's config.json for a GGUF's header and the shapes (out, in) of its tensors."""
    kind, heads = architecture(info), value(info, "attention.head_count")
    hidden = value(info, "embedding_length")
    width = value(info, "attention.key_length", hidden // heads)
    _check(info, width, hidden // heads)
    return {
        "model_type": kind.model_type,
        "hidden_size": hidden,
        "num_hidden_layers": value(info, "block_count"),
        "intermediate_size": value(info, "feed_forward_length"),
        "num_attention_heads": heads,
        "num_key_value_heads": value(info, "attention.head_count_kv", heads),
        "head_dim": width,
        "rms_norm_eps": value(info, "attention.layer_norm_rms_epsilon"),
        "vocab_size": tensors["token_embd.weight"][0],
        "max_position_embeddings": value(info, "context_length"),
        "rope_theta": value(info, "rope.freq_base", 10000.0),
        "tie_word_embeddings": "output.weight" not in tensors,
        "attention_bias": kind.name == "llama" and "blk.0.attn_q.bias" in tensors,
        "rope_scaling": _linear(info),
    } | _gemma(info, hidden // heads, width)


def _check(info: Header, width: int, even: int) -> None:
    """Refuse what mlx-lm's model would compute otherwise, or not at all."""
    name = info["general.architecture"]
    wrong = {
        "expert_count": value(info, "expert_count", 0),
        "rope.dimension_count": value(info, "rope.dimension_count", width) - width,
        "attention.value_length": value(info, "attention.value_length", width) - width,
        "attention.key_length": width - even if name == "qwen2" else 0,
        "final_logit_softcapping": name == "gemma3" and value(info, "final_logit_softcapping", 0),
    }
    if bad := [key for key, off in wrong.items() if off]:
        raise ModelUnsupported(f"{name}.{bad[0]} has a value that mlx-lm's {name} does not know.")


def _linear(info: Header) -> dict[str, Any] | None:
    kind = value(info, "rope.scaling.type", "none")
    if kind not in {"none", "linear"}:
        raise ModelUnsupported(f"The RoPE scaling {kind} is not mapped.")
    factor = value(info, "rope.scaling.factor", 1.0)
    return {"rope_type": "linear", "factor": factor} if kind == "linear" else None


def _gemma(info: Header, even: int, width: int) -> dict[str, Any]:
    """Return Gemma's own keys; the scale of queries is not in a GGUF, llama.cpp knows it too."""
    name, layers = info["general.architecture"], value(info, "block_count")
    large = {"gemma2": GEMMA2_27B, "gemma3": GEMMA3_27B}.get(name)
    if large is None:
        return {}
    scalar = even if layers == large else width
    if name == "gemma2":
        return {
            "query_pre_attn_scalar": scalar,
            "attn_logit_softcapping": value(info, "attn_logit_softcapping", 50.0),
            "final_logit_softcapping": value(info, "final_logit_softcapping", 30.0),
        }
    return {
        "query_pre_attn_scalar": scalar,
        "sliding_window": value(info, "attention.sliding_window"),
        "sliding_window_pattern": value(info, "attention.sliding_window_pattern", 6),
        "rope_local_base_freq": value(info, "rope.freq_base_swa", 10000.0),
    }


def llama3_scaling(factors: "NDArray[np.float32]", theta: float) -> dict[str, Any]:
    """Return the RoPE setting that makes these divisors of frequencies, (head_dim / 2,).

    Raises ModelUnsupported where Llama 3.1's constants do not make them.
    """
    import numpy as np

    factor, low, high, context = float(factors.max()), 1.0, 4.0, 8192
    waves = 2 * np.pi * theta ** (np.arange(len(factors)) / len(factors))
    smooth = np.clip((context / waves - low) / (high - low), 0, 1)
    if not np.allclose(1 / ((1 - smooth) / factor + smooth), factors, rtol=1e-3):
        raise ModelUnsupported(f"{ROPE_FACTORS} holds factors that are not Llama 3's.")
    return {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": low,
        "high_freq_factor": high,
        "original_max_position_embeddings": context,
    }


def unpermute(rows: "NDArray[T]", heads: int) -> "NDArray[T]":
    """Bring rows (out, …) of q or k from llama.cpp's order to MLX's.

    llama.cpp rotates neighbours, MLX halves. Of a head of six rows, by llama.cpp's numbers:

        0 1 2 3 4 5    ▸    0 2 4 1 3 5
    """
    return _swapped(rows, (heads, rows.shape[0] // heads // 2, 2))


def permute(rows: "NDArray[T]", heads: int) -> "NDArray[T]":
    """Bring rows (out, …) of q or k from MLX's order to llama.cpp's."""
    return _swapped(rows, (heads, 2, rows.shape[0] // heads // 2))


def _swapped(rows: "NDArray[T]", split: tuple[int, int, int]) -> "NDArray[T]":
    return rows.reshape(*split, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)
