"""Quantised weights: llama.cpp's blocks as MLX's groups of 32, bit for bit the same numbers.

A block of 32 weights is `d * q` (Q4_0, Q8_0) or `d * q + m` (Q4_1); MLX's affine group is
`scale * q + bias` with unsigned q. K-quants have no such form and are dequantised.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GROUP = 32


class Packed(NamedTuple):
    """An MLX quantised matrix: words (out, in * bits / 32) uint32, scales, biases (out, in / 32).

    Scales and biases are float32: 16 bits would hold the scales, but an activation of mixed
    types ends in float32 anyway.
    """

    weight: "NDArray[np.uint32]"
    scales: "NDArray[np.float32]"
    biases: "NDArray[np.float32]"
    bits: int


def _q4_0(blocks: "NDArray[np.uint8]") -> Packed:
    scale = _halves(blocks[..., :2])
    return Packed(_nibbles(blocks[..., 2:]), scale, -8 * scale, 4)


def _q4_1(blocks: "NDArray[np.uint8]") -> Packed:
    return Packed(_nibbles(blocks[..., 4:]), _halves(blocks[..., :2]), _halves(blocks[..., 2:4]), 4)


def _q8_0(blocks: "NDArray[np.uint8]") -> Packed:
    import numpy as np

    scale = _halves(blocks[..., :2])
    return Packed(_words(blocks[..., 2:] ^ np.uint8(128)), scale, -128 * scale, 8)  # int8 + 128


_EXACT: dict[str, tuple[int, Callable[["NDArray[np.uint8]"], Packed]]] = {
    "Q4_0": (18, _q4_0),
    "Q4_1": (20, _q4_1),
    "Q8_0": (34, _q8_0),
}


def is_exact(kind: str) -> bool:
    """Tell whether MLX can hold this type of llama.cpp's without loss."""
    return kind in _EXACT


def packed(data: "NDArray[np.uint8]", kind: str) -> Packed:
    """Repack the bytes (out, bytes of a row) of a Q4_0, Q4_1 or Q8_0 tensor."""
    size, repack = _EXACT[kind]
    return repack(data.reshape(data.shape[0], -1, size))


def dequantised(data: Any, kind: Any) -> "NDArray[np.float32]":
    """Return a tensor's numbers, whatever gguf type it has."""
    import gguf
    import numpy as np

    numbers: NDArray[np.float32] = gguf.dequantize(data, kind).astype(np.float32, copy=False)
    return numbers


def _halves(pairs: "NDArray[np.uint8]") -> "NDArray[np.float32]":
    import numpy as np

    return np.ascontiguousarray(pairs).view("<f2")[..., 0].astype(np.float32)


def _nibbles(codes: "NDArray[np.uint8]") -> "NDArray[np.uint32]":
    """Reorder 16 bytes: weight i and i + 16 share one in GGUF, 2i and 2i + 1 in MLX."""
    import numpy as np

    order = np.concatenate([codes & 15, codes >> 4], axis=-1)
    return _words(order[..., ::2] | order[..., 1::2] << 4)


def _words(codes: "NDArray[np.uint8]") -> "NDArray[np.uint32]":
    import numpy as np

    return np.ascontiguousarray(codes).reshape(codes.shape[0], -1).view("<u4")
